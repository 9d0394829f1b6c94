/** This repository is worked on with its own tool: in a clone of it, a worktree with its dependencies, its session, and the unit tests in it.
 *  Those of the lowest floor; with `npm run self-hosting` all of them, which takes minutes more. */
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect, test, vi } from "vitest";
import { fileAppears, Rig } from "../rig/rig.ts";
import { Tmux } from "../rig/tmux.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** Where the unit tests lie that are run. */
const FOLDERS = process.env["OWT_SELF_HOSTING"] === "all" ? ["src", "test"] : ["src/lib"];

const AGENT = join(ROOT, "test/rig/talking-agent.mjs");

/** A clone with the dependencies that are installed here, in a home without a network. */
function cloneThis(rig: Rig): string {
  const clone = rig.path("open-orchestrator");
  const git = (...args: string[]) => execFileSync("git", args, { cwd: rig.home, env: rig.env, stdio: "pipe" });
  // Whose the checkout is, is nothing to a test.
  git("config", "--global", "safe.directory", "*");
  // As a remote would be cloned: no object is shared, and a shallow checkout gives a shallow clone. It may be on no branch.
  git("clone", "-q", `file://${ROOT}`, clone);
  git("-C", clone, "checkout", "-q", "-B", "main");
  git("-C", clone, "remote", "remove", "origin");
  execFileSync("cp", ["-a", `${ROOT}/node_modules/.`, join(clone, "node_modules")]);
  // npm writes its books last. Who copied the checkout may have lost that.
  utimesSync(join(clone, "node_modules/.package-lock.json"), new Date(), new Date());
  writeFileSync(rig.path("home/.npmrc"), "offline=true\n");
  return clone;
}

/** What a checkout could have of us that is not its own. */
function traces(rig: Rig): unknown {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: ROOT, env: rig.env, encoding: "utf8", stdio: "pipe" }).trim();
  const worktrees = git("worktree", "list").split("\n");
  const commonDir = git("rev-parse", "--path-format=absolute", "--git-common-dir");
  return { hasState: existsSync(join(commonDir, "owt")), ours: worktrees.filter((line) => line.includes(rig.home)) };
}

type Report = { success: boolean; numFailedTests: number; numPassedTests: number; testResults: { name: string }[] };

test("in a clone of this repository: owt create, list, switch, and its unit tests in that worktree", async (context) => {
  if (!existsSync(join(ROOT, ".git"))) context.skip("this is no checkout of git's");
  await using rig = Rig.create({});
  rig.userFile("config.toml", `[agent.claude]\ncommand = ["${process.execPath}", "${AGENT}"]\n`);
  rig.addProgram("owt", `#!/bin/sh\nexec '${process.execPath}' '${rig.command}' "$@"\n`);
  // Programs of the surrounding checkout are not to serve the clone.
  const foreign = rig.env["PATH"]!.split(delimiter);
  rig.env["PATH"] = foreign.filter((folder) => !folder.startsWith(join(ROOT, "node_modules"))).join(delimiter);
  const clone = cloneThis(rig);
  const before = traces(rig);

  const made = await rig.owtIn(clone, "create", "feature/cleanup");
  expect(made).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/package-lock\.json: (copied|cloned) from/) as string,
  });
  const worktree = rig.path("open-orchestrator-feature-cleanup");
  expect((await rig.owtIn(clone, "wait", "cleanup", "--for", "idle", "--timeout", "60s")).code).toBe(0);
  const listed = await rig.owtIn(clone, "list");
  expect(listed.stdout).toMatch(/main .*\/open-orchestrator$/m);
  expect(listed.stdout).toMatch(/feature\/cleanup .*claude .*\/open-orchestrator-feature-cleanup$/m);

  using screen = new Tmux(rig, { columns: 120, rows: 30 });
  screen.type(`unset TMUX TMUX_PANE; cd '${clone}'`);
  screen.type("owt switch feature/cleanup");
  const attached = () => rig.tmux("list-clients", "-F", "#{session_name}");
  await vi.waitFor(() => expect(attached()).toBe("owt-open-orchestrator-feature-cleanup"), { timeout: 60_000 });

  const report = rig.path("report.json");
  const line = `PATH="$PWD/node_modules/.bin:$PATH"; vitest run --project unit ${FOLDERS.map((folder) => `${folder}/`).join(" ")} --retry=1 --reporter=json --outputFile='${report}'; echo $? > '${rig.path("ended")}'`;
  expect((await rig.owtIn(clone, "send", "feature/cleanup", "--pane", "1", line)).code).toBe(0);
  await fileAppears(rig.path("ended"));
  const told = JSON.parse(readFileSync(report, "utf8")) as Report;
  expect({ ...told, testResults: [] }).toMatchObject({ success: true, numFailedTests: 0 });
  // Each file of them, and those of the worktree.
  const wanted = globSync(["src/**/*.test.ts", "test/*.test.ts"], { cwd: worktree }).filter((name) =>
    FOLDERS.some((folder) => name.startsWith(`${folder}/`)),
  );
  expect(wanted.length).toBeGreaterThan(FOLDERS.length > 1 ? 100 : 3);
  expect(told.testResults.map(({ name }) => name).toSorted()).toEqual(
    wanted.map((name) => join(worktree, name)).toSorted(),
  );
  expect(traces(rig)).toEqual(before);
}, 900_000);
