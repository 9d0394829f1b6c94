import { Cron } from "croner";
import { describe, expect, test } from "vitest";
import { type CronTimes, parseCron } from "../lib/cron.ts";
import { decideSlots, nextSlots, ON_TIME_MS, type Standpoint } from "./batch-slots.ts";

const ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"];
const EXPRESSIONS = ["0 22 * * *", "30 2 * * *", "*/30 0-3 * * 6,0", "0 12 * * 1-5", "15 0 1,15 * *", "@weekly"];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function timesOf(expression: string, zone: string): CronTimes {
  const read = parseCron(expression, zone);
  if ("problem" in read) throw new Error(read.problem);
  return read;
}

/** A watcher: it looks at these moments, and has a record. */
class Watcher {
  readonly fired: number[] = [];
  readonly missed = new Set<number>();
  readonly #times: CronTimes;
  readonly #policy: Standpoint["missed"];
  readonly #since: number;

  constructor(times: CronTimes, since: number, policy: Standpoint["missed"] = "skip") {
    this.#times = times;
    this.#policy = policy;
    this.#since = since;
  }

  look(now: number): number | null {
    const recordOf = (slot: number) =>
      this.fired.includes(slot) ? "settled" : this.missed.has(slot) ? "missed" : null;
    const { due, missed, next } = decideSlots(this.#times, { since: this.#since, missed: this.#policy, now, recordOf });
    for (const slot of missed) this.missed.add(slot);
    if (due !== null) this.fired.push(due);
    return next;
  }
}

describe("over two years, in five zones", () => {
  const start = Date.UTC(2026, 0, 1);
  const end = Date.UTC(2028, 0, 1);

  test.for(ZONES.flatMap((zone) => EXPRESSIONS.map((expression) => [zone, expression] as const)))(
    "%s: %s fires at croner's own next times, each once",
    ([zone, expression]) => {
      const watcher = new Watcher(timesOf(expression, zone), start);
      for (let now: number | null = start; now !== null && now < end;) now = watcher.look(now);
      const cron = new Cron(expression, { timezone: zone, startAt: new Date(start + 1), stopAt: new Date(end - 1) });
      const own: number[] = [];
      for (let at = cron.nextRun(new Date(start)); at !== null; at = cron.nextRun(at)) own.push(at.getTime());
      // Looks happen at each slot but the last, which has no successor before the end.
      expect(watcher.fired).toEqual(own);
      expect(watcher.fired.length).toBeGreaterThan(45);
      expect(watcher.missed.size).toBe(0);
    },
  );

  test.for(ZONES)(
    "%s: going backwards finds the same slots as going forwards, through every change of the clock",
    (zone) => {
      for (const expression of EXPRESSIONS) {
        const times = timesOf(expression, zone);
        const forwards = nextSlots(times, start, 3_000).filter((slot) => slot < end);
        const backwards = new Set<number>();
        for (let at = end - 1; at > start;) {
          const slot = times.last(at);
          if (slot === null || slot <= start) break;
          backwards.add(slot);
          at = slot - 1;
        }
        expect([...backwards].toReversed().slice(0, 3_000)).toEqual(forwards);
      }
    },
  );
});

describe("the nights on which the clock is changed", () => {
  /** Minutes from midnight UTC of a day at which an expression fires from then on, within a day. */
  const on = (zone: string, day: string, expression: string) => {
    const start = Date.parse(`${day}T00:00:00Z`);
    return nextSlots(timesOf(expression, zone), start - 1, 99)
      .filter((slot) => slot < start + DAY)
      .map((slot) => new Date(slot).toISOString().slice(11, 16));
  };

  test.for([
    // Forward: the local time does not exist, and the first moment behind the gap stands in.
    ["Europe/Berlin", "2026-03-29", "30 2 * * *", ["01:00"]],
    ["America/New_York", "2026-03-08", "30 2 * * *", ["07:00"]],
    ["Australia/Lord_Howe", "2026-10-03", "15 2 * * *", ["15:30"]],
    ["America/Santiago", "2026-09-06", "30 0 * * *", ["04:00"]],
    // Back: the local time exists twice, and only its first counts.
    ["Europe/Berlin", "2026-10-25", "30 2 * * *", ["00:30"]],
    ["America/New_York", "2026-11-01", "30 1 * * *", ["05:30"]],
    ["Australia/Lord_Howe", "2026-04-04", "45 1 * * *", ["14:45"]],
    ["America/Santiago", "2026-04-05", "30 23 * * *", ["02:30"]],
    // No change at all.
    ["Asia/Kolkata", "2026-03-29", "30 2 * * *", ["21:00"]],
  ] as const)("%s, %s: %s", ([zone, day, expression, expected]) => {
    expect(on(zone, day, expression)).toEqual(expected);
  });
});

describe("what is late", () => {
  const times = timesOf("0 22 * * *", "Europe/Berlin");
  const slot = Date.parse("2026-05-04T20:00:00Z");
  const long = slot - 30 * DAY;

  test("a fresh schedule does not fire what was before it", () => {
    const watcher = new Watcher(times, slot + HOUR, "once");
    watcher.look(slot + HOUR);
    watcher.look(slot + 23 * HOUR);
    expect([watcher.fired, watcher.missed.size]).toEqual([[], 0]);
    watcher.look(slot + DAY);
    expect(watcher.fired).toEqual([slot + DAY]);
  });

  test("a few minutes late is on time; more is missed, or made up for once", () => {
    const at = (late: number, policy: Standpoint["missed"]) => {
      const watcher = new Watcher(times, slot - HOUR, policy);
      watcher.look(slot + late);
      watcher.look(slot + late + 1);
      return [watcher.fired.length, watcher.missed.size];
    };
    expect([at(ON_TIME_MS, "skip"), at(ON_TIME_MS + 1, "skip"), at(ON_TIME_MS + 1, "once")]).toEqual([
      [1, 0],
      [0, 1],
      [1, 0],
    ]);
  });

  test("of several missed slots only the newest is made up for, and the others are on record", () => {
    const watcher = new Watcher(times, long, "once");
    watcher.look(slot + HOUR);
    expect(watcher.fired).toEqual([slot]);
    expect([...watcher.missed]).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1].map((days) => slot - days * DAY));
    watcher.look(slot + 2 * HOUR);
    expect(watcher.fired).toEqual([slot]);
  });

  test.for([HOUR, 3 * DAY])(
    "a clock that jumps by %d ms, ahead or back, fires no slot twice and loses none",
    (jump) => {
      for (const policy of ["skip", "once"] as const) {
        for (const direction of [1, -1]) {
          const watcher = new Watcher(times, long, policy);
          // Every four minutes of five days, of which the second has a wrong clock.
          for (let now = slot - DAY; now < slot + 4 * DAY; now += 4 * MINUTE) {
            const isWrong = now > slot + 6 * HOUR && now < slot + 18 * HOUR;
            watcher.look(now + (isWrong ? direction * jump : 0));
          }
          expect(new Set(watcher.fired).size).toBe(watcher.fired.length);
          for (let day = 0; day < 4; day++) expect(watcher.fired).toContain(slot + day * DAY);
        }
      }
    },
  );
});
