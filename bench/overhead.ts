/** What owt costs beside the work itself: no-op tasks, four at a time, created, run, committed and integrated, beside a
 *  `make -j4` that runs the same program and does the same git work by hand, with the same fsync (and a lock, since git's own
 *  race breaks it otherwise). Ratios of wall time, A B A B …, medians.
 *
 *    npm run bench -- [--tasks 20,100] [--rounds 5] [--files 50] [--ballast 0] [--json] [--full]
 *
 *  `--ballast 500` starts owt with so many megabytes of memory in use: a fork then costs Node 15 ms and more. What making and freeing the
 *  ballast takes by itself is measured beside it, with an empty program, and taken off. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { flag, makePlace, median, option, OWT } from "./place.ts";

/** A start weighs more in a short run. */
const goalFor = (tasks: number) => (tasks < 100 ? 1.3 : 0.8);
const FSYNC = ["-c", "core.fsync=committed,reference"];

type Measured = { wallMs: number };

const full = flag("full");
const rounds = Number(option("rounds", full ? "15" : "5"));
const ballast = Number(option("ballast", "0"));
const sizes = option("tasks", "20,100").split(",").map(Number);
using place = makePlace();
const { home, env } = place;

const fileCounts = option("files", full ? "50,2000" : "50")
  .split(",")
  .map(Number);
const results = fileCounts.flatMap((files) => sizes.map((tasks) => compare(tasks, files)));
if (flag("json")) console.log(JSON.stringify({ rounds, results }, null, 2));
else if (results.some(({ ratio, goal }) => ratio > goal)) console.log("above a goal: see the profile");

/** For people; with `--json` the answer is one document. */
function tell(line: string): void {
  if (!flag("json")) console.log(line);
}

function compare(tasks: number, files: number) {
  // The program that stands for an agent: it reads its prompt and leaves one file.
  writeFileSync(join(home, "noop"), '#!/bin/sh\ncat >/dev/null\necho done > "out-${OWT_TASK:-$1}.txt"\n', {
    mode: 0o755,
  });
  const owt: Measured[] = [];
  const make: Measured[] = [];
  let profile: Record<string, number> = {};
  for (let round = 0; round < rounds; round++) {
    make.push(runMakeUntilItPasses(tasks, files, join(home, `make-${tasks}-${round}`)));
    const place = join(home, `owt-${tasks}-${round}`);
    owt.push(runOwt(tasks, files, place));
    profile = readProfile(join(place, ".git/owt/state.db"));
    rmSync(place, { recursive: true, force: true });
  }
  const ratio = median(owt.map((each) => each.wallMs)) / median(make.map((each) => each.wallMs));
  const goal = goalFor(tasks);
  tell(
    `${tasks} tasks, ${files} files, ${rounds} rounds: owt ${median(owt.map((each) => each.wallMs)).toFixed(0)} ms, ` +
      `make ${median(make.map((each) => each.wallMs)).toFixed(0)} ms, ratio ${ratio.toFixed(2)} (goal ${goal})`,
  );
  tell(
    `  where the time of a task goes, median ms: ${Object.entries(profile)
      .map(([name, ms]) => `${name} ${ms}`)
      .join(", ")}`,
  );
  return { tasks, files, goal, ratio, owt, make, profile };
}

function makeRepository(root: string, files: number): void {
  // A hundred files a folder, as repositories of that size have them.
  for (let n = 0; n < files; n++) {
    const folder = join(root, `part-${Math.floor(n / 100)}`);
    if (n % 100 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${n}.txt`), `line ${n}\n`.repeat(20));
  }
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, env });
  git("init", "-q");
  git("add", "-A");
  git("commit", "-q", "-m", "start");
}

/** Even behind its lock the script meets git's own race now and then (another command reads the entry that is being made). */
function runMakeUntilItPasses(tasks: number, files: number, root: string): Measured {
  for (let tries = 1; ; tries++) {
    try {
      return runMake(tasks, files, `${root}-${tries}`);
    } catch (error) {
      if (tries === 5 || !(error instanceof Error) || !/commondir|Invalid path/.test(error.message)) throw error;
      tell(`  make failed on git's worktree race; again`);
    }
  }
}

function runMake(tasks: number, files: number, root: string): Measured {
  makeRepository(root, files);
  const git = `git ${FSYNC.join(" ")}`;
  const names = Array.from({ length: tasks }, (_, n) => `t${n}`);
  const makefile = `all: ${names.join(" ")}
${names.join(" ")}:
	@flock ../make.lock ${git} worktree add -q --no-track -b task/$@ ../wt/$@ integration
	@cd ../wt/$@ && ../../noop $@ </dev/null && ${git} add -A && ${git} commit -q -m $@
	@flock ../merge.lock ${git} -C ../wt/integration merge -q --no-ff -m "merge $@" task/$@
	@flock ../make.lock ${git} worktree remove ../wt/$@ && ${git} branch -q -d task/$@ 2>/dev/null || ${git} branch -q -D task/$@
.PHONY: all ${names.join(" ")}
`;
  writeFileSync(join(home, "Makefile"), makefile);
  rmSync(join(home, "wt"), { recursive: true, force: true });
  const measured = timed(
    "sh",
    ["-c", `git worktree add -q -b integration ../wt/integration && make -s -j4 -f ../Makefile all`],
    root,
  );
  const merged = execFileSync("git", ["ls-tree", "--name-only", "integration"], { cwd: root, env, encoding: "utf8" });
  if (merged.split("\n").filter((name) => name.startsWith("out-")).length !== tasks)
    throw new Error("make did not bring everything home");
  rmSync(join(home, "wt"), { recursive: true, force: true });
  rmSync(root, { recursive: true, force: true });
  return measured;
}

function runOwt(tasks: number, files: number, root: string): Measured {
  makeRepository(root, files);
  const features = Array.from({ length: tasks }, (_, n) => ({ id: `t${n}`, name: `t${n}`, depends_on: [] }));
  writeFileSync(join(root, "feature_list.json"), JSON.stringify({ features }));
  writeFileSync(
    join(home, "config", "open-orchestrator", "config.toml"),
    `[agent.noop]\nkind = "command"\ncommand = ["${join(home, "noop")}"]\n`,
  );
  writeFileSync(join(home, "ballast.mjs"), `globalThis.ballast = Buffer.alloc(${ballast} * 1024 * 1024, 1);\n`);
  const weight = ballast > 0 ? ["--import", join(home, "ballast.mjs")] : [];
  const empty = (...given: string[]) => timed(process.execPath, [...given, "-e", "0"], root).wallMs;
  const own = ballast > 0 ? empty(...weight) - empty() : 0;
  const measured = timed(
    process.execPath,
    [...weight, OWT, "run", "--yes", "--parallel", "4", "--agent", "noop"],
    root,
  );
  const merged = execFileSync("git", ["ls-tree", "--name-only", "owt/runs/r1"], { cwd: root, env, encoding: "utf8" });
  if (merged.split("\n").filter((name) => name.startsWith("out-")).length !== tasks)
    throw new Error("owt did not bring everything home");
  return { wallMs: measured.wallMs - own };
}

function timed(file: string, args: string[], cwd: string): Measured {
  const began = process.hrtime.bigint();
  const ran = spawnSync(file, args, { cwd, env, encoding: "utf8" });
  const wallMs = Number(process.hrtime.bigint() - began) / 1e6;
  if (ran.status !== 0) throw new Error(`${file} ended with ${ran.status}: ${ran.stderr}${ran.stdout}`);
  return { wallMs };
}

/** From the event log: how long an attempt stood in each phase. */
function readProfile(path: string): Record<string, number> {
  const db = new DatabaseSync(path, { readOnly: true });
  const rows = db
    .prepare(
      "select attempt, at, kind, data from event where kind in ('attempt-opened', 'attempt-phase', 'attempt-ended') order by seq",
    )
    .all();
  const last = new Map<number, { name: string; at: number }>();
  const spent = new Map<string, number[]>();
  for (const row of rows) {
    const attempt = Number(row["attempt"]);
    const before = last.get(attempt);
    if (before) spent.set(before.name, [...(spent.get(before.name) ?? []), Number(row["at"]) - before.at]);
    const phase =
      row["kind"] === "attempt-phase"
        ? (JSON.parse(String(row["data"])) as { phase: string }).phase
        : row["kind"] === "attempt-opened"
          ? "workspace"
          : "tidy";
    last.set(attempt, { name: phase, at: Number(row["at"]) });
  }
  db.close();
  return Object.fromEntries([...spent].map(([name, times]) => [name, median(times)]));
}
