/** Caps of agents: `max_memory` and `max_cpus` of `[agent.NAME]`, where the system keeps them; where it does not, that is told. */
import type { Attempt } from "../core/attempt.ts";
import type { Outcome } from "../core/outcome.ts";
import { parseSize, renderMemory } from "../lib/size.ts";
import { appendEvent, hasNote } from "../store/events.ts";
import { capCommand, type Caps, findCapPlaces, leaveCaps, readCapped, uncappable } from "../system/caps.ts";
import type { LaunchMode } from "../system/launch.ts";
import type { Carried } from "./attempt-moves.ts";
import { attemptDir, type Engine } from "./engine.ts";
import type { Finding } from "./examine-machine.ts";

/** The caps of an agent, as configured. */
function capsFor({ config }: Pick<Engine, "config">, agent: string): Caps {
  const { max_memory, max_cpus } = config.agent.named[agent] ?? {};
  return { memoryBytes: max_memory === undefined ? null : parseSize(max_memory), cpus: max_cpus ?? null };
}

/** The command of an attempt's agent, kept within its caps. Said once in a run where they are not kept. */
export function capAgent(engine: Engine, carried: Carried, mode: LaunchMode, command: readonly string[]): string[] {
  const { run, attempt } = carried;
  const caps = capsFor(engine, attempt.agent);
  if (caps.memoryBytes === null && caps.cpus === null) return [...command];
  const missing = ownsTree(mode) ? ["memory", "processors"] : uncappable(caps);
  if (missing.length > 0) {
    const text = `the caps of ${attempt.agent} do not hold here: this system keeps none for ${missing.join(" and ")} (see: owt doctor)`;
    engine.store.transaction(() => {
      if (!hasNote(engine.store, run.id, text))
        appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "note", text });
    });
  }
  return ownsTree(mode) ? [...command] : capCommand(attemptDir(engine, attempt.id), caps, command);
}

/** A launch that is held together by a cgroup of version 2 may not move to another one of that version. */
function ownsTree(mode: LaunchMode): boolean {
  const { memory, cpu } = findCapPlaces();
  return mode === "cgroup" && [memory, cpu].some((place) => place?.version === 2);
}

/** What an agent was ended by: its cap, where that is why it ended badly. To be asked once it has ended, and once only. */
export function judgeCapped(engine: Engine, attempt: Attempt, outcome: Outcome): Outcome {
  const dir = attemptDir(engine, attempt.id);
  const killed = readCapped(dir);
  leaveCaps(dir);
  const { memoryBytes } = capsFor(engine, attempt.agent);
  if (killed === 0 || memoryBytes === null) return outcome;
  const most = `its ${renderMemory(memoryBytes)} of memory ([agent.${attempt.agent}] max_memory)`;
  if (ENDED_BADLY.has(outcome.kind))
    return { kind: "failed", reason: `the system ended it: it took more than ${most}` };
  const text = `the system ended ${killed} of its processes: together they took more than ${most}`;
  const about = { run: attempt.run, task: attempt.task, attempt: attempt.id };
  appendEvent(engine.store, engine.now(), about, { kind: "note", text });
  return outcome;
}

const ENDED_BADLY = new Set<Outcome["kind"]>(["lost", "failed", "nothing_done", "transient"]);

/** Whether agents can be capped here, for a doctor. It matters only where a cap is configured. */
export function examineCaps({ config }: Pick<Engine, "config">): Finding {
  const check = "caps";
  const { memory, cpu } = findCapPlaces();
  const kept = [...(memory ? ["memory"] : []), ...(cpu ? ["processors"] : [])];
  const wanted = Object.keys(config.agent.named).filter((name) => {
    const { memoryBytes, cpus } = capsFor({ config }, name);
    return uncappable({ memoryBytes, cpus }).length > 0;
  });
  const version = memory?.version ?? cpu?.version;
  const can = `${kept.join(" and ")} of agents can be capped (cgroup version ${version})`;
  if (wanted.length === 0 && kept.length > 0) return { check, state: "pass", detail: can };
  const cannot = "no cgroup that we may write in has the controllers for it";
  if (wanted.length === 0) return { check, state: "absent", detail: `agents cannot be capped here: ${cannot}` };
  const detail = `the caps of ${wanted.join(", ")} do not hold here: ${cannot}`;
  return {
    check,
    state: "warn",
    detail,
    hint: "start owt in a session of systemd's: systemd-run --user --scope owt run",
  };
}
