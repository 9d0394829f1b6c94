/** Launching, adopting and stopping, with real processes. Each test waits for the thing itself, never for time. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { findCgroupParent, killCgroup, removeCgroup } from "./cgroup.ts";
import { LAUNCH_MODES, readClaim } from "./claim.ts";
import { exec, start } from "./exec.ts";
import { hasProc, type Identity, isAlive, readIdentity, signalProcess } from "./identity.ts";
import {
  type Launch,
  launch,
  type LaunchMode,
  type LaunchState,
  probeLaunchMode,
  readLaunch,
  stopTree,
  sweepAfterEnd,
  sweepOrphans,
  voidClaim,
  waitForEnd,
  wrapperArguments,
} from "./launch.ts";
import { listProcesses, environmentOf } from "./processes.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "owt-launch-")));
const best = await probeLaunchMode();
const hasCgroup = (await probeLaunchMode("cgroup")) === "cgroup";
const modes = LAUNCH_MODES.filter((mode) => mode === best || mode === "group" || (mode === "cgroup" && hasCgroup));
const PATH = process.env["PATH"] ?? "/usr/bin:/bin";
let counter = 0;

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe.each(modes)("a launch in mode %s", (mode) => {
  test.each([0, 7, 126, 127, 137, 143, 255])("keeps exit code %i", async (code) => {
    const l = shell(mode, `exit ${code}`);
    expect(await run(l)).toEqual({ kind: "finished", code });
    expect(errorsOf(l)).toBe("");
  });

  test("keeps the code of a command that a signal ended", async () => {
    expect(await run(shell(mode, "kill -s KILL $$"))).toEqual({ kind: "finished", code: 137 });
  });

  test("a command that does not exist is 127, and its error file says so", async () => {
    const l = { ...shell(mode, ""), file: "owt-no-such-program", args: [] };
    expect(await run(l)).toEqual({ kind: "finished", code: 127 });
    expect(errorsOf(l)).toMatch(/owt-no-such-program.*(not found|No such file)/);
  });

  test("a file that is not executable is 126", async () => {
    const l = { ...shell(mode, ""), file: "/etc/passwd", args: [] };
    expect(await run(l)).toEqual({ kind: "finished", code: 126 });
  });

  test("no shell reads an argument, and a path may hold an equals sign", async () => {
    const l = shell(mode, "");
    const program = join(l.dir, "a=b $(touch pwned)");
    writeFileSync(program, '#!/bin/sh\nprintf "%s|" "$@"\n', { mode: 0o755 });
    const args = ["--", "$(touch pwned)", "; touch pwned", "`touch pwned`", "two words", "", "*"];
    expect(await run({ ...l, file: program, args })).toEqual({ kind: "finished", code: 0 });
    expect(outputOf(l)).toBe(args.map((arg) => `${arg}|`).join(""));
    expect(existsSync(join(l.dir, "pwned"))).toBe(false);
  });

  test("standard input is the file; without one it is empty", async () => {
    const l = shell(mode, "cat");
    const stdinFile = join(l.dir, "prompt");
    writeFileSync(stdinFile, "the prompt\n".repeat(20_000));
    expect(await run({ ...l, stdinFile })).toEqual({ kind: "finished", code: 0 });
    expect(outputOf(l)).toBe("the prompt\n".repeat(20_000));
    const without = shell(mode, "cat");
    expect(await run(without)).toEqual({ kind: "finished", code: 0 });
    expect(outputOf(without)).toBe("");
  });

  test("output is appended to what the files hold", async () => {
    const l = shell(mode, "echo new");
    writeFileSync(l.outFile, "old\n");
    await run(l);
    expect(outputOf(l)).toBe("old\nnew\n");
  });

  test("line breaks and names that the shells use arrive, and nothing of one launch in the next", async () => {
    const strange = { owt_count: "9", two: "lines\nof it", PATH };
    const envs: Record<string, string>[] = [
      { PATH, first: "1", shared: "a" },
      { PATH, second: "2", shared: "b c=d" },
      strange,
      { PATH, shared: "" },
    ];
    for (const env of envs) {
      const l = { ...shell(mode, "tr '\\0' '\\1' </proc/self/environ; printf '%s' \"$1\""), env };
      const last = env === strange ? "an argument\nof two lines" : "$(touch pwned) ; *";
      expect(await run({ ...l, args: [...l.args, "sh", last] })).toEqual({ kind: "finished", code: 0 });
      const [argument, ...variables] = outputOf(l).split("\u0001").toReversed();
      expect(argument).toBe(last);
      const ofShell = /^(?:PWD|OLDPWD|SHLVL|_)=/;
      const given = Object.entries({ ...env, OWT_ATTEMPT: l.dir }).map(([name, value]) => `${name}=${value}`);
      expect(variables.filter((each) => !ofShell.test(each)).toSorted()).toEqual(given.toSorted());
    }
  });

  test("the command gets the given environment and the mark, nothing else", async () => {
    const l = { ...shell(mode, "env"), env: { PATH, ONLY: "this" } };
    await run(l);
    const seen = outputOf(l).split("\n");
    expect(seen).toContain("ONLY=this");
    expect(seen).toContain(`OWT_ATTEMPT=${l.dir}`);
    expect(seen.filter((line) => /^(HOME|NODE_|VITEST)/.test(line))).toEqual([]);
  });

  test("the command holds none of the descriptors that were open in us", async ({ skip }) => {
    if (!hasProc) skip("needs /proc");
    const l = shell(mode, "ls -l /proc/self/fd");
    const held = join(l.dir, "held");
    const blank = openSync(held, "w");
    // Three more than the usual: a low one, one beyond those that Node closes by itself, and a high one.
    const stdio = handOn(blank, [5, 40, 299]);
    const env = { PATH, LAUNCH: JSON.stringify(l) };
    const child = start(process.execPath, nodeArguments("launch(JSON.parse(process.env.LAUNCH));"), { env, stdio });
    closeSync(blank);
    await once(child, "exit");
    expect(await waitForEnd(l.dir)).toEqual({ kind: "finished", code: 0 });
    expect(outputOf(l)).toContain(l.errFile);
    expect(outputOf(l)).not.toContain(held);
    expect(outputOf(l)).not.toContain("pipe:");
  });

  test("nothing that started it is left after it, once we are gone, whatever was open in us", async ({ skip }) => {
    if (!hasProc) skip("needs /proc");
    const l = shell(mode, "echo started; until [ -e go ]; do sleep 0.01; done");
    const orchestrator = await startElsewhere(l, [5, 40, 299]);
    await printed(l, "started");
    const { parent } = listProcesses().find(({ pid }) => pid === ownerOf(l).pid)!;
    expect(parent).not.toBe(1);
    const held = readdirSync(`/proc/${parent}/fd`).filter((fd) => Number(fd) > 2);
    expect(held.map((fd) => readlinkSync(`/proc/${parent}/fd/${fd}`)).filter((path) => path !== "/dev/null")).toEqual(
      [],
    );
    orchestrator.kill("SIGKILL");
    await once(orchestrator, "exit");
    writeFileSync(join(l.dir, "go"), "");
    expect((await waitForEnd(l.dir)).kind).toBe("finished");
    await vi.waitFor(() => expect(listProcesses().filter(({ pid }) => pid === parent)).toEqual([]));
  });

  test("INT and QUIT reach the command, although nobody sits at a terminal", async () => {
    const l = shell(mode, "trap 'echo got; exit 5' INT; kill -s INT $$; exit 6");
    expect(await run(l)).toEqual({ kind: "finished", code: 5 });
  });

  test("of 20 launches of one folder exactly one runs the command", async () => {
    const l = shell(mode, "echo ran");
    const wrapper = wrapperArguments(mode, l.dir, [l.file, ...l.args]);
    const racing = Array.from({ length: 20 }, async () => {
      const child = start("/bin/sh", wrapper, {
        cwd: l.cwd,
        env: l.env,
        detached: true,
        stdio: ["ignore", "pipe", "ignore"],
      });
      let output = "";
      child.stdout?.on("data", (chunk) => (output += chunk));
      const [code] = await once(child, "close");
      return { code, output };
    });
    const ended = await Promise.all(racing);
    expect(ended.filter(({ code }) => code === 75)).toHaveLength(19);
    expect(ended.map(({ output }) => output).join("")).toBe("ran\n");
  });

  test("engine and wrapper race for the claim, and one of them wins", async () => {
    for (let round = 0; round < 20; round += 1) {
      const l = shell(mode, "echo ran");
      const launched = launch(l);
      // At once, after the wrapper's claim, and at a moment between.
      if (round % 3 === 1) await claimed(l);
      if (round % 3 === 2) await once(start("true", [], { stdio: "ignore" }), "exit");
      const voided = voidClaim(l.dir);
      await launched.exited;
      expect(readLaunch(l.dir)).toEqual(voided ? { kind: "void" } : { kind: "finished", code: 0 });
      expect(outputOf(l)).toBe(voided ? "" : "ran\n");
      expect(voidClaim(l.dir)).toBe(false);
    }
  });

  test("it outlives a killed orchestrator, and the next one adopts it", async () => {
    const l = shell(mode, "echo started; until [ -e go ]; do sleep 0.02; done; exit 7");
    const orchestrator = await startElsewhere(l);
    await printed(l, "started");
    orchestrator.kill("SIGKILL");
    await once(orchestrator, "exit");
    expect(readLaunch(l.dir).kind).toBe("alive");
    const end = waitForEnd(l.dir);
    writeFileSync(join(l.dir, "go"), "");
    expect(await end).toEqual({ kind: "finished", code: 7 });
  });

  test("a stop lets the command end by itself: TERM, 143", async () => {
    const l = shell(mode, "trap 'echo bye; exit 143' TERM; echo started; while :; do sleep 0.05; done");
    const launched = launch(l);
    await printed(l, "started");
    await stopTree(l.dir, { graceMs: 20_000 });
    expect(readLaunch(l.dir)).toEqual({ kind: "finished", code: 143 });
    expect(outputOf(l)).toContain("bye");
    await launched.exited;
  });

  test("another process stops it, and what ignores TERM is killed", async () => {
    const l = shell(mode, "trap '' TERM; (setsid sleep 1000 &) ; echo started; while :; do sleep 0.05; done");
    launch(l);
    await printed(l, "started");
    await elsewhere(`await stopTree(process.env.DIR, { graceMs: 150 })`, { DIR: l.dir });
    expect(readLaunch(l.dir)).toEqual({ kind: "lost" });
    expect(markedBy(l.dir)).toEqual([]);
    expect(cgroupOf(l)).toBeUndefined();
    await stopTree(l.dir, { graceMs: 0 });
    expect(readLaunch(l.dir)).toEqual({ kind: "lost" });
  });

  test("a stop at any moment of the birth leaves nothing", async () => {
    for (let round = 0; round < 12; round += 1) {
      const l = shell(mode, "sleep 1000");
      const launched = launch(l);
      if (round % 3 > 0) await claimed(l);
      await stopTree(l.dir, { graceMs: round % 3 === 1 ? 0 : 200 });
      await launched.exited;
      expect(["void", "lost", "finished"]).toContain(readLaunch(l.dir).kind);
      expect(markedBy(l.dir)).toEqual([]);
      expect(cgroupOf(l)).toBeUndefined();
    }
  });

  test("a killed wrapper is lost, and nothing of its tree stays", async () => {
    const l = shell(mode, "(setsid sleep 1000 &) ; echo started; sleep 1000");
    const launched = launch(l);
    await printed(l, "started");
    expect(await sweepOrphans(l.dir)).toBe(0);
    expect(signalProcess(ownerOf(l), "SIGKILL")).toBe(true);
    expect(await waitForEnd(l.dir, { launched })).toEqual({ kind: "lost" });
    await sweepOrphans(l.dir);
    await vi.waitFor(() => expect(markedBy(l.dir)).toEqual([]));
    expect(cgroupOf(l)).toBeUndefined();
  });

  test("what the command left behind is gone when it is finished and swept", async () => {
    const l = shell(mode, "sleep 1000 & (setsid sleep 1000 &) ; exit 0");
    expect(await run(l)).toEqual({ kind: "finished", code: 0 });
    await sweepOrphans(l.dir);
    await vi.waitFor(() => expect(markedBy(l.dir)).toEqual([]));
  });

  test("a wrapper killed between the code and its own end leaves nothing that a look after the end does not clear", async () => {
    const l = shell(mode, "(setsid sleep 1000 &) ; echo started; sleep 1000");
    const launched = launch(l);
    await printed(l, "started");
    writeFileSync(join(l.dir, "exit"), "0\n");
    signalProcess(ownerOf(l), "SIGKILL");
    expect(await waitForEnd(l.dir, { launched })).toEqual({ kind: "finished", code: 0 });
    await sweepAfterEnd(l.dir);
    await vi.waitFor(() => expect(markedBy(l.dir)).toEqual([]));
    expect(cgroupOf(l)).toBeUndefined();
  });

  test("20 reused pids: no signal reaches a stranger", async ({ skip }) => {
    const { reason, reuse } = pidReuse();
    if (reason) skip(reason);
    let reused = 0;
    for (let round = 0; reused < 20; round += 1) {
      expect(round).toBeLessThan(100);
      const l = shell(mode, "until [ -e go ]; do sleep 0.01; done");
      const launched = launch(l);
      const { startTime } = await vi.waitFor(() => ownerOf(l), { interval: 1 });
      writeFileSync(join(l.dir, "go"), "");
      expect((await waitForEnd(l.dir, { launched })).kind).toBe("finished");
      // Every second one is a launch whose code was never written.
      if (round % 2 === 1) rmSync(join(l.dir, "exit"));
      const stranger = await reuse(await launched.pid, startTime);
      // Some other process of this machine was given the number, and keeps it: another round.
      if (stranger === null) continue;
      reused += 1;
      await stopTree(l.dir, { graceMs: 50 });
      await sweepOrphans(l.dir);
      expect(readLaunch(l.dir).kind).toBe(round % 2 === 1 ? "lost" : "finished");
      expect(stranger.signalCode ?? stranger.exitCode).toBeNull();
      expect(readIdentity(await launched.pid)).toBeDefined();
      stranger.kill("SIGKILL");
      await once(stranger, "exit");
    }
  });
});

if (hasCgroup)
  describe("a cgroup", () => {
    test("has the command in it, and is gone with it", async () => {
      const l = shell("cgroup", "cat /proc/self/cgroup; exit 3");
      expect(await run(l)).toEqual({ kind: "finished", code: 3 });
      expect(outputOf(l)).toMatch(/^0::.*\/owt-\d+-\d+-[0-9a-f]{8}$/m);
      expect(claimedCgroup(l)).toMatch(/\/owt-\d+-\d+-[0-9a-f]{8}$/);
      expect(cgroupOf(l)).toBeUndefined();
    });

    test("takes along what the finished command left, however well it hid, without any sweep", async () => {
      const l = shell("cgroup", scrubbedDaemon("up"));
      expect(await run(l)).toEqual({ kind: "finished", code: 0 });
      expect(isAlive(readPid(l, "up"))).toBe(false);
      expect(cgroupOf(l)).toBeUndefined();
    });

    test("is swept whole when its wrapper was killed", async () => {
      const l = shell("cgroup", `${scrubbedDaemon("up")}; echo started; trap '' TERM; while :; do sleep 0.05; done`);
      const launched = launch(l);
      await printed(l, "started");
      const daemon = readPid(l, "up");
      signalProcess(ownerOf(l), "SIGKILL");
      expect(await waitForEnd(l.dir, { launched })).toEqual({ kind: "lost" });
      // This is the one thing that it does less well than a namespace.
      expect(isAlive(daemon)).toBe(true);
      expect(await sweepOrphans(l.dir)).toBeGreaterThanOrEqual(2);
      expect(isAlive(daemon)).toBe(false);
      expect(cgroupOf(l)).toBeUndefined();
      expect(await sweepOrphans(l.dir)).toBe(0);
    });

    test("goes with the cgroups that its processes made in it", async () => {
      const nest = `cgroup=$(cat claim); cgroup=/\${cgroup#*/}; mkdir -p "$cgroup/a b/c"`;
      const ended = shell("cgroup", `${nest}; (echo 0 >"$cgroup/a b/c/cgroup.procs"; exec setsid sleep 1000) &`);
      expect(await run(ended)).toEqual({ kind: "finished", code: 0 });
      expect(cgroupOf(ended)).toBeUndefined();
      const stopped = shell("cgroup", `${nest}; echo 0 >"$cgroup/a b/cgroup.procs"; echo started; exec sleep 1000`);
      launch(stopped);
      await printed(stopped, "started");
      await stopTree(stopped.dir, { graceMs: 20_000 });
      expect(readLaunch(stopped.dir)).toEqual({ kind: "finished", code: 143 });
      expect(cgroupOf(stopped)).toBeUndefined();
    });

    test("a stop says TERM to the command alone; its children are the command's to end", async () => {
      const child = `trap 'echo child heard' TERM; while :; do sleep 0.02; done`;
      const l = shell("cgroup", `sh -c "$CHILD" & trap 'echo bye; exit 4' TERM; echo started; wait`);
      launch({ ...l, env: { ...l.env, CHILD: child } });
      await printed(l, "started");
      await stopTree(l.dir, { graceMs: 20_000 });
      expect(readLaunch(l.dir)).toEqual({ kind: "finished", code: 4 });
      expect(outputOf(l)).toBe("started\nbye\n");
      expect(markedBy(l.dir)).toEqual([]);
    });

    test("a wrapper killed at any moment leaves nothing that one sweep does not clear", async () => {
      const all: Launch[] = [];
      for (let round = 0; round < 60; round += 1) {
        const l = shell("cgroup", "sleep 1000 & sleep 1000");
        all.push(l);
        const launched = launch(l);
        // From the first line of the script to the running command: one short program ends, and another, and another.
        for (let step = 0; step < round % 6; step += 1) await once(start("true", [], { stdio: "ignore" }), "exit");
        process.kill(await launched.pid, "SIGKILL");
        await launched.exited;
        await sweepOrphans(l.dir);
        expect(["unclaimed", "lost"]).toContain(readLaunch(l.dir).kind);
        await vi.waitFor(() => expect(markedBy(l.dir)).toEqual([]));
      }
      expect(all.map(cgroupOf).filter(Boolean)).toEqual([]);
    });

    test("does not come after the sweep, made by what a killed wrapper had begun", async () => {
      const l = shell("cgroup", "sleep 1000");
      const slow = `touch asked; until [ -e go ]; do sleep 0.01; done; exec ${await which("mkdir")} "$1"`;
      mkdirSync(join(l.dir, "bin"));
      writeFileSync(join(l.dir, "bin/mkdir"), `#!/bin/sh\nexec env -i PATH="$PATH" sh -c '${slow}' sh "$1"\n`, {
        mode: 0o755,
      });
      const launched = launch({ ...l, env: { PATH: `${join(l.dir, "bin")}:${PATH}` } });
      await vi.waitFor(() => expect(existsSync(join(l.dir, "asked"))).toBe(true), { interval: 5, timeout: 30_000 });
      signalProcess(ownerOf(l), "SIGKILL");
      await launched.exited;
      const sweep = sweepOrphans(l.dir);
      writeFileSync(join(l.dir, "go"), "");
      await sweep;
      const session = await launched.pid;
      await vi.waitFor(() => expect(listProcesses().filter((stat) => stat.session === session)).toEqual([]));
      expect(cgroupOf(l)).toBeUndefined();
    });

    test("that cannot be made starts nothing, and the error file says so", async () => {
      const l = shell("cgroup", "echo ran");
      const command = [l.file, ...l.args];
      const wrapper = wrapperArguments("cgroup", l.dir, command).with(-command.length - 1, join(l.dir, "no-cgroup"));
      const child = start("/bin/sh", wrapper, { cwd: l.cwd, env: l.env, stdio: ["ignore", "pipe", "pipe"] });
      let said = "";
      child.stdout?.on("data", (chunk) => (said += chunk));
      child.stderr?.on("data", (chunk) => (said += chunk));
      expect((await once(child, "close"))[0]).toBe(71);
      expect(said).toMatch(/^owt: no cgroup to be had below .*no-cgroup'\n$/);
      expect(readLaunch(l.dir)).toEqual({ kind: "unclaimed" });
    });

    test("belongs to a plain user where a folder was given to him", async ({ skip }) => {
      if (process.getuid?.() !== 0) skip("needs root, to give a folder away");
      const given = join(findCgroupParent()!, `owt-test-given-${process.pid}`);
      const nobody = 65_534;
      const l = shell("cgroup", "(setsid sleep 1000 &) ; id -u; echo started; sleep 1000");
      mkdirSync(given);
      try {
        for (const path of [given, join(given, "cgroup.procs"), l.dir]) chownSync(path, nobody, nobody);
        chmodSync(root, 0o755);
        const command = [l.file, ...l.args];
        const wrapper = wrapperArguments("cgroup", l.dir, command).with(-command.length - 1, given);
        const become = ["--reuid", String(nobody), "--regid", String(nobody), "--clear-groups", "--", "/bin/sh"];
        const out = openSync(l.outFile, "a");
        const inside = ["-c", `echo 0 >"$0/cgroup.procs" && exec setpriv "$@"`, given, ...become, ...wrapper];
        const child = start("/bin/sh", inside, { cwd: l.cwd, env: l.env, stdio: ["ignore", out, out] });
        closeSync(out);
        await printed(l, "started");
        expect(outputOf(l)).toBe("65534\nstarted\n");
        expect(claimedCgroup(l)?.startsWith(`${given}/owt-`)).toBe(true);
        await Promise.all([once(child, "exit"), stopTree(l.dir, { graceMs: 20_000 })]);
        expect(readLaunch(l.dir)).toEqual({ kind: "finished", code: 143 });
        expect(markedBy(l.dir)).toEqual([]);
        expect(cgroupOf(l)).toBeUndefined();
      } finally {
        killCgroup(given);
        await vi.waitFor(() => expect(removeCgroup(given)).toBe(true));
      }
    });
  });

test("the search for a launch mode begins where the user says, and ends with one that works", async () => {
  expect(await probeLaunchMode("group")).toBe("group");
  expect(["cgroup", "group"]).toContain(await probeLaunchMode("cgroup"));
  expect(await probeLaunchMode("namespace")).toBe(best);
  expect(await probeLaunchMode("")).toBe(best);
  await expect(probeLaunchMode("podman")).rejects.toMatchObject({
    code: "config",
    hint: expect.stringContaining("cgroup"),
  });
});

if (!hasCgroup) test("launch mode cgroup", ({ skip }) => skip("no cgroup2 with cgroup.kill is ours to write in here"));

test.for([0, 1])(
  "the command hears TERM, even where unshare hands it on as ignored (a path with = : %i)",
  async (equals, { skip }) => {
    if (best === "group" || best === "cgroup") skip("a matter of unshare, which is not to be had here");
    const l = shell(best, "");
    const program = join(l.dir, equals ? "a=b" : "ab");
    writeFileSync(program, "#!/bin/sh\nkill -s TERM $$\nexit 3\n", { mode: 0o755 });
    const deaf = ["-c", `trap '' TERM INT; exec "$0" "$@"`, "/bin/sh"];
    const wrapper = wrapperArguments(best, l.dir, [program]);
    const child = start("/bin/sh", [...deaf, ...wrapper], { cwd: l.cwd, env: l.env, detached: true, stdio: "ignore" });
    await once(child, "exit");
    expect(readLaunch(l.dir)).toEqual({ kind: "finished", code: 143 });
  },
);

test("a folder without a claim is unclaimed; stopping it voids it, so nothing starts later", async () => {
  const l = shell(best, "echo ran");
  expect(readLaunch(l.dir)).toEqual({ kind: "unclaimed" });
  await stopTree(l.dir, { graceMs: 1_000 });
  expect(readLaunch(l.dir)).toEqual({ kind: "void" });
  expect(await run(l)).toEqual({ kind: "void" });
  expect(outputOf(l)).toBe("");
});

test("a folder that is gone is stopped already", async () => {
  const dir = join(root, "never-made");
  await stopTree(dir, { graceMs: 1_000 });
  expect(voidClaim(dir)).toBe(false);
  expect(await sweepOrphans(dir)).toBe(0);
  expect(readLaunch(dir)).toEqual({ kind: "unclaimed" });
});

test("a working directory that is gone leaves the launch unclaimed, with a word in the error file", async () => {
  const l = { ...shell(best, "exit 0"), cwd: join(root, "never-made") };
  const launched = launch(l);
  expect(await waitForEnd(l.dir, { launched })).toEqual({ kind: "unclaimed" });
  expect(errorsOf(l)).toContain(l.cwd);
});

test("a wait that is given up says how the launch stands", async () => {
  const l = shell(best, "sleep 1000");
  const launched = launch(l);
  await vi.waitFor(() => expect(readLaunch(l.dir).kind).toBe("alive"));
  const giveUp = new AbortController();
  const wait = waitForEnd(l.dir, { launched, signal: giveUp.signal });
  giveUp.abort();
  expect((await wait).kind).toBe("alive");
  await stopTree(l.dir, { graceMs: 0 });
});

test("a claim from before the last boot is lost, whoever has the pid now", () => {
  const l = shell(best, "");
  const me = readIdentity(process.pid)!;
  expect(isAlive(me)).toBe(true);
  symlinkSync(`${best} ${me.pid} an-earlier-boot ${me.startTime}`, join(l.dir, "claim"));
  expect(readLaunch(l.dir)).toEqual({ kind: "lost" });
});

test("a claim in which nothing is written yet is that of the one who lives among those who wanted it; of none of them nothing runs", async () => {
  const l = shell(best, "");
  const me = readIdentity(process.pid)!;
  const mine = `${best} ${me.pid} ${me.bootId} ${me.startTime}\n`;
  writeFileSync(join(l.dir, "claim"), "");
  expect(readLaunch(l.dir)).toEqual({ kind: "lost" });
  expect(voidClaim(l.dir)).toBe(false);
  // Nobody is found to be ended, whatever number stands for nobody.
  await stopTree(l.dir, { graceMs: 0 });
  expect(await sweepOrphans(l.dir)).toBe(0);
  writeFileSync(join(l.dir, "claim.4"), `${best} 4 an-earlier-boot 1\n`);
  expect(readLaunch(l.dir)).toEqual({ kind: "lost" });
  writeFileSync(join(l.dir, `claim.${me.pid}`), mine.slice(0, -1));
  expect(readLaunch(l.dir)).toEqual({ kind: "lost" });
  writeFileSync(join(l.dir, `claim.${me.pid}`), mine);
  expect(readLaunch(l.dir)).toEqual({ kind: "alive", identity: me });
  writeFileSync(join(l.dir, "claim"), `${best} 4 an-earlier-boot 1\n`);
  expect(readLaunch(l.dir)).toEqual({ kind: "lost" });
});

test("an exit code that was cut short is no exit code", () => {
  const l = shell(best, "");
  symlinkSync(`${best} 1 an-earlier-boot 1`, join(l.dir, "claim"));
  writeFileSync(join(l.dir, "exit"), "14");
  expect(readLaunch(l.dir)).toEqual({ kind: "lost" });
  writeFileSync(join(l.dir, "exit"), "143\n");
  expect(readLaunch(l.dir)).toEqual({ kind: "finished", code: 143 });
});

test("a process's name cannot confuse its identity", async ({ skip }) => {
  if (!hasProc) skip("needs /proc");
  const program = join(root, "a) Z 1 (b");
  // It stops itself, so that nothing stays when it is killed.
  writeFileSync(program, "#!/bin/sh\nkill -s STOP $$\n", { mode: 0o755 });
  const child = start(program, [], { stdio: "ignore" });
  await once(child, "spawn");
  const identity = await vi.waitFor(() => readIdentity(child.pid!)!);
  expect(isAlive(identity)).toBe(true);
  expect(identity.startTime).toMatch(/^\d+$/);
  expect(signalProcess({ ...identity, startTime: `${identity.startTime}0` }, "SIGKILL")).toBe(false);
  expect(signalProcess(identity, "SIGKILL")).toBe(true);
  await once(child, "exit");
  expect(isAlive(identity)).toBe(false);
});

/** A launch of `sh -c script` in a folder of its own, which is its working directory too. */
function shell(mode: LaunchMode, script: string): Launch {
  const dir = join(root, String((counter += 1)));
  mkdirSync(dir);
  const files = { outFile: join(dir, "out"), errFile: join(dir, "err") };
  return { dir, file: "sh", args: ["-c", script], cwd: dir, env: { PATH }, ...files, mode };
}

async function run(l: Launch): Promise<LaunchState> {
  return await waitForEnd(l.dir, { launched: launch(l) });
}

/** The wrapper that owns a living launch. */
function ownerOf(l: Launch): Identity {
  const state = readLaunch(l.dir);
  if (state.kind !== "alive") throw new Error(`is ${state.kind}`);
  return state.identity;
}

function outputOf(l: Launch): string {
  return readFileSync(l.outFile, "utf8");
}

function errorsOf(l: Launch): string {
  return readFileSync(l.errFile, "utf8");
}

async function claimed(l: Launch): Promise<void> {
  await vi.waitFor(() => expect(readLaunch(l.dir).kind).not.toBe("unclaimed"), { interval: 1, timeout: 30_000 });
}

async function printed(l: Launch, word: string): Promise<void> {
  await vi.waitFor(() => expect(outputOf(l)).toContain(word), { interval: 10, timeout: 30_000 });
}

/** Whoever carries the mark of a folder, as its own environment tells. */
function markedBy(dir: string): number[] {
  return listProcesses()
    .map((stat) => stat.pid)
    .filter((pid) => environmentOf(pid).includes(`OWT_ATTEMPT=${dir}`));
}

async function which(program: string): Promise<string> {
  return (await exec("sh", ["-c", `command -v "$1"`, "sh", program])).stdout.trim();
}

/** The cgroup that a launch's claim names, there or not. */
function claimedCgroup(l: Launch): string | undefined {
  const claim = readClaim(l.dir);
  return claim?.kind === "taken" && claim.mode === "cgroup" ? claim.cgroup : undefined;
}

/** The cgroup of a launch that is still there. */
function cgroupOf(l: Launch): string | undefined {
  const cgroup = claimedCgroup(l);
  return cgroup !== undefined && existsSync(cgroup) ? cgroup : undefined;
}

/** Lines that start a process without a parent, a group or an environment to know it by, and wait until its pid stands in a file. */
function scrubbedDaemon(file: string): string {
  const daemon = `echo $$ >${file}.new; mv ${file}.new ${file}; trap "" TERM; while :; do sleep 0.05; done`;
  return `(env -i setsid sh -c '${daemon}' &); until [ -e ${file} ]; do sleep 0.01; done`;
}

/** The process whose pid stands in a file; one that is gone has an identity that was never alive. */
function readPid(l: Launch, file: string): Identity {
  const pid = Number(readFileSync(join(l.dir, file), "utf8"));
  return readIdentity(pid) ?? { bootId: "", pid, startTime: "" };
}

const LAUNCH_MODULE = JSON.stringify(new URL("launch.ts", import.meta.url).href);

/** Runs a few lines in another Node, with everything that launch.ts exports at hand. */
async function elsewhere(lines: string, env: Record<string, string>): Promise<void> {
  await exec(process.execPath, nodeArguments(lines), { env: { PATH, ...env } });
}

/** Another orchestrator, which launches `l` and then sits there. */
/** A child's `stdio` with one file under several numbers. */
function handOn(file: number, numbers: number[]): (number | "ignore")[] {
  return Array.from({ length: 1 + Math.max(...numbers) }, (_, fd) => (numbers.includes(fd) ? file : "ignore"));
}

async function startElsewhere(l: Launch, handedOn: number[] = []): Promise<ChildProcess> {
  const lines = "launch(JSON.parse(process.env.LAUNCH)); setInterval(() => {}, 1e6);";
  const env = { PATH, LAUNCH: JSON.stringify(l) };
  const blank = openSync("/dev/null", "r");
  const child = start(process.execPath, nodeArguments(lines), { env, stdio: handOn(blank, [0, ...handedOn]) });
  closeSync(blank);
  await vi.waitFor(() => expect(existsSync(l.outFile)).toBe(true), { interval: 10, timeout: 30_000 });
  return child;
}

function nodeArguments(lines: string): string[] {
  return ["--input-type=module", "-e", `import { launch, stopTree } from ${LAUNCH_MODULE};\n${lines}`];
}

/** A way to give a number that was just freed to a stranger, who leads a session of its own; or the reason why there is none here. */
function pidReuse(): { reason?: string; reuse: (pid: number, notStartedAt: string) => Promise<ChildProcess | null> } {
  const lastPid = "/proc/sys/kernel/ns_last_pid";
  const reuse = async (pid: number, notStartedAt: string): Promise<ChildProcess | null> => {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      writeFileSync(lastPid, String(pid - 1));
      const child = start("sleep", ["1000"], { detached: true, stdio: "ignore" });
      // No machine uses up all its numbers within one tick of 10 ms; this test could.
      if (child.pid === pid && readIdentity(pid)?.startTime !== notStartedAt) return child;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    return null;
  };
  try {
    writeFileSync(lastPid, readFileSync(lastPid, "utf8").trim());
    return { reuse };
  } catch {
    return { reason: "ns_last_pid is not writable here, so no pid can be made to come again", reuse };
  }
}
