/** Bundles the command into dist/: one file with all commands, one for each command that is to start quickly, one for the demo agent's
 *  program. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { build, type Plugin } from "esbuild";

const root = new URL("..", import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string };

/** Commands that people and scripts start all day long: each has a bundle to itself, which holds nothing that the command does not use.
 *  For `owt status` that saves some 12 ms of CPU a start beside the one bundle of all commands, and 10 beside chunks that bundles share:
 *  each file that is loaded has its price. */
const QUICK = ["plan", "run", "hook", "create"];

/** Node's big modules, which are loaded by the first call: some take milliseconds. */
const loadedByFirstCall =
  /^node:(child_process|crypto|fs\/promises|net|os|readline\/promises|timers\/promises|worker_threads|zlib)$/;

/** Node's own modules as a start can afford them: an import reads the names that it uses and no others. Some exports load much more
 *  (`fs.promises`), and what esbuild makes of such an import touches all of them in each file. */
const builtins: Plugin = {
  name: "builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "builtin", sideEffects: false }));
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => {
      const whole = process.getBuiltinModule(path) as Record<string, unknown>;
      const names = Object.keys(whole).filter((name) => name !== "default");
      const lines = loadedByFirstCall.test(path) ? late(whole, names) : early(names);
      return { contents: [`const load = () => process.getBuiltinModule("${path}");`, ...lines].join("\n") };
    });
  },
};

function early(names: string[]): string[] {
  const exported = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => load().${name})();`);
  return [...exported, "export default /* @__PURE__ */ load();"];
}

/** Only functions can wait to be called (with `new` too): an import of anything else from such a module fails the build. */
function late(whole: Record<string, unknown>, names: string[]): string[] {
  const functions = names.filter((name) => typeof whole[name] === "function");
  const call = (name: string) => `new.target ? new (load().${name})(...given) : load().${name}(...given)`;
  const exported = functions.map((name) => `export function ${name}(...given) { return ${call(name)}; }`);
  return [...exported, `export default { ${functions.join(", ")} };`];
}

/** Libraries that only some plans need, and that take milliseconds to begin: loaded by the first call too. */
const lateLibraries: Plugin = {
  name: "late libraries",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^yaml$/ }, ({ path, namespace }) =>
      namespace === "late" ? undefined : { path, namespace: "late", sideEffects: false },
    );
    onLoad({ filter: /.*/, namespace: "late" }, async ({ path }) => {
      const lines = late((await import(path)) as Record<string, unknown>, Object.keys(await import(path)));
      return { contents: [`const load = () => require("${path}");`, ...lines].join("\n"), resolveDir: root };
    });
  },
};

/** Leaves all commands out but one. Who calls another is sent to the bundle of all of them. */
function onlyCommand(name: string): Plugin {
  return leaveOut(/^\.\/(commands\/|completion\/|bug-report)/, `./commands/${name}.ts`);
}

/** Leaves a module to a bundle of its own, which is loaded when it is called: what shares a bundle with the rest, but later, makes each module of
 *  both a function to be called, and larger. */
function apart(filter: RegExp, bundle: string): Plugin {
  return { name: "apart", setup: ({ onResolve }) => onResolve({ filter }, () => ({ path: bundle, external: true })) };
}

/** The same for a module whose functions, by these names, are called without waiting. */
function apartWhenCalled(filter: RegExp, bundle: string, names: readonly string[]): Plugin {
  const call = (name: string) => `export function ${name}(...given) { return require("${bundle}").${name}(...given); }`;
  return {
    name: "apart when called",
    setup({ onResolve, onLoad }) {
      onResolve({ filter }, ({ path }) => ({ path, namespace: "when-called", sideEffects: false }));
      onResolve({ filter: /.*/, namespace: "when-called" }, () => ({ path: bundle, external: true }));
      onLoad({ filter: /.*/, namespace: "when-called" }, () => ({ contents: names.map(call).join("\n") }));
    },
  };
}

/** Leaves out what is imported by such a path, but for one. */
function leaveOut(filter: RegExp, but?: string): Plugin {
  return {
    name: "left out",
    setup({ onResolve, onLoad }) {
      onResolve({ filter }, ({ path }) => (path === but ? undefined : { path, namespace: "left-out" }));
      onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: 'throw new Error("not in this bundle");' }));
    },
  };
}

// Built beside and swapped in, so that a command that starts meanwhile finds a whole bundle.
const fresh = `${root}dist.${process.pid}`;

async function bundle(entryPoints: Record<string, string>, plugins: Plugin[]): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir: fresh,
    bundle: true,
    // Without the loader of modules a start is a little shorter.
    format: "cjs",
    platform: "node",
    target: "node24.15",
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [builtins, lateLibraries, ...plugins],
    legalComments: "none",
    mainFields: ["module", "main"],
    define: { OWT_VERSION: JSON.stringify(version), "import.meta.dirname": "__dirname" },
  });
}

await bundle({ main: "src/main/main.ts", "demo-agent": "src/agents/demo-program.ts" }, []);
// With further words they need more, and a parser: bin/start.js knows.
await bundle({ "commands/list": "src/main/list.ts" }, []);
await bundle({ "commands/status": "src/main/status.ts" }, [
  leaveOut(/\/named-status\.ts$/),
  apart(/\/unwell\.ts$/, "../parts/unwell.js"),
  apart(/\/hand-back\.ts$/, "../parts/hand-back.js"),
  apartWhenCalled(/\/schedule-files\.ts$/, "../parts/schedule-files.js", ["readSchedule"]),
]);
await bundle({ "parts/schedule-files": "src/system/schedule-files.ts" }, []);
await bundle({ "parts/hand-back": "src/engine/hand-back.ts" }, []);
await bundle({ "parts/unwell": "src/cli/worktrees/unwell.ts" }, []);
for (const name of QUICK) await bundle({ [`commands/${name}`]: "src/main/main.ts" }, [onlyCommand(name)]);
for (const file of readdirSync(fresh, { recursive: true, encoding: "utf8" }))
  if (file.endsWith(".js")) writeInAscii(file);
writeFileSync(`${fresh}/package.json`, '{ "type": "commonjs" }\n');

/** One letter beyond ASCII, which esbuild leaves in regular expressions, and V8 keeps the whole text at two bytes a letter: half a megabyte more
 *  of the young heap, which it has to clear once more in a start of 50 ms. */
function writeInAscii(file: string): void {
  const code = readFileSync(`${fresh}/${file}`, "utf8");
  const escaped = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
  writeFileSync(`${fresh}/${file}`, code.replace(/[^\0-\x7F]/g, escaped));
}

const old = `${root}dist.old.${process.pid}`;
if (existsSync(`${root}dist`)) renameSync(`${root}dist`, old);
renameSync(fresh, `${root}dist`);
rmSync(old, { recursive: true, force: true });
