/** Places that owt meets and does not choose: folders that are gone, long names, what belongs to somebody else. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Rig } from "../rig/rig.ts";

const OWT = new URL("../../bin/owt.js", import.meta.url).pathname;

test("in a folder that was deleted what needs none works, and the rest says where to go", async () => {
  await using rig = Rig.create({});
  const owt = (words: string) => {
    const script = `mkdir -p "$1/gone/inner" && cd "$1/gone/inner" && rm -r "$1/gone" && exec "$2" "$3" ${words}`;
    const { status, stdout, stderr } = spawnSync("sh", ["-c", script, "sh", rig.home, process.execPath, OWT], {
      env: rig.env,
      encoding: "utf8",
    });
    return { status, stdout, stderr };
  };
  const help = owt("--help");
  expect(help).toMatchObject({ status: 0, stderr: "" });
  expect(help.stdout).toContain("create [options]");
  for (const words of ["list", "status", "create one", "run", "config show", "init --yes"])
    expect(owt(words)).toMatchObject({
      status: 3,
      stderr: `✗ the folder that you are in is gone: ${rig.home}/gone/inner\n  ↳ go where there is one: cd ${rig.home}\n`,
    });
  expect(owt("doctor").stdout).toContain(`✗ repository  the folder that you are in is gone: ${rig.home}/gone/inner`);
});

test("long names of other letters than Latin ones are as good as any", async () => {
  await using rig = Rig.create({ "package.json": "{}" });
  const folder = rig.path("山田太郎/ドキュメント/プロジェクト");
  mkdirSync(folder, { recursive: true });
  renameSync(rig.root, join(folder, "買い物アプリ"));
  const owt = async (...args: string[]) => {
    const ran = await rig.owtIn(join(folder, "買い物アプリ"), ...args);
    expect(ran).toMatchObject({ code: 0 });
    return ran.stdout;
  };
  const names = ["feature/ログイン画面の修正", "é".repeat(100)];
  await owt("create", ...names, "--no-tmux", "--no-deps");
  const kept = join(folder, "買い物アプリ/.git/owt/setup");
  expect(existsSync(kept) && readdirSync(kept).length).toBeGreaterThan(0);
  await owt("create", ...names, "--no-tmux", "--no-deps");
  for (const name of names) {
    expect(await owt("list")).toContain(name.slice(0, 20));
    await owt("delete", name, "--yes");
  }
  // What was on record of them went with them.
  expect(readdirSync(kept)).toEqual([]);
});

test("what belongs to somebody else is told as that, with whose it is to be seen", async (context) => {
  if (process.getuid?.() !== 0) context.skip("only root can be somebody else (run as root)");
  await using rig = Rig.create({});
  await rig.json("create", "one", "two", "--no-tmux");
  await rig.json("delete", "two", "--yes");
  chmodSync(rig.home, 0o755);
  const them = 1_501;
  const asThem = (...args: string[]) => {
    const words = ["--reuid", String(them), "--regid", String(them), "--clear-groups", "--", process.execPath, OWT];
    const { status, stderr } = spawnSync("setpriv", [...words, ...args], {
      cwd: rig.root,
      env: { ...rig.env, HOME: rig.path("their-home"), XDG_STATE_HOME: "", XDG_CONFIG_HOME: "", XDG_CACHE_HOME: "" },
      encoding: "utf8",
    });
    return { status, stderr };
  };
  mkdirSync(rig.path("their-home"));
  chownSync(rig.path("their-home"), them, them);
  expect(asThem("list").stderr).toMatch(
    /^✗ git cannot open the repository at \S+: detected dubious ownership .*\n {2}↳ git config --global --add safe\.directory \S+\n$/,
  );
  execFileSync("git", ["config", "--file", rig.path("their-home/.gitconfig"), "safe.directory", "*"]);
  const foreign = asThem("delete", "one", "--yes");
  expect(foreign).toMatchObject({ status: 3 });
  expect(foreign.stderr).toMatch(/^✗ no leave to [a-z ]+: \S+\n {2}↳ see whose it is: ls -ld /);

  // Theirs, but for what a command under sudo has left there.
  execFileSync("chown", ["-R", `${them}:${them}`, rig.home]);
  execFileSync("chown", ["-R", "0:0", join(rig.root, ".git/owt/removing")]);
  chmodSync(join(rig.root, ".git/owt/removing"), 0o700);
  const sudo = asThem("delete", "one", "--yes");
  expect(sudo).toMatchObject({ status: 3 });
  expect(sudo.stderr).toMatch(/^✗ no leave to read or write here: \S+\n {2}↳ see whose it is: ls -ld \S+/);
  execFileSync("chown", ["-R", `${them}:${them}`, rig.home]);
  expect(asThem("delete", "one", "--yes")).toMatchObject({ status: 0 });
});

test("where nothing can be written, what only looks goes on working, with what was on record", async (context) => {
  if (process.getuid?.() !== 0) context.skip("only root can be somebody else (run as root)");
  await using rig = Rig.create({});
  rig.ok("create", "one", "--no-tmux");
  rig.ok("note", "one", "mend the form");
  chmodSync(rig.home, 0o755);
  execFileSync("chmod", ["-R", "a+rX,a-w", join(rig.root, ".git")]);
  execFileSync("chown", ["-R", "1501:1501", rig.home]);
  const words = ["--reuid=1501", "--regid=1501", "--clear-groups", "--", process.execPath, OWT];
  const asThem = (...args: string[]) =>
    spawnSync("setpriv", [...words, ...args], { cwd: rig.root, env: rig.env, encoding: "utf8" });
  expect(asThem("list")).toMatchObject({ status: 0, stdout: expect.stringMatching(/one .*mend the form/) as string });
  expect(asThem("switch", "one", "--path")).toMatchObject({ status: 0, stdout: `${rig.path("shop-one")}\n` });
  expect(asThem("status", "one")).toMatchObject({ status: 0, stderr: "" });
  expect(asThem("note", "one", "other").status).toBe(1);
});
