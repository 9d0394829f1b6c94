import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { processesInside } from "./processes.ts";

test.runIf(process.platform === "linux")(
  "who is inside is seen, and who has left is not, also by an old look",
  async () => {
    const top = realpathSync(mkdtempSync(join(tmpdir(), "owt-inside-")));
    onTestFinished(() => rmSync(top, { recursive: true, force: true }));
    const [here, other] = [join(top, "here/deep"), join(top, "here-too")];
    for (const folder of [here, other]) mkdirSync(folder, { recursive: true });
    const child = spawn("sleep", ["600"], { cwd: here, stdio: "ignore" });
    await once(child, "spawn");
    const inside = [{ pid: child.pid, command: "sleep" }];
    expect(processesInside(join(top, "here"))).toEqual(inside);
    expect(processesInside(join(top, "here"), 60_000)).toEqual(inside);
    expect(processesInside(other, 60_000)).toEqual([]);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(processesInside(join(top, "here"), 60_000)).toEqual([]);
  },
);
