/** `owt send` and `owt wait`: words to the agents of sessions, and waiting until they have done something. */
import { type Command, Option } from "commander";
import { OwtError } from "../../core/errors.ts";
import { nearestHint } from "../../core/names.ts";
import { type InVain, NEEDS_SOMEBODY, SESSION_STATES, type SessionState, whyInVain } from "../../core/session-state.ts";
import { nameOf, wordOf } from "../../core/worktree.ts";
import type { Engine } from "../../engine/engine.ts";
import { bringBackDead } from "../../engine/sessions.ts";
import type { Checkout } from "../../engine/worktrees/place.ts";
import { answerOf, readAsks } from "../../engine/worktrees/asks.ts";
import { asksLeave, leadOf, type Sent, sendTo, waitForState } from "../../engine/worktrees/send.ts";
import { findPlaceOf } from "../../engine/worktrees/task-place.ts";
import { readHandState, readStates } from "../../engine/worktrees/state.ts";
import { listCheckouts } from "../../git/list-worktrees.ts";
import { parseSaidDuration } from "../../lib/duration.ts";
import { helpFor } from "../worktrees/list-text.ts";
import { answer, type Io, readInput, tell, withEngine } from "../io.ts";
import { shellWord } from "../../lib/printable.ts";

type SendOptions = {
  all?: boolean;
  waiting?: boolean;
  lead?: boolean;
  pane?: string;
  enter: boolean;
  timeout?: string;
  json?: boolean;
};
type WaitOptions = { for?: string; timeout?: string; json?: boolean };

export function sendCommands(program: Command, io: Io): void {
  program
    .command("send [words...]")
    .usage("[options] <name> <text...>")
    .description(
      "words to the agent in the session of a worktree, or of a task that you took over, exactly as they are; - as the text reads standard input",
    )
    .option("--all", "to every agent in a session that does not ask leave, and no name")
    .option("--waiting", "to those that wait for a word, and no name")
    .option("--lead", "to the session from which this one was made, and no name")
    .addOption(new Option("--pane <n>", "another pane than the agent's, numbered from 0"))
    .option("--no-enter", "without pressing Enter behind it")
    .option("--timeout <time>", "how long an agent that starts is waited for; 30s unless told")
    .option("--json", "print the answer as JSON")
    .action((words: string[], options: SendOptions) =>
      withEngine(io, async (engine) => {
        const { name, rest } = addressee(words, options);
        const text = rest.length === 1 && rest[0] === "-" ? await readInput(io) : rest.join(" ");
        if (text === "" && options.enter === false)
          throw new OwtError("usage", "there is nothing to send", { hint: "owt send <name> <text>" });
        const pane = options.pane === undefined ? null : paneOf(options.pane);
        const timeoutMs = options.timeout === undefined ? START_MS : timeOf(options.timeout);
        const how = { pane, enter: options.enter, timeoutMs, signal: io.signal };
        const one =
          name === null ? (options.lead ? await leadIn(engine) : null) : (await findPlaceOf(engine, name)).worktree;
        const { sent, leftOut } =
          one === null
            ? await sendToMany(engine, await meant(engine, options), text, how)
            : { sent: [await sendTo(engine, one, text, how)], leftOut: [] };
        const data = {
          sent: sent.map(({ worktree, pane: id }) => ({ ...describe(worktree), pane: id })),
          left_out: leftOut.map(({ worktree, error }) => ({ ...describe(worktree), why: error.message })),
        };
        for (const { error } of leftOut) tell(io, `left out: ${error.message}${error.hint ? ` (${error.hint})` : ""}`);
        for (const { worktree } of sent.filter(({ cleared }) => cleared))
          tell(
            io,
            `${nameOf(worktree)}: an interrupted turn had left its text in the input; it was taken out for this`,
          );
        const names = sent.map(({ worktree }) => nameOf(worktree)).join(", ");
        answer(io, options, data, sent.length === 0 ? "nobody was there to be told" : `sent to ${names}`);
        const failed = leftOut.find(({ isAsking }) => !isAsking);
        if (failed !== undefined) process.exitCode = failed.error.exitCode;
      }),
    );
  program
    .command("wait <name>")
    .description(
      "block until a session's agent waits for you; exit code 4 where it asks leave, hangs, is stopped or has ended, or its turn was cut off",
    )
    .option(
      "--for <states>",
      `until it does one of these, with commas between several; each is a success: ${SESSION_STATES.join(", ")}`,
    )
    .option("--timeout <time>", "give up after so long, with exit code 5: 90s, 10m, 2h")
    .option("--json", "print the answer as JSON")
    .action((name: string, options: WaitOptions) =>
      withEngine(io, async (engine) => {
        const { worktree } = await findPlaceOf(engine, name);
        const wanted = options.for === undefined ? NEEDS_SOMEBODY : statesIn(options.for);
        const timeoutMs = options.timeout === undefined ? null : timeOf(options.timeout);
        const isBroughtBack = engine.config.tmux.bring_back === "always";
        let suspended: number | null = null;
        const read = async () => {
          await bringBackDead(engine);
          const standing = (await readStates(engine)).get(worktree.path);
          const told = (standing?.pane ? null : readHandState(engine, worktree.path)) ?? standing;
          suspended = told?.suspended ?? null;
          const isClosed = standing?.isClosed === true;
          const isDead = isClosed || standing?.pane?.dead != null;
          // What a person has closed comes back by a person's word only.
          return { state: told?.state ?? ("none" as const), isDead, isBroughtBack: !isClosed && isBroughtBack };
        };
        const seen: SessionState[] = [];
        let vain: InVain | null = null;
        const look = async () => {
          const now = await read();
          // Between two conversations nobody is heard for a moment: who was there before has to be missed twice.
          const isSure = seen.length === 0 || seen.at(-1) === now.state || now.state === "none";
          seen.push(now.state);
          vain = isSure ? whyInVain(wanted, now) : null;
          return vain === null ? now.state : "none";
        };
        const ends = new Set<SessionState>([...wanted, "none"]);
        const state = await waitForState(engine, look, ends, { timeoutMs, signal: io.signal });
        if (state === null && io.signal.aborted) throw new OwtError("interrupted", "interrupted");
        if (vain !== null) throw waitsInVain(vain, nameOf(worktree), seen.length === 1);
        answer(io, options, { ...describe(worktree), state }, state ?? `still ${(await read()).state}`);
        if (state === null) process.exitCode = 5;
        if (options.for !== undefined || state === null || state === "waiting") return;
        // Its turn is not over: what is done next with its work must not follow by `&&`.
        const help = helpFor({ name: nameOf(worktree), state, suspended }) ?? answerIn(engine, worktree);
        tell(io, `  ↳ ${help}`);
        process.exitCode = 4;
      }),
    );
}

/** What answers the dialog of an agent. */
function answerIn(engine: Engine, worktree: Checkout): string {
  const asked = readAsks(engine, worktree).find(({ questions }) => questions !== null);
  return asked === undefined ? `owt task approve ${wordOf(worktree)}` : answerOf(asked);
}

function waitsInVain(why: InVain, name: string, isAtOnce: boolean): OwtError {
  switch (why) {
    case "no-session":
      return isAtOnce
        ? new OwtError("wrong-state", `${name} has no session to wait for`, {
            hint: `make it: owt switch ${shellWord(name)}`,
          })
        : new OwtError("wrong-state", `the session of ${name} is gone`, {
            hint: `bring it back: owt switch ${shellWord(name)}`,
          });
    case "no-agent":
      return new OwtError("wrong-state", `no agent is in the session of ${name} to wait for`, {
        hint: `with one: owt tmux kill ${shellWord(name)}, then: owt switch ${shellWord(name)} --agent claude; or until it is over: owt wait ${shellWord(name)} --for none`,
      });
    case "ended":
      return new OwtError("wrong-state", `the agent of ${name} has ended`, {
        hint: `bring it back: owt switch ${shellWord(name)}`,
      });
  }
}

/** How long an agent that starts is waited for. */
const START_MS = 30_000;

/** `isAsking`: it is left out by what the option says, which is no failure. */
type Many = { sent: Sent[]; leftOut: { worktree: Checkout; error: OwtError; isAsking: boolean }[] };
type Meant = { worktree: Checkout; isAsking: boolean };

/** One that cannot be told keeps nobody else from it. */
async function sendToMany(
  engine: Engine,
  all: readonly Meant[],
  text: string,
  how: Parameters<typeof sendTo>[3],
): Promise<Many> {
  const many: Many = { sent: [], leftOut: [] };
  for (const { worktree, isAsking } of all)
    try {
      if (isAsking) throw asksLeave(engine, worktree);
      many.sent.push(await sendTo(engine, worktree, text, how));
    } catch (error) {
      if (!(error instanceof OwtError) || !["needs-person", "wrong-state"].includes(error.code)) throw error;
      many.leftOut.push({ worktree, error, isAsking });
    }
  return many;
}

function describe(worktree: Checkout) {
  return { name: nameOf(worktree), path: worktree.path };
}

/** Who is meant by words: a name and a text, or a text alone where an option says to whom. */
function addressee(words: readonly string[], options: SendOptions): { name: string | null; rest: readonly string[] } {
  const ways = [options.all, options.waiting, options.lead].filter(Boolean).length;
  if (ways > 1)
    throw new OwtError("usage", "--all, --waiting and --lead each say to whom", { hint: "owt send --waiting <text>" });
  if (ways === 1) return { name: null, rest: words };
  const [name, ...rest] = words;
  if (name === undefined || (rest.length === 0 && options.enter))
    throw new OwtError("usage", "to whom, and what?", {
      hint: "owt send <name> <text>; to all of them: owt send --all <text>",
    });
  return { name, rest };
}

async function leadIn(engine: Engine): Promise<Checkout> {
  const lead = leadOf(engine);
  return (await listCheckouts(engine.repo)).find(({ path }) => path === lead) ?? { path: lead, branch: null };
}

async function meant(engine: Engine, options: SendOptions): Promise<Meant[]> {
  const states = await readStates(engine);
  const isMeant = (state: SessionState) =>
    options.waiting ? ["waiting", "cut-off", "blocked"].includes(state) : state !== "ended" && state !== "none";
  return (await listCheckouts(engine.repo)).flatMap((worktree) => {
    const standing = states.get(worktree.path);
    if (standing === undefined || standing.pane === null || !isMeant(standing.state)) return [];
    return [{ worktree, isAsking: standing.state === "blocked" }];
  });
}

function paneOf(word: string): number {
  if (/^\d+$/.test(word)) return Number(word);
  throw new OwtError("usage", `${word} is no number of a pane`, { hint: 'owt send <name> --pane 1 "npm test"' });
}

function statesIn(words: string): Set<SessionState> {
  const found = words.split(",").map((word) => word.trim());
  for (const word of found) {
    if (SESSION_STATES.some((state) => state === word)) continue;
    throw new OwtError("usage", `${word} is no state of a session`, {
      hint: nearestHint(word, SESSION_STATES, `states: ${SESSION_STATES.join(", ")}; see: owt wait --help`),
    });
  }
  return new Set(found as SessionState[]);
}

function timeOf(word: string): number {
  const ms = parseSaidDuration(word);
  if (ms !== null) return ms;
  throw new OwtError("usage", `${word} is no time`, { hint: "for example: owt wait <name> --timeout 10m" });
}
