import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { examineDisk, examineMachine, judgeDisk, judgeWatches } from "./examine-machine.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "owt-machine-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test.each<[bytes: number, entries: number | null, state: string, says: RegExp]>([
  [50e9, 1e6, "pass", /^50\.0 GB free for worktrees in \/w$/],
  [50e9, null, "pass", /50\.0 GB/],
  [3.5e9, 1e6, "warn", /3\.5 GB/],
  [150e6, 1e6, "fail", /150 MB free .*2\.0 GB are kept: nothing new starts/],
  [50e9, 300, "warn", /only 300 more files/],
])("%d bytes and %j entries left", (bytes, entries, state, says) => {
  const found = judgeDisk("/w", bytes, entries, 2e9);
  expect(found).toMatchObject({ check: "disk", state });
  expect(found.detail).toMatch(says);
  expect(found.hint !== undefined).toBe(state !== "pass");
});

test("a folder that is not there yet is judged by where it will stand", () => {
  expect(examineDisk(join(folder(), "not", "yet"))).toMatchObject({ check: "disk" });
});

test.each<[watches: number, instances: number, hint: string | undefined]>([
  [65_536, 128, undefined],
  [8_192, 128, "sudo sysctl fs.inotify.max_user_watches=524288"],
  [8_192, 64, "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512"],
])("%d watches and %d instances", (watches, instances, hint) => {
  expect(judgeWatches(watches, instances, "sudo ").hint).toBe(hint);
});

test.each([
  ["apt-get", "apt-get install git"],
  ["dnf", "dnf install git"],
  ["pacman", "pacman -S git"],
  ["brew", "brew install git"],
])("without git the line that installs it with %s", async (manager, line) => {
  const bin = folder();
  writeFileSync(join(bin, manager), "#!/bin/sh\n", { mode: 0o755 });
  const findings = await examineMachine({ PATH: bin, HOME: bin, OWT_LAUNCH_MODE: "group" }, false);
  expect(findings.find(({ check }) => check === "git")).toEqual({
    check: "git",
    state: "fail",
    detail: "not installed",
    hint: line,
  });
  expect(findings.find(({ check }) => check === "tmux")).toMatchObject({ state: "absent" });
});

test("sudo stands before the line where it is there and needed", async () => {
  const bin = folder();
  for (const name of ["apt-get", "sudo"]) writeFileSync(join(bin, name), "#!/bin/sh\n", { mode: 0o755 });
  const findings = await examineMachine({ PATH: bin, HOME: bin, OWT_LAUNCH_MODE: "group" }, false);
  const expected = process.geteuid?.() === 0 ? "apt-get install git" : "sudo apt-get install git";
  expect(findings.find(({ check }) => check === "git")?.hint).toBe(expected);
});

test("a git that is too old is told with its version", async () => {
  const bin = folder();
  writeFileSync(join(bin, "git"), "#!/bin/sh\necho git version 2.30.2\n", { mode: 0o755 });
  const findings = await examineMachine({ PATH: bin, HOME: bin, OWT_LAUNCH_MODE: "group" }, false);
  expect(findings.find(({ check }) => check === "git")).toMatchObject({
    state: "fail",
    detail: "2.30.2, but 2.39 is needed",
  });
});

test("a tmux that makes no sessions is told", async () => {
  const bin = folder();
  writeFileSync(join(bin, "tmux"), "#!/bin/sh\necho tmux 3.1c\n", { mode: 0o755 });
  const findings = await examineMachine({ PATH: bin, HOME: bin, OWT_LAUNCH_MODE: "group" }, false);
  expect(findings.find(({ check }) => check === "tmux")).toMatchObject({
    state: "warn",
    detail: "tmux 3.1c, but sessions need 3.2",
  });
});

test("approvals that others may write are told, and closed to them with fix", async () => {
  const home = folder();
  const env = { PATH: home, HOME: home, XDG_STATE_HOME: home, OWT_LAUNCH_MODE: "group" };
  const state = join(home, "open-orchestrator");
  mkdirSync(state);
  writeFileSync(join(state, "approvals.json"), "{}");
  chmodSync(join(state, "approvals.json"), 0o666);
  chmodSync(state, 0o755);
  const look = async (fix: boolean) => (await examineMachine(env, fix)).find(({ check }) => check === "approvals")!;
  expect(await look(false)).toMatchObject({ state: "warn", hint: "owt doctor --fix" });
  expect(await look(true)).toMatchObject({ state: "pass", detail: expect.stringContaining("mended") as string });
  expect(statSync(join(state, "approvals.json")).mode & 0o777).toBe(0o644);
  expect(await look(false)).toEqual({ check: "approvals", state: "pass", detail: state });
});
