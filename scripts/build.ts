/** Bundles the command into dist/. One file for the command, one for the demo agent's program. */
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { build } from "esbuild";

const root = new URL("..", import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string };

// Built beside and swapped in, so that a command that starts meanwhile finds a whole bundle.
const fresh = `${root}dist.${process.pid}`;
await build({
  absWorkingDir: root,
  entryPoints: { main: "src/main.ts", "demo-agent": "src/agents/demo-program.ts" },
  outdir: fresh,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24.15",
  minifySyntax: true,
  legalComments: "none",
  mainFields: ["module", "main"],
  define: { OWT_VERSION: JSON.stringify(version) },
  // Some libraries call require() for Node's own modules; a bundle in ESM form has none.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
});

const old = `${root}dist.old.${process.pid}`;
if (existsSync(`${root}dist`)) renameSync(`${root}dist`, old);
renameSync(fresh, `${root}dist`);
rmSync(old, { recursive: true, force: true });
