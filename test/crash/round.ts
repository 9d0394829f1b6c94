/** One repository: `owt run` is started and killed until its run has ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "./dice.ts";
import { OWT, type Scenario } from "./scenario.ts";
import { INTENTS, Watch } from "./watch.ts";
import { descendantsOf, killAll, killWrappers } from "./wrappers.ts";

/** What all repositories share: how often a kill followed which intent, and how many are still to come. */
export type Tally = { histogram: Map<string, number>; kills: number; wanted: number };

export type Round = {
  kills: number;
  /** Per task, how often the harness killed its agent. */
  agentsKilled: Record<string, number>;
  defects: string[];
};

type Owt = { child: ChildProcess; ended: Promise<number | null>; isOver: boolean };

/** When the next kill falls. */
type Moment = { after: number } | { intent: string; after: number } | "never";

/** So long one process may take before it counts as hung. A lost agent waits for up to 10 s. */
const HUNG_MS = 45_000;
const MOST_REBOOTS = 2;
const MOST_CRASHES = 3;

/** Runs the scenario to its end with at most `most` kills. */
export async function playRound(scenario: Scenario, dice: Dice, tally: Tally, most: number): Promise<Round> {
  const round = new Play(scenario, dice, tally, most);
  try {
    await round.toTheEnd();
  } finally {
    await round.clearAway();
  }
  return round.result;
}

class Play {
  readonly result: Round = { kills: 0, agentsKilled: {}, defects: [] };
  readonly #scenario: Scenario;
  readonly #dice: Dice;
  readonly #tally: Tally;
  readonly #watch: Watch;
  readonly #most: number;
  #running: Owt[] = [];
  #reboots = 0;
  #crashes = 0;
  #again = false;

  constructor(scenario: Scenario, dice: Dice, tally: Tally, most: number) {
    this.#scenario = scenario;
    this.#dice = dice;
    this.#tally = tally;
    this.#most = most;
    this.#watch = new Watch(scenario.repo);
  }

  async toTheEnd(): Promise<void> {
    while (this.#crashes < MOST_CRASHES) {
      if (this.#running.length === 0) this.#start();
      if (this.#mayKill() && this.#running.length === 1 && this.#dice.chance(0.2)) this.#start();
      const what = await this.#nextThing(this.#chooseMoment());
      if (what === "hung") {
        this.result.defects.push(
          `hung: no end within ${HUNG_MS / 1_000} s, last intent ${this.#watch.lastIntent().kind}`,
        );
        return;
      }
      if (what === "kill") await this.#kill();
      else if (this.#sawEnd(what.owt, what.code)) return;
    }
  }

  /** Nothing that we started outlives the round. */
  async clearAway(): Promise<void> {
    for (const owt of this.#running) {
      const inTime = await Promise.race([owt.ended.then(() => true), sleep(10_000, false, { ref: false })]);
      if (inTime) continue;
      this.result.defects.push(`owt ${owt.child.pid} did not end with its run`);
      owt.child.kill("SIGKILL");
      await owt.ended;
    }
    const open = this.#watch.rows("select id from run where state <> 'ended'");
    if (open.length > 0) this.result.defects.push("owt ended, but its run is open");
    const runs = this.#watch.rows("select id from run").length;
    if (runs !== 1) this.result.defects.push(`${runs} runs were made of one plan`);
    this.#watch.close();
  }

  #mayKill(): boolean {
    return this.result.kills < this.#most && this.#tally.kills < this.#tally.wanted;
  }

  #start(): void {
    const out = openSync(join(this.#scenario.dir, "owt.log"), "a");
    const { repo, env, flags } = this.#scenario;
    const child = spawn(OWT[0], [OWT[1], "run", "--yes", ...flags], { cwd: repo, env, stdio: ["ignore", out, out] });
    closeSync(out);
    const owt: Owt = { child, isOver: false, ended: Promise.resolve(null) };
    owt.ended = new Promise((resolve) => {
      child.once("exit", (code) => {
        owt.isOver = true;
        resolve(code);
      });
    });
    this.#running.push(owt);
    this.#note(`start ${child.pid}`);
  }

  #chooseMoment(): Moment {
    if (!this.#mayKill()) return "never";
    const { chance, between } = this.#dice;
    if (this.#again) {
      this.#again = false;
      return { after: between(0, 250) };
    }
    if (chance(0.2)) return { after: between(0, 900) };
    if (chance(0.1)) return { after: between(0, 250) };
    const count = (kind: string) => this.#tally.histogram.get(kind) ?? 0;
    const isNew = this.#watch.lastIntent().seq === 0;
    const kinds: string[] = this.#scenario.flags.length > 0 ? [...INTENTS, "contest"] : [...INTENTS];
    const [intent] = kinds.filter((kind) => isNew || kind !== "run-created").toSorted((a, b) => count(a) - count(b));
    return { intent: intent!, after: chance(0.5) ? 0 : between(0, 20) };
  }

  /** The moment comes, or one of the processes ends by itself. */
  async #nextThing(moment: Moment): Promise<"kill" | "hung" | { owt: Owt; code: number | null }> {
    const stop = new AbortController();
    const { signal } = stop;
    const quiet = (waiting: Promise<unknown>) => waiting.catch(() => {});
    try {
      const things = [
        ...this.#running.map((owt) => owt.ended.then((code) => ({ owt, code }))),
        sleep(HUNG_MS, "hung" as const, { signal }),
        ...(moment === "never" ? [] : [this.#comes(moment, signal)]),
      ];
      for (const thing of things) void quiet(thing);
      return await Promise.race(things);
    } finally {
      stop.abort();
    }
  }

  async #comes(moment: Exclude<Moment, "never">, signal: AbortSignal): Promise<"kill"> {
    if ("intent" in moment) {
      const before = this.#watch.lastIntent().seq;
      await this.#watch.until(({ seq, kind }) => seq > before && kind === moment.intent, signal);
    }
    if (moment.after > 0) await sleep(moment.after, undefined, { signal });
    return "kill";
  }

  /** Kills who carries the runs; now and then everybody, as a power cut does, with what outlives them. */
  async #kill(): Promise<void> {
    const reboot = this.#reboots < MOST_REBOOTS && this.#dice.chance(0.12);
    const holder = this.#running.find((owt) => owt.child.pid === this.#watch.holder()) ?? this.#running[0]!;
    const victims = reboot ? this.#running : [holder];
    const helpers = reboot ? victims.flatMap(({ child }) => descendantsOf(child.pid!)) : [];
    for (const { child } of victims) child.kill("SIGKILL");
    killAll(helpers);
    await Promise.all(victims.map((owt) => owt.ended));
    this.#running = this.#running.filter((owt) => !victims.includes(owt));
    this.result.kills++;
    this.#tally.kills++;
    const intent = this.#watch.lastIntent();
    this.#tally.histogram.set(intent.kind, (this.#tally.histogram.get(intent.kind) ?? 0) + 1);
    this.#note(`kill ${victims.map((owt) => owt.child.pid).join(" ")} after ${intent.seq} ${intent.kind}`);
    if (reboot) this.#reboot();
    this.#watch.close();
    this.#again = this.#dice.chance(0.15);
  }

  #reboot(): void {
    this.#reboots++;
    const lost = new Set(killWrappers(this.#scenario.repo));
    const tasks = this.#watch
      .open()
      .filter(({ attempt }) => lost.has(attempt))
      .map(({ task }) => task);
    for (const task of tasks) this.result.agentsKilled[task] = (this.result.agentsKilled[task] ?? 0) + 1;
    this.#note(`reboot: agents of ${tasks.join(" ") || "nobody"}`);
  }

  /** True when the run has ended, as the exit code says. */
  #sawEnd(owt: Owt, code: number | null): boolean {
    this.#running = this.#running.filter((each) => each !== owt);
    this.#note(`exit ${owt.child.pid} with ${code}`);
    if (code === 0) return true;
    this.#crashes++;
    this.result.defects.push(`owt ${owt.child.pid} ended with ${code} (see owt.log)`);
    return false;
  }

  /** For whoever looks at a defect: what happened when. */
  #note(text: string): void {
    appendFileSync(join(this.#scenario.dir, "harness.log"), `${Date.now()} ${text}\n`);
    appendFileSync(join(this.#scenario.dir, "owt.log"), `--- ${text}\n`);
  }
}
