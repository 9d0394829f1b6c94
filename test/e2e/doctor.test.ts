/** owt doctor: what is looked at, what is missing, what --fix mends. Agents, the store and lost agents have their own tests beside it. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Rig } from "../rig/rig.ts";

type Finding = { check: string; state: string; detail: string; hint?: string };

async function look(
  rig: Rig,
  ...words: string[]
): Promise<{ code: number; of: (check: string) => Finding | undefined }> {
  const ran = await rig.owt("doctor", ...words, "--json");
  const { findings } = (JSON.parse(ran.stdout) as { data: { findings: Finding[] } }).data;
  return { code: ran.code, of: (check) => findings.find((each) => each.check === check) };
}

test("what is there is told with its version", async () => {
  await using rig = Rig.create({ ".worktreerc": '[run]\nverify = "git diff --check"\n' });
  const { code, of } = await look(rig);
  expect(code).toBe(0);
  expect(of("node")).toMatchObject({ state: "pass", detail: expect.stringMatching(/^v\d+\..* \//) as string });
  expect(of("git")).toMatchObject({ state: "pass", detail: expect.stringMatching(/^2\.\d+\.\d+ {2}\//) as string });
  expect(of("tmux")).toMatchObject({ state: "pass" });
  expect(of("identity")).toMatchObject({ state: "pass", detail: "Test User <test@localhost>" });
  expect(of("disk")?.detail).toContain(rig.path("shop-owt"));
  expect(of("configuration")).toMatchObject({ state: "pass", detail: ".worktreerc" });
  expect(of("checks")).toMatchObject({ state: "pass", detail: "git diff --check" });
  const { stdout } = await rig.owt("doctor");
  expect(stdout).toMatch(/^✓ git {2}2\./m);
  expect(existsSync(rig.path("shop-owt"))).toBe(false);
});

test("something needed is missing: exit 1, with the line that installs it on this system", async () => {
  await using rig = Rig.create({});
  mkdirSync(rig.path("bin"));
  for (const name of ["sh", "unshare", "sleep"]) symlinkSync(`/usr/bin/${name}`, rig.path(`bin/${name}`));
  writeFileSync(rig.path("bin/dnf"), "#!/bin/sh\n", { mode: 0o755 });
  rig.env["PATH"] = rig.path("bin");
  const { code, of } = await look(rig, "--fix");
  expect(code).toBe(1);
  expect(of("git")).toEqual({ check: "git", state: "fail", detail: "not installed", hint: "dnf install git" });
  expect(of("tmux")).toMatchObject({ state: "absent", hint: "dnf install tmux" });
  expect(of("repository")).toBeUndefined();
  expect((await rig.owt("doctor")).stdout).toContain("✗ git  not installed\n  ↳ dnf install git");
});

test("of what waits for approval it tells no secret: where it leads, and the names of variables", async () => {
  const config = `[run]
verify = ["git diff --check"]
[agent.mine]
kind = "command"
command = ["true"]
env = { FLAVOUR = "hunter2-of-a-variable" }
[notifications]
slack_webhook = "https://hooks.slack.com/services/T0/B0/hunter2-of-a-path"
[[notifications.webhook]]
url = "https://me:hunter2-of-mine@example.invalid/hook?token=hunter2-of-a-query"
`;
  await using rig = Rig.create({ ".worktreerc": config }, { approve: false });
  const { of } = await look(rig);
  const detail = of("checks")?.detail ?? "";
  expect(detail).toContain("not approved yet: git diff --check");
  expect(detail).toContain("[agent.mine] env.FLAVOUR");
  expect(detail).toContain("hooks.slack.com");
  expect(detail).not.toContain("hunter2");
});

test("what a run would stumble over is told, each with its line", async () => {
  await using rig = Rig.create(
    { ".worktreerc": '[run]\nverify = ["nosuchprogram --all"]\n[web]\nport = 3\n' },
    { approve: false },
  );
  writeFileSync(join(rig.home, "home", ".gitconfig"), "");
  const first = await look(rig);
  expect(first.code).toBe(0);
  expect(first.of("identity")).toMatchObject({ state: "warn", hint: expect.stringContaining("user.name") as string });
  expect(first.of("checks")).toMatchObject({
    state: "warn",
    hint: expect.stringContaining("owt config show run.verify") as string,
  });
  expect(first.of("configuration")?.detail).toContain("do nothing yet");
  rig.write({ ".worktreerc": '[run]\nverify = ["git status"]\n' });
  expect((await look(rig)).of("checks")).toMatchObject({ state: "warn", hint: "owt config approve" });
  rig.write({ ".worktreerc": "" });
  expect((await look(rig)).of("checks")).toMatchObject({
    state: "warn",
    hint: expect.stringContaining("owt init") as string,
  });
  rig.write({ ".worktreerc": '[agent]\ndefault = "cladue"\n' });
  const stray = await look(rig);
  expect([stray.code, stray.of("configuration")]).toEqual([
    1,
    expect.objectContaining({ hint: "owt config validate" }),
  ]);
  rig.write({ ".worktreerc": "[rnu]\n" });
  const broken = await look(rig);
  expect(broken.code).toBe(1);
  expect(broken.of("configuration")).toMatchObject({
    state: "fail",
    detail: expect.stringContaining(".worktreerc:1:2 rnu") as string,
  });
});

test("--fix clears what killed processes left, says so, and touches nothing else", async () => {
  await using rig = Rig.create({});
  const left = join(rig.root, ".git/owt/staging/999999999-1-0");
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, "HEAD"), "ref: refs/heads/main\n");
  expect((await look(rig)).of("leftovers")).toBeUndefined();
  expect(existsSync(left)).toBe(true);
  const { code, of } = await look(rig, "--fix");
  expect(code).toBe(0);
  expect(of("leftovers")?.detail).toMatch(/^cleared 1 /);
  expect(existsSync(left)).toBe(false);
  expect((await look(rig, "--fix")).of("leftovers")).toBeUndefined();
  expect(rig.git("status", "--porcelain")).toBe("");
});

test("outside of a repository the machine is looked at all the same, with --fix too", async () => {
  await using rig = Rig.create({});
  const ran = await rig.owtIn(rig.home, "doctor", "--fix");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain("✓ git");
  expect(ran.stdout).toContain("is not in a git repository");
});
