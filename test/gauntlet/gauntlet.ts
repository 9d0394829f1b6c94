/** Whole nights of agents that go wrong in every way, each in a task of its own, while the user works on and owt is killed twice; `judge.ts` says what came
 *  of them. On Linux with root each night has a small disk of its own, which one of the agents fills.
 *
 *    npm run gauntlet -- [--runs N] [--seed S] [--keep] [--full] [--json]
 *
 *  `--full` lets an agent print 1 GB instead of 40 MB. Exits with 1 on any defect; what a night with a defect left is kept. */
import { parseArgs } from "node:util";
import { runGauntlet, type Sum } from "./harness.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    keep: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const sum = await runGauntlet({
  runs: Number(values.runs),
  seed: Number(values.seed),
  keep: values.keep,
  floodMb: values.full ? 1_000 : 40,
  tell: values.json ? () => {} : (text) => console.log(text),
});
console.log(values.json ? JSON.stringify(sum, null, 2) : lastLine(sum));
process.exitCode = sum.defects > 0 ? 1 : 0;

function lastLine({
  seed,
  runs,
  tasks,
  integrated,
  parked,
  commits,
  lost,
  twice,
  orphans,
  defects,
  seconds,
}: Sum): string {
  const nights = `${runs} ${runs === 1 ? "night" : "nights"} (seed ${seed}, ${seconds} s)`;
  const work = `${tasks} tasks, ${integrated} integrated, ${parked} with a reason, ${commits} commits checked`;
  return `${nights}: ${work}; lost ${lost}, twice ${twice}, orphans ${orphans}; ${defects === 0 ? "no defects" : `${defects} defects`}`;
}
