/** Kills the built `owt` at random moments and at every kind of intent, runs it again, and lets `verdict.ts` judge what came of it.
 *
 *    npm run crash -- [--kills 50 | --full] [--seed N] [--lanes 2] [--rivals] [--keep] [--json]
 *    node test/crash/crash.ts --events DIR      what happened in a repository that was kept
 *
 *  Exits with 1 on any defect, and with 200 kills or more also where a kind of intent was met less than three times. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runHarness, type Sum } from "./harness.ts";
import { Watch } from "./watch.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    /** 1,000 kills. */
    full: { type: "boolean", default: false },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    lanes: { type: "string", default: "2" },
    /** Two agents do each task, in every repository. */
    rivals: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    events: { type: "string" },
  },
});

const FULL = 1_000;
/** From so many kills on, every kind of intent must have been met. */
const ENOUGH = 200;

if (values.events !== undefined) printEvents(values.events);
else await run();

async function run(): Promise<void> {
  const kills = values.full ? FULL : Number(values.kills);
  const sum = await runHarness({
    kills,
    seed: Number(values.seed),
    lanes: Number(values.lanes),
    keep: values.keep,
    rivals: values.rivals,
    tell: (line) => process.stderr.write(`${line}\n`),
  });
  console.log(values.json ? JSON.stringify(sum, null, 2) : render(sum));
  const tooRare = kills >= ENOUGH && sum.rare.length > 0;
  process.exitCode = sum.defects.length > 0 || tooRare ? 1 : 0;
}

function render(sum: Sum): string {
  const { orphans, agentStarts } = sum;
  return [
    `${sum.kills} kills, ${sum.runs} runs, ${sum.tasks} tasks in ${sum.seconds} s (seed ${sum.seed})`,
    `lost ${sum.lost}, integrated twice ${sum.integratedTwice}, wrong content ${sum.wrongContent}, other ${sum.other}`,
    `orphans: processes ${orphans.processes}, worktrees ${orphans.worktrees}, branches ${orphans.branches}`,
    `extra agent starts ${agentStarts.extra}, of which ${agentStarts.explained} of agents that the harness killed`,
    `rescues ${sum.rescues}, temporary folders left by the killed ${sum.litter}`,
    "kills by the last written intent:",
    ...Object.entries(sum.histogram).map(([kind, count]) => `  ${kind.padEnd(16)}${String(count).padStart(5)}`),
    ...(sum.rare.length > 0 ? [`fewer than three kills: ${sum.rare.join(", ")}`] : []),
    ...sum.defects.flatMap(({ dir, what }) => [
      `DEFECT in ${dir}`,
      ...what.map((each) => `  ${each}`),
      `  look: node test/crash/crash.ts --events ${dir}; ${dir}/owt.log; node test/crash/verdict.ts ${dir}`,
    ]),
    sum.defects.length === 0 ? "no defects" : `${sum.defects.length} repositories with defects`,
  ].join("\n");
}

/** The event log with the harness's own notes between. */
function printEvents(dir: string): void {
  const watch = new Watch(join(dir, "repo"));
  const events = watch.rows("select event.*, task.key from event left join task on task.id = event.task order by seq");
  const lines = events.map((event) => ({
    at: Number(event["at"]),
    text: `${event["seq"]} ${event["key"] ?? ""} #${event["attempt"] ?? ""} ${event["kind"]} ${event["data"]}`,
  }));
  const notes = readFileSync(join(dir, "harness.log"), "utf8").trimEnd().split("\n");
  for (const note of notes) lines.push({ at: Number(note.split(" ")[0]), text: `=== ${note}` });
  for (const { at, text } of lines.toSorted((a, b) => a.at - b.at)) console.log(at, text);
  watch.close();
}
