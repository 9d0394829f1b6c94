// Starts the bundle. `--version` is answered before anything is loaded.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
  process.stdout.write(`${JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version}\n`);
} else if (!existsSync(join(root, "dist", "main.js"))) {
  process.stderr.write("owt is not built yet; in a clone run: npm ci && npm run build\n");
  process.exitCode = 3;
} else {
  enableCompileCache(privateCache());
  if (argv[0] === "__demo-agent") {
    const { playTurn } = await import("../dist/demo-agent.js");
    process.exitCode = await playTurn(argv[1], argv[2], argv[3] === "resume");
  } else {
    const { main } = await import("../dist/main.js");
    await main(argv, join(root, "bin", "owt.js"));
  }
}

// Node's default lies in the shared temporary folder, where anybody could plant code.
function privateCache() {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "open-orchestrator");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch {
    return undefined;
  }
}
