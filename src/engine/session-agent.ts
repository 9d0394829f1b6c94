/** The agent of a session: which one it is, how its program is started in its conversation, and what it is told with that. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Agent, Talk } from "../agents/agent.ts";
import { configuredChoices } from "../core/choices.ts";
import { OwtError } from "../core/errors.ts";
import { type FirstWords, startLine } from "../core/session-state.ts";
import { writeFileAtomically } from "../system/files.ts";
import { findProgram } from "../system/programs.ts";
import { type Engine, findAgent, knownAgents } from "./engine.ts";
import { firstWords, rememberFirst } from "./first-words.ts";
import { beginSpool, readSpool } from "./spool.ts";

/** The agent for a person to talk to: the one that was named, which must be one; else the worktree's `own`; else, where `isAuto`, the configured one. Of these two one that
 *  only works unattended, or is not installed, is left out, and said. */
export function chooseAgent(
  engine: Engine,
  wish: string | null | false,
  own: string | null,
  isAuto: boolean,
): { agent: Agent | null; note: string | null } {
  if (wish === false || (wish === null && own === null && !isAuto)) return { agent: null, note: null };
  const agent = findAgent(engine, wish ?? own ?? engine.config.agent.default);
  const talk = agent.talk(talkFor(engine, agent.name, NOTHING));
  if (talk !== null && (wish !== null || findProgram(talk.file, engine.env) !== null)) return { agent, note: null };
  const why = talk === null ? `${agent.name} works unattended only` : `${talk.file} is not installed (owt doctor)`;
  if (wish === null) return { agent: null, note: `${why}: the first pane is a shell` };
  const able = knownAgents(engine.config).filter((name) => canTalk(engine, name));
  throw new OwtError("usage", `${why}, not in a session`, {
    hint:
      able.length === 0
        ? "a shell: owt tmux create --no-agent; which agents there are: owt doctor"
        : `with an agent that can: owt tmux create --agent ${able[0]}`,
  });
}

/** Whether an agent can be talked to in a session: of its kind, and its program being there. */
export function canTalk(engine: Engine, name: string): boolean {
  const talk = findAgent(engine, name).talk(talkFor(engine, name, NOTHING));
  return talk !== null && findProgram(talk.file, engine.env) !== null;
}

type Begun = Pick<Talk, "session" | "resume" | "prompt" | "spool">;
const NOTHING: Begun = { session: "", resume: false, prompt: null, spool: null };

function talkFor(engine: Engine, name: string, begun: Begun): Talk {
  const choices = configuredChoices(engine.config.agent.named[name]);
  return {
    ...begun,
    model: choices.model ?? null,
    maxTokens: choices.maxTokens ?? null,
    permissionMode: choices.permissionMode ?? null,
    allowedTools: choices.allowedTools ?? [],
    extraArgs: choices.extraArgs ?? [],
  };
}

/** The argument array that starts a conversation, or goes on with the one of that id. The program is found here: the server may have
 *  another PATH than we. */
export function talkCommand(
  engine: Engine,
  agent: Agent,
  { conversation, worktree, prompt }: { conversation: string; worktree: string; prompt: string | null },
): Command {
  const resume = agent.hasConversation(conversation);
  const spool = beginSpool(engine, worktree);
  const words = firstWords(engine, worktree, { agent, conversation, prompt });
  const talk = talkFor(engine, agent.name, { session: conversation, resume, prompt: words?.text ?? null, spool });
  const { file, args, env, settings } = agent.talk(talk)!;
  if (settings !== null) writeFileAtomically(spool.settings, settings);
  const path = findProgram(file, engine.env);
  if (path === null)
    throw new OwtError("environment", `the program of ${agent.name} is not there: ${file}`, {
      hint: `${agent.about.install ?? "install it"}; or without an agent: owt tmux create --no-agent`,
    });
  const variables = Object.entries({ ...engine.config.agent.named[agent.name]?.env, ...env }).map(
    ([key, value]) => `${key}=${value}`,
  );
  const own = [...(variables.length > 0 ? ["env", ...variables] : []), path, ...args];
  const line = startLine(randomUUID(), words);
  return { command: ["sh", "-c", START_SCRIPT, "owt", spool.file, line, ...own], line, words };
}

/** A program's argument array, the line with which its spool tells of its start, and what it is told with that. */
type Command = { command: string[]; line: string; words: FirstWords | null };

/** Behind a start: what it was told is remembered until it has it. */
export async function noteStart(engine: Engine, worktree: string, { line, words }: Command): Promise<void> {
  await rememberFirst(engine, worktree, words, () => untilBegun(engine, worktree, line));
}

/** Until the spool tells of this start, and no more of the agent that was there before. A pane that ended at once may never write it: false. */
async function untilBegun(engine: Engine, worktree: string, line: string): Promise<boolean> {
  for (let looks = 0; looks < LOOKS; looks++) {
    if (readSpool(engine, worktree)?.lines.includes(line)) return true;
    await sleep(BEGUN_MS);
  }
  return false;
}

/** How often, and how long between, a spool is looked at for the start of its agent. */
const LOOKS = 100;
const BEGUN_MS = 20;

/** By the program that becomes the agent, so that whatever its hooks say stands behind it. */
const START_SCRIPT = 'printf "%s\\n" "$2" >>"$1"; shift 2; exec "$@"';
