/** An agent that writes without measure: a line of half its output, bytes that are no text, NULs, its own events in between. 200 MB here;
 *  `npm run flood` makes it 2 GB. */
import { readFileSync, statfsSync, statSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { fileAppears, Rig } from "../rig/rig.ts";

const MB = 1_000_000;
const MIB = 1_048_576;
const FLOOD = Number(process.env["OWT_FLOOD_MB"] ?? 200) * MB;
const [HEAD, TAIL] = [4, 12];
/** What the tail may grow by before the hole follows, and a little of the file system's own. */
const SLACK = TAIL / 4 + 1;

/** Writes its flood, waits for a file, then says its last word. */
const PROGRAM = `#!${process.execPath}
const fs = require("node:fs"), { execFileSync } = require("node:child_process");
const [, , home, size] = [0, 0, __HOME__, __SIZE__];
const put = (buffer) => { for (let at = 0; at < buffer.length;) at += fs.writeSync(1, buffer, at); };
const tell = (value) => put(Buffer.from(JSON.stringify(value) + "\\n"));
const MB = 1e6;
let answers = 0;
function lines(bytes) {
  const filler = Buffer.concat([
    Buffer.alloc(3000, 0), Buffer.from([0x0a, 0xff, 0xfe, 0xe2, 0x82, 0x0d, 0x0a]),
    Buffer.from(JSON.stringify({ type: "user", message: { content: [{ type: "tool_result", content: "z".repeat(200000) }] } }) + "\\r\\n"),
  ]);
  for (let left = bytes; left > 0; left -= filler.length) {
    if (left % 40 < 8) {
      const usage = { input_tokens: 3, output_tokens: 1 };
      tell({ type: "assistant", message: { id: "m" + answers++, model: "claude-opus-5-5", usage, content: [{ type: "text", text: "word" }] } });
    }
    put(filler);
  }
}
tell({ type: "system", subtype: "init", session_id: "s", tools: [], permissionMode: "acceptEdits" });
lines(size / 4);
const used = (usd) => ({ "claude-opus-5-5": { inputTokens: 10, outputTokens: 20, costUSD: usd } });
const result = (usd) => tell({ type: "result", subtype: "success", is_error: false, result: "Done.", num_turns: 1, permission_denials: [], model_usage_since_last_result: used(usd) });
// In the part that is left out.
result(0.5);
const giant = Buffer.alloc(8 * MB, 0xe9);
for (let left = size / 2; left > 0; left -= giant.length) put(giant);
put(Buffer.from("\\n"));
lines(size / 4);
for (let left = size / 20; left > 0; left -= MB) fs.writeSync(2, Buffer.alloc(MB, 101));
execFileSync("sh", ["-c", "echo a > first.txt; git add -A; git -c user.name=C -c user.email=c@localhost commit -q -m first"]);
fs.writeFileSync(home + "/written", "");
const timer = setInterval(() => {
  if (!fs.existsSync(home + "/go")) return;
  clearInterval(timer);
  lines(10 * MB);
  result(0.25);
}, 20);
`;

test(
  "a flood is read in bounded memory, kept small on the disk, and judged rightly",
  { timeout: 900_000 },
  async (context) => {
    await using rig = Rig.create({
      ".worktreerc": [
        '[agent.claude]\ncommand = ["flood"]\n[run]',
        `log_head_mb = ${HEAD}\nlog_tail_mb = ${TAIL}`,
        'verify = "until [ -e \\"$HOME/../verified\\" ]; do sleep 0.05; done"\n',
      ].join("\n"),
      "docs/plans/site/epic-01-a.md": "# A\n",
    });
    const { bavail, bsize } = statfsSync(rig.home);
    if (bavail * bsize < 3 * FLOOD) context.skip(`needs ${(3 * FLOOD) / MB} MB of disk`);
    rig.addProgram("flood", PROGRAM.replace("__HOME__", JSON.stringify(rig.home)).replace("__SIZE__", String(FLOOD)));
    const [out, err] = ["out", "err"].map((name) => `${rig.root}/.git/owt/attempts/1/${name}`) as [string, string];
    const onDisk = (path: string) => (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;

    const began = Date.now();
    const run = rig.start("run", "--yes");
    let most = 0;
    const watching = setInterval(() => (most = Math.max(most, onDisk(out))), 50);
    await Promise.race([fileAppears(rig.path("written")), fails(run.ended)]);
    const written = Date.now();
    await vi.waitUntil(() => onDisk(out) <= (HEAD + TAIL + SLACK) * MIB && onDisk(err) <= (HEAD + TAIL + SLACK) * MIB, {
      timeout: 300_000,
    });
    const caughtUp = Date.now();
    clearInterval(watching);
    expect(statSync(out).size).toBeGreaterThan(FLOOD);
    rig.release("go");
    await vi.waitUntil(() => rig.ok("status", "--json").includes('"verifying"'), { timeout: 120_000, interval: 200 });
    const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${run.child.pid}/status`, "utf8"))![1]) * 1_024;
    rig.release("verified");
    expect((await run.ended).code).toBe(0);

    expect(statSync(out).size).toBeLessThanOrEqual((HEAD + TAIL) * MIB);
    expect(statSync(err).size).toBeLessThanOrEqual((HEAD + TAIL) * MIB);
    const { report } = await rig.json<{ report: RunReport }>("report");
    expect(report.tasks[0]!.attempts).toMatchObject([{ outcome_kind: "ok", cost_usd: 0.75 }]);
    expect(rig.integrations("owt/runs/r1")).toEqual(["site/E01"]);
    const logs = await rig.owt("logs", "site/E01");
    expect(logs.stdout).toMatch(/word\n[^]*… \d+ bytes were left out here\n[^]*word\n= Done\. \(\$0\.250\)\n/);
    const raw = await rig.owt("logs", "site/E01", "--raw");
    expect(raw.stdout.length).toBeGreaterThan(10 * MIB);
    console.log(
      `${FLOOD / MB} MB written in ${written - began} ms, caught up ${caughtUp - written} ms later; at most ${Math.round(most / MIB)} MiB on disk,` +
        ` ${(statSync(out).size / MIB).toFixed(1)} MiB kept; owt took at most ${Math.round(peak / MB)} MB`,
    );
    expect(peak).toBeLessThan(200 * MB);
  },
);

async function fails(ended: Promise<{ code: number; stdout: string; stderr: string }>): Promise<never> {
  const { code, stdout, stderr } = await ended;
  throw new Error(`owt ended with ${code}:\n${stdout}${stderr}`);
}
