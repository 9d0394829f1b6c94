/** Notifications: which facts a person is to be told of, what is said of them, and in which form each kind of receiver takes it. Pure.
 *  Only titles and commands go out: no prompts, no words of agents, no output. */
import type { Config, Layer } from "./config.ts";
import type { Fact } from "./event.ts";
import type { FiringState } from "./firing.ts";
import type { MomentName } from "./moments.ts";

/** What a task waits for a person with, in words. */
const WAITS = {
  answer: "asks a question",
  permission: "was refused a tool that it needs",
  conflict: "has a conflict to be resolved",
  red: "is red, and is to be mended",
  login: "was refused by its provider: a login or money is missing",
  agent: "has an agent that cannot be started, and is to be told how it goes on",
  review: "waits for approval",
  failed: "failed",
  budget: "has used up its budget",
} as const;

/** What is on record of something to be told of; the rest is looked up when it is. `about` is a task's row number. */
export type Moment =
  | { name: "waiting"; for: keyof typeof WAITS }
  | { name: "waiting"; for: "room" | "branch" | "outage"; why: string }
  | { name: "budget"; text: string; isUsedUp: boolean }
  | { name: "run-ended"; counts: Record<"done" | "failed" | "skipped" | "cancelled", number> }
  | { name: "batch-ended"; batch: string; state: FiringState; reason: string | null };

/** What a person is told of as soon as a task is parked for it. */
const FOR_PERSON: ReadonlySet<string> = new Set(["answer", "permission", "conflict", "red", "login", "agent"]);

/** What a fact is to be told as; null for most. `key` names what happens once however often it is written down; null: each such fact counts. */
export function momentOf(fact: Fact, run: string | null): { moment: Moment; key: string | null } | null {
  switch (fact.kind) {
    case "task-parked": {
      const why = fact.park.for;
      if (FOR_PERSON.has(why)) return waits(why as keyof typeof WAITS);
      // That of a run or a day is one thing, whatever it stopped.
      return why === "budget" && fact.park.scope === "task" ? waits("budget") : null;
    }
    case "task-moved":
      return fact.to === "review" || fact.to === "failed" ? waits(fact.to) : null;
    case "run-held": {
      const { usedUp } = fact;
      if (usedUp === undefined) return null;
      return { moment: { name: "budget", text: usedUp, isUsedUp: true }, key: `${run} used up ${usedUp}` };
    }
    case "budget-warned":
      if (fact.isNear !== true) return null;
      return { moment: { name: "budget", text: fact.text, isUsedUp: false }, key: `${run} near ${fact.about}` };
    case "room-needed":
      return { moment: { name: "waiting", for: "room", why: fact.why }, key: `${run} has no room since ${fact.since}` };
    case "run-limited": {
      const stays = fact.limits.find(({ awaySince }) => awaySince !== undefined);
      if (stays === undefined) return null;
      const moment: Moment = { name: "waiting", for: "outage", why: stays.outage! };
      return { moment, key: `${run} has no API since ${stays.awaySince}` };
    }
    case "tip-red": {
      if (fact.red === null) return null;
      const { tip, branch, command } = fact.red;
      const why = `${branch} itself is red: ${command}`;
      return { moment: { name: "waiting", for: "branch", why }, key: `${run} is red at ${tip}` };
    }
    case "run-astray":
      if (fact.astray === null) return null;
      return {
        moment: { name: "waiting", for: "branch", why: fact.astray.why },
        key: `${run} is astray: ${fact.astray.why}`,
      };
    case "run-ended": {
      const { done, failed, skipped, cancelled } = fact;
      return { moment: { name: "run-ended", counts: { done, failed, skipped, cancelled } }, key: `${run} ended` };
    }
    case "batch-ended": {
      const { batch, slot, state, reason } = fact;
      if (!fact.notify) return null;
      return { moment: { name: "batch-ended", batch, state, reason }, key: `batch ${batch} ${slot} ended` };
    }
    default:
      return null;
  }
}

function waits(why: keyof typeof WAITS): { moment: Moment; key: null } {
  return { moment: { name: "waiting", for: why }, key: null };
}

/** What goes out. */
export type Notice = {
  /** The same for each try and each receiver: who gets it twice can tell. */
  id: string;
  event: MomentName | "test";
  /** When it happened, ISO 8601. */
  at: string;
  /** The repository's folder, its name alone. */
  project: string;
  run: string | null;
  task: string | null;
  batch: string | null;
  /** One line. */
  title: string;
  /** The command that answers it; null where there is nothing to answer. */
  command: string | null;
};

/** What a moment is told as. `task` is its key and its title. */
export function titleOf(moment: Moment, run: string | null, task: { key: string; title: string } | null): string {
  switch (moment.name) {
    case "waiting":
      if (moment.for === "room") return `${run} waits for room: ${moment.why}`;
      if (moment.for === "branch" || moment.for === "outage") return `${run} waits: ${moment.why}`;
      return `${task === null ? "a task" : `${task.key} (${task.title})`} ${WAITS[moment.for]}`;
    case "budget":
      return moment.isUsedUp
        ? `${run} waits: ${moment.text.replace(/^waits: /, "")}${moment.text.startsWith("waits: ") ? "" : " is used up"}`
        : `${run} ${moment.text}`;
    case "run-ended": {
      const counts = Object.entries(moment.counts).filter(([, count]) => count > 0);
      return `${run} ended: ${counts.map(([state, count]) => `${count} ${state}`).join(", ") || "nothing done"}`;
    }
    case "batch-ended": {
      const words = BATCH_ENDS[moment.state] ?? moment.state;
      return `${moment.batch} ${words}${moment.reason === null ? "" : `: ${moment.reason}`}`;
    }
    default: {
      const never: never = moment;
      return never;
    }
  }
}

const BATCH_ENDS: Partial<Record<FiringState, string>> = {
  over: "is over",
  nothing: "had nothing to do",
  refused: "was not started",
  missed: "was missed",
};

/** Who is told. `name` stands in messages in place of the address, which is a secret: who has it can post. */
export type Target = { name: string } & (
  | { kind: "desktop" }
  | { kind: "slack" | "discord"; address: string }
  | { kind: "webhook"; address: string; events: readonly MomentName[] | null }
);

/** Everybody who is told. A layer of the repository counts for an address only where `mayUse` says so of it, and takes none of the user's away. */
export function targetsFrom(config: Config, layers: readonly Layer[], mayUse: (address: string) => boolean): Target[] {
  const targets: Target[] = config.notifications.desktop ? [{ kind: "desktop", name: "desktop" }] : [];
  const trusted = (layer: Layer, address: string) => layer.origin !== "repository" || mayUse(address);
  for (const [kind, key] of [
    ["slack", "slack_webhook"],
    ["discord", "discord_webhook"],
  ] as const) {
    const addresses = layers.flatMap((layer) => {
      const address = layer.values.notifications?.[key];
      return address !== undefined && trusted(layer, address) ? [address] : [];
    });
    const address = addresses.at(-1);
    if (address) targets.push({ kind, name: kind, address });
  }
  const webhooks = layers.flatMap((layer) =>
    (layer.values.notifications?.webhook ?? []).filter(({ url }) => trusted(layer, url)),
  );
  const unique = [...new Map(webhooks.map((each) => [each.url, each])).values()];
  unique.forEach(({ url, events }, at) =>
    targets.push({ kind: "webhook", name: `webhook ${at + 1}`, address: url, events: events ?? null }),
  );
  return targets;
}

/** The addresses that a layer names, with the key of each. */
export function addressesIn({ values }: Layer): { key: string; address: string }[] {
  const { slack_webhook: slack, discord_webhook: discord, webhook = [] } = values.notifications ?? {};
  return [
    ...(!slack ? [] : [{ key: "slack_webhook", address: slack }]),
    ...(!discord ? [] : [{ key: "discord_webhook", address: discord }]),
    ...webhook.map(({ url }) => ({ key: "webhook", address: url })),
  ];
}

/** The variable that holds an address; null of one that stands there itself, or in a file. */
export function variableIn(address: string): string | null {
  return address.startsWith("env:") ? address.slice("env:".length) : null;
}

/** What is amiss with an address in a variable that holds none. */
export function describeUnset(variable: string): string {
  return `the variable ${variable} is not set`;
}

/** An address without what is secret in it: `https://hooks.slack.com/…`, `env:NAME`. */
export function withoutSecret(address: string): string {
  const host = /^(https?:\/\/)(?:[^/?#]*@)?([^/?#@]*)/.exec(address);
  return host === null ? address : `${host[1]}${host[2]}/…`;
}

/** Whether a target wants to hear of it. */
export function wants(target: Target, event: Notice["event"]): boolean {
  return event === "test" || target.kind !== "webhook" || target.events === null || target.events.includes(event);
}

/** What is posted to a target that has an address. A webhook gets the notice as it is, in the envelope of all answers (docs/schemas/notification.json). */
export function bodyFor(kind: "slack" | "discord" | "webhook", notice: Notice): object {
  switch (kind) {
    case "webhook":
      return { schema: 1, data: notice };
    case "slack":
      // https://docs.slack.dev/messaging/formatting-message-text: these three are its own.
      return {
        text: lines(notice, "*", (text) =>
          text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
        ),
      };
    case "discord":
      // Titles are no way to call everybody in a channel. At most 2,000 characters are taken.
      return { content: lines(notice, "**", (text) => text).slice(0, 2_000), allowed_mentions: { parse: [] } };
    default: {
      const never: never = kind;
      return never;
    }
  }
}

function lines({ project, title, command }: Notice, bold: string, escape: (text: string) => string): string {
  const head = `${bold}${escape(project)}${bold}: ${escape(title)}`;
  return command === null ? head : `${head}\n\`${escape(command)}\``;
}

/** How often a notice is tried, and the pauses between, in milliseconds. */
const PAUSES_MS = [1_000, 5_000, 30_000];

/** The pause before the next try, after so many; null: it is given up. `askedMs`: what the receiver asks for, which is heeded up to a minute. */
export function pauseAfter(tries: number, askedMs: number | null): number | null {
  const pause = PAUSES_MS[tries - 1];
  return pause === undefined ? null : Math.max(pause, Math.min(60_000, askedMs ?? 0));
}

/** What is older is no news any more, in milliseconds. */
export const NEWS_MS = 24 * 3_600_000;
