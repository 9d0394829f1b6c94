/** The clock jumps under a run, and under whoever takes it up again: no agent is ended for time that did not pass. `npm run clock` does it more often. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

const rounds = Number(process.env["OWT_CLOCK_ROUNDS"] ?? "1");

/** Where Debian (`apt-get install faketime`) and Homebrew (`brew install libfaketime`) put it; undefined where it is not there. */
function findFaketime(): string | undefined {
  const folders = ["/usr/lib", "/opt/homebrew/lib", "/usr/local/lib"].flatMap((folder) =>
    existsSync(folder) ? [folder, ...readdirSync(folder).map((name) => join(folder, name))] : [],
  );
  return folders
    .flatMap((folder) => ["libfaketimeMT.so.1", "libfaketime.1.dylib"].map((name) => join(folder, "faketime", name)))
    .find((path) => existsSync(path));
}

const library = findFaketime();

/** What `date` says in the rig's processes is so much off. Takes effect at once, also in those that run. */
function setClock(rig: Rig, offset: string): void {
  writeFileSync(rig.path("clock"), offset);
}

async function oneRun(jumps: readonly [string, string, string], env: NodeJS.ProcessEnv = {}): Promise<void> {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}\n[run]\ntimeout = "10m"\n`,
  });
  rig.write({
    "docs/plans/a/epic-01-a.md": task({}, `touch ${rig.path("a")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/b/epic-01-b.md": task({ depends_on: ["a/E01"] }, 'write b.txt "b"'),
  });
  rig.commit("plan");
  setClock(rig, "+0s");
  Object.assign(rig.env, env, {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: rig.path("clock"),
    FAKETIME_NO_CACHE: "1",
    DONT_FAKE_MONOTONIC: "1",
  });
  const first = rig.start("run", "--yes");
  await fileAppears(rig.path("a"));
  setClock(rig, jumps[0]);
  await first.says("a/E01");
  first.child.kill("SIGKILL");
  await first.ended;
  setClock(rig, jumps[1]);
  const second = rig.start("run", "--yes");
  await vi.waitFor(
    async () => expect((await rig.json<{ carried_by: number }>("status")).carried_by).toBe(second.child.pid),
    { timeout: 30_000 },
  );
  setClock(rig, jumps[2]);
  rig.release("gate");
  const ran = await second.ended;
  expect([jumps, ran.code, ran.stderr]).toEqual([jumps, 0, expect.not.stringContaining("timed out")]);
  expect(rig.integrations("main..owt/runs/r1")).toEqual(["a/E01", "b/E01"]);
  const { task: shown } = await rig.json<{ task: { attempts: { outcome: string }[] } }>("task", "show", "a/E01");
  expect(shown.attempts).toHaveLength(1);
}

describe.skipIf(library === undefined)("the clock is set while a run goes on", () => {
  test.each<[string, string, string]>(
    Array.from({ length: rounds }).flatMap(() => [
      ["+1h", "+1h", "+0s"],
      ["-1h", "-1h", "+0s"],
      ["+3d", "+3d", "-3d"],
      ["-3d", "+3d", "-1h"],
    ]),
  )("by %s, by %s before it is taken up again, by %s at its end: nothing times out", async (...jumps) => {
    await oneRun(jumps);
  });

  // 2026-10-25 01:00 UTC: clocks in Berlin go from 03:00 back to 02:00; 2027-03-28: from 02:00 to 03:00.
  test.each(["@2026-10-25 02:59:58", "@2027-03-28 01:59:58"])("at %s in Berlin: nothing times out", async (start) => {
    await oneRun([start, start, start], { TZ: "Europe/Berlin" });
  });
});
