import { expect, test } from "vitest";
import { mergeConfig, type Layer } from "./config.ts";
import {
  bodyFor,
  momentOf,
  type Notice,
  pauseAfter,
  targetsFrom,
  titleOf,
  wants,
  withoutSecret,
} from "./notification.ts";

test("a person is told of what only they can answer, of budgets and of ends, and of nothing else", () => {
  const parked = (park: object) => momentOf({ kind: "task-parked", park, notBefore: null } as never, "r1");
  expect(parked({ for: "answer", question: "?" })).toEqual({ moment: { name: "waiting", for: "answer" }, key: null });
  for (const why of ["permission", "conflict", "login", "agent"])
    expect(parked({ for: why })?.moment).toMatchObject({ for: why });
  // They took it themselves; the rest goes on by itself.
  for (const why of ["hand", "limit", "retry"]) expect(parked({ for: why })).toBeNull();
  expect(parked({ for: "budget", scope: "task" })?.moment).toEqual({ name: "waiting", for: "budget" });
  expect(parked({ for: "budget", scope: "run" })).toBeNull();
  const moved = (to: "review" | "failed" | "done") => momentOf({ kind: "task-moved", from: "running", to }, "r1");
  expect([moved("review"), moved("failed"), moved("done")].map((each) => each?.moment.name)).toEqual([
    "waiting",
    "waiting",
    undefined,
  ]);
});

test("what is written down again is the same moment", () => {
  const held = (usedUp?: string) =>
    momentOf({ kind: "run-held", by: "run", tasks: [], ...(usedUp === undefined ? {} : { usedUp }) }, "r1");
  expect(held()).toBeNull();
  expect(held("$5.00 for the run")?.key).toBe(held("$5.00 for the run")?.key);
  expect(held("$5.00 for the run")?.key).not.toBe(held("$10.00 for the run")?.key);
  const warned = (isNear: boolean) =>
    momentOf({ kind: "budget-warned", about: "run usd 5", text: "…", ...(isNear ? { isNear } : {}) }, "r1");
  expect([warned(false), warned(true)?.key]).toEqual([null, "r1 near run usd 5"]);
  const over = (notify: boolean) =>
    momentOf({ kind: "batch-ended", batch: "night", slot: 5, notify, state: "over", reason: "2 done" }, "r1");
  expect([over(false), over(true)?.key]).toEqual([null, "batch night 5 ended"]);
});

test("an API that cannot be reached is told of once where it stays so, with what it said", () => {
  const away = (awaySince?: number) => ({
    until: 9,
    tasks: [1],
    outage: "the API of claude cannot be reached (529)",
    ...(awaySince === undefined ? {} : { awaySince }),
  });
  const told = (...limits: ReturnType<typeof away>[]) => momentOf({ kind: "run-limited", limits }, "r1");
  expect([told(), told(away())]).toEqual([null, null]);
  expect(told(away(5))?.key).toBe(told({ ...away(5), until: 99 })?.key);
  expect(titleOf(told(away(5))!.moment, "r1", null)).toBe("r1 waits: the API of claude cannot be reached (529)");
});

test("a title is a line with the task's own title", () => {
  const task = { key: "shop/E01", title: "The cart" };
  expect(titleOf({ name: "waiting", for: "permission" }, "r1", task)).toBe(
    "shop/E01 (The cart) was refused a tool that it needs",
  );
  expect(titleOf({ name: "budget", text: "waits: the run's time is over (8h)", isUsedUp: true }, "r1", null)).toBe(
    "r1 waits: the run's time is over (8h)",
  );
  const none = { done: 0, failed: 0, skipped: 0, cancelled: 0 };
  expect(titleOf({ name: "run-ended", counts: none }, "r1", null)).toBe("r1 ended: nothing done");
  expect(titleOf({ name: "batch-ended", batch: "night", state: "refused", reason: "no plan" }, null, null)).toBe(
    "night was not started: no plan",
  );
});

test("the repository's addresses count when they may, the last of a kind wins, and webhooks add up", () => {
  const layer = (origin: Layer["origin"], notifications: NonNullable<Layer["values"]["notifications"]>): Layer => ({
    origin,
    name: origin,
    values: { notifications },
  });
  const layers = [
    layer("user", { slack_webhook: "https://a/1", webhook: [{ url: "https://a/2", events: ["budget"] }] }),
    layer("repository", { slack_webhook: "https://b/1", webhook: [{ url: "https://b/2" }, { url: "https://a/2" }] }),
  ];
  const of = (mayUse: (address: string) => boolean) =>
    targetsFrom(mergeConfig(layers), layers, mayUse).map((each) =>
      each.kind === "desktop" ? each.name : `${each.name} ${each.address}`,
    );
  expect(of(() => false)).toEqual(["desktop", "slack https://a/1", "webhook 1 https://a/2"]);
  expect(of((address) => address !== "https://a/2")).toEqual([
    "desktop",
    "slack https://b/1",
    "webhook 1 https://a/2",
    "webhook 2 https://b/2",
  ]);
  // An empty one is none, and the repository's no word about the user's.
  const off = [...layers, layer("environment", { slack_webhook: "" })];
  expect(targetsFrom(mergeConfig(off), off, () => true).map(({ kind }) => kind)).not.toContain("slack");
  const blank = [layers[0]!, layer("repository", { slack_webhook: "" })];
  expect(targetsFrom(mergeConfig(blank), blank, () => false).map(({ kind }) => kind)).toContain("slack");
  const quiet = layer("repository", { desktop: false });
  expect(targetsFrom(mergeConfig([quiet]), [quiet], () => true)).toEqual([]);
  const [, , hook] = targetsFrom(mergeConfig(layers), layers, () => false);
  expect([wants(hook!, "budget"), wants(hook!, "waiting"), wants(hook!, "test")]).toEqual([true, false, true]);
});

test("each receiver gets its own form", () => {
  const notice: Notice = {
    id: "x-1",
    event: "waiting",
    at: "2026-11-22T00:00:00.000Z",
    project: "shop",
    run: "r1",
    task: "a",
    batch: null,
    title: "@everyone <!channel> & more",
    command: "owt inbox",
  };
  expect(bodyFor("webhook", notice)).toEqual({ schema: 1, data: notice });
  expect(bodyFor("slack", notice)).toEqual({ text: "*shop*: @everyone &lt;!channel&gt; &amp; more\n`owt inbox`" });
  const long = { ...notice, title: "x".repeat(5_000), command: null };
  const discord = bodyFor("discord", long) as { content: string; allowed_mentions: object };
  expect([discord.content.length, discord.allowed_mentions]).toEqual([2_000, { parse: [] }]);
});

test("of an address only where it leads is told", () => {
  expect(withoutSecret("https://hooks.slack.com/services/T0/B0/xyz")).toBe("https://hooks.slack.com/…");
  expect(withoutSecret("https://me:word@host:8443/a?token=1#b")).toBe("https://host:8443/…");
  expect(withoutSecret("http://host?token=1")).toBe("http://host/…");
  expect(withoutSecret("https://a/b@c")).toBe("https://a/…");
  expect(withoutSecret("env:HOOK")).toBe("env:HOOK");
});

test("tries are few, and further apart where the receiver asks for it", () => {
  expect([1, 2, 3, 4].map((tries) => pauseAfter(tries, null))).toEqual([1_000, 5_000, 30_000, null]);
  expect([pauseAfter(1, 20_000), pauseAfter(1, 3_600_000), pauseAfter(3, 10)]).toEqual([20_000, 60_000, 30_000]);
});
