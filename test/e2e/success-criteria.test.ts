/** What the seed calls success, in one day of one worktree, with the real Claude Code behind a fake API and a real tmux: created with its
 *  dependencies and an agent in its session, listed, switched to, cleaned up once it is stale. The slash command is in claude-plugin.test.ts, the
 *  work on this repository itself in self-hosting.test.ts. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { whyNoClaude } from "../rig/claude-plan.ts";
import { type ClaudeRig, claudeRig } from "../rig/claude-rig.ts";
import { startFakeApi, textOf } from "../rig/fake-api.ts";
import { Tmux } from "../rig/tmux.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

/** A project with a lockfile whose one dependency lies in the repository: nothing comes from a network. */
const FILES = {
  ".gitignore": "node_modules\n",
  "package.json": JSON.stringify({ name: "shop", version: "1.0.0", dependencies: { tax: "file:tax" } }),
  "package-lock.json": JSON.stringify({
    name: "shop",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: {
      "": { name: "shop", version: "1.0.0", dependencies: { tax: "file:tax" } },
      "node_modules/tax": { resolved: "tax", link: true },
      tax: { version: "1.0.0" },
    },
  }),
  "tax/package.json": JSON.stringify({ name: "tax", version: "1.0.0", main: "index.js" }),
  "tax/index.js": "module.exports = (net) => net * 1.2;\n",
};

type Seen = { name: string; agent: string | null; state: string; session: string | null; changed: number };
type Cleaned = { worktrees: { name: string; action: string; why: string }[] };

/** As if nobody had been there for so many days: by git's own files, and by what is on record. */
function age(rig: ClaudeRig, path: string, days: number): void {
  const then = Math.floor(Date.now() / 1_000) - days * 86_400;
  const folder = execFileSync("git", ["rev-parse", "--absolute-git-dir"], { cwd: path, encoding: "utf8" }).trim();
  const log = join(folder, "logs/HEAD");
  if (existsSync(log))
    writeFileSync(log, readFileSync(log, "utf8").replaceAll(/ \d{9,} ([+-]\d{4}\t)/g, ` ${then} $1`));
  utimesSync(join(folder, "index"), then, then);
  const code = `const s = new (require("node:sqlite").DatabaseSync)(process.argv[1]);
    s.prepare("update worktree set used_at = ?, created_at = ? where path = ?").run(${then}000, ${then}000, process.argv[2])`;
  execFileSync(process.execPath, ["-e", code, join(rig.root, ".git/owt/state.db"), path]);
}

test("created with dependencies and Claude Code in its session, listed with its state, switched to, and cleaned up once it is stale", async () => {
  await using rig = await claudeRig({
    api: await startFakeApi({ "": { task: [{ say: "The login form is there." }] } }),
    files: FILES,
  });
  const settled = {
    hasCompletedOnboarding: true,
    customApiKeyResponses: { approved: ["sk-ant-dummy"], rejected: [] },
    projects: { [rig.root]: { hasTrustDialogAccepted: true } },
  };
  writeFileSync(join(rig.home, ".claude.json"), JSON.stringify(settled));
  const until = async (what: string, holds: () => boolean | Promise<boolean>, shown = () => "") => {
    for (const ends = Date.now() + 60_000; !(await holds());) {
      if (Date.now() > ends) throw new Error(`never: ${what}\n${shown()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const list = async () => (await rig.ask<{ worktrees: Seen[] }>("list")).worktrees;

  await rig.ask("create", "feature/test");
  const path = join(dirname(rig.root), "repo-feature-test");
  const price = execFileSync(process.execPath, ["-p", "require('tax')(100)"], { cwd: path, encoding: "utf8" });
  expect(price.trim()).toBe("120");
  await until("Claude Code runs", () => rig.claudes().length === 1);
  await rig.ask("wait", "feature/test", "--for", "idle,waiting", "--timeout", "60s");

  execFileSync("git", ["worktree", "add", "-q", "-b", "plain", join(dirname(rig.root), "plain")], { cwd: rig.root });
  expect(await list()).toMatchObject([
    { name: "main", session: null, state: "none" },
    { name: "plain", session: null, state: "none" },
    { name: "feature/test", session: "owt-repo-feature-test", agent: "claude", changed: 0 },
  ]);

  using screen = new Tmux({ ...rig, home: dirname(rig.root) }, { columns: 120, rows: 30 });
  const now = () => screen.screen().join("\n");
  screen.type("unset TMUX TMUX_PANE");
  screen.type(`'${process.execPath}' '${OWT}' switch feature/test; echo back $?`);
  await until("Claude Code is on the screen", () => /^\s*❯/m.test(now()), now);
  screen.text("Make a login form");
  screen.key("Enter");
  await until("it answers on the screen", () => now().includes("The login form is there."), now);
  const heard = rig.api.requests.flatMap(({ messages }) => messages.map(textOf)).join("\n");
  expect(heard).toContain("Make a login form");
  await rig.ask("wait", "feature/test", "--timeout", "60s");
  expect((await list()).find(({ name }) => name === "feature/test")).toMatchObject({ state: "waiting" });
  screen.key("C-b");
  screen.text("d");
  await until("the terminal is given back", () => now().includes("back 0"), now);

  // Fresh, it stays.
  const fresh = await rig.ask<Cleaned>("cleanup", "--yes");
  expect(fresh.worktrees.find(({ name }) => name === "feature/test")).toMatchObject({ action: "keep" });
  age(rig, path, 20);
  const stale = await rig.ask<Cleaned>("cleanup");
  expect(stale.worktrees.find(({ name }) => name === "feature/test")).toMatchObject({ action: "remove", why: "stale" });
  await rig.ask("cleanup", "--yes");
  expect([existsSync(path), (await list()).map(({ name }) => name)]).toEqual([false, ["main", "plain"]]);
  await until("its session and its agent are gone", () => rig.claudes().length === 0);
  expect(await rig.ask("tmux", "list")).toEqual({ sessions: [] });
});
