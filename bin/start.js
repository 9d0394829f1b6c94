// Starts the bundle. `--version` is answered before anything is loaded.
"use strict";
const { existsSync, mkdirSync, readFileSync } = require("node:fs");

// By hand: the first path that node:path joins costs as much as all that this file does.
const root = __dirname.slice(0, -"/bin".length);
const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
  process.stdout.write(`${JSON.parse(readFileSync(`${root}/package.json`, "utf8")).version}\n`);
} else if (!existsSync(`${root}/dist/main.js`)) {
  process.stderr.write("owt is not built yet; in a clone run: npm ci && npm run build\n");
  process.exitCode = 3;
} else {
  if (argv[0] === "status") stayOnOneThread();
  require("node:module").enableCompileCache(privateCache());
  start().catch((error) => {
    process.stderr.write(`${(error && error.stack) || error}\n`);
    process.exit(1);
  });
}

async function start() {
  if (argv[0] === "__demo-agent") {
    const { playTurn } = require("../dist/demo-agent.js");
    process.exitCode = await playTurn(argv[1], argv[2], argv[3] === "resume");
  } else {
    await require(bundleOf(argv)).main(argv, `${root}/bin/owt.js`);
  }
}

// Some commands have a bundle to themselves (see scripts/build.ts); all of them are in main.js.
function bundleOf([command, ...words]) {
  const all = `${root}/dist/main.js`;
  // Their own bundles know this one word.
  if (/^(status|list)$/.test(command) && words.some((word) => word !== "--json")) return all;
  // So does a bug report.
  if (words.some((word) => /^(-vv?|--verbose)$/.test(word))) return all;
  const own = `${root}/dist/commands/${command}.js`;
  return /^[a-z]+$/.test(command) && existsSync(own) ? own : all;
}

// What is over in thirty milliseconds has nothing of compilers and collectors that work beside it, but their time counts too: a fifteenth of all.
function stayOnOneThread() {
  const { setFlagsFromString } = require("node:v8");
  for (const flag of ["--no-opt", "--no-maglev", "--no-parallel-scavenge"]) setFlagsFromString(flag);
}

// Node's default lies in the shared temporary folder, where anybody could plant code.
function privateCache() {
  const { XDG_CACHE_HOME, HOME } = process.env;
  try {
    const folder = `${XDG_CACHE_HOME || `${HOME || require("node:os").homedir()}/.cache`}/open-orchestrator`;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch {
    return undefined;
  }
}
