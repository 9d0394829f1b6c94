/** What the tests with the real Claude Code share: a plan and its checks, what the model says to carry it out, and how a run is looked at. */
import { existsSync } from "node:fs";
import { vi } from "vitest";
import { claudeBinary, type ClaudeVersion } from "./claude-binary.ts";
import { type ClaudeRig, claudeRig, type Place, type RigOptions } from "./claude-rig.ts";
import { type Answer, type Gate, type Script, startFakeApi } from "./fake-api.ts";

/** Why the real one cannot be driven here; null when it can. */
export function whyNoClaude(version?: ClaudeVersion): string | null {
  if (!existsSync("/proc/self/stat")) return "what still runs is judged from /proc, which this machine has not";
  if (existsSync(claudeBinary(version))) return null;
  return `no real Claude Code at ${claudeBinary(version)}; fetch it with: node scripts/fetch-agents.ts`;
}

/** Green when nothing is left to do in any text. */
const CHECK = `cat *.txt
if grep -n TODO *.txt; then echo "something is left to do"; exit 1; fi
`;

/** Stays for ever, and leaves a daemon behind that carries no mark, no group, no parent of ours. */
const LINGER = `env -i setsid tail -f /dev/null >/dev/null 2>&1 &
trap '' HUP
nohup tail -f /dev/null >/dev/null 2>&1 &
echo up >"$HOME/lingers"
tail -f /dev/null
`;

const SCRIPTS = { "check.sh": CHECK, "linger.sh": LINGER };

export const CONFIG = `[run]
verify = "sh check.sh"

[agent.claude]
allowed_tools = ["Bash(sh linger.sh)"]
`;

/** Three tasks one after the other, and one beside the second. */
export const CHAIN: Record<string, string> = {
  "docs/plans/site/epic-01-first.md": "# The first page\n\nWrite first.txt.\n",
  "docs/plans/site/epic-02-second.md": "# The second page\n\nWrite second.txt.\n",
  "docs/plans/site/epic-03-third.md": "# The third page\n\nWrite third.txt.\n",
};
export const BESIDE = {
  "docs/plans/look/epic-01-look.md": "---\ndepends_on: [site/E01]\n---\n# The look\n\nWrite look.txt.\n",
};
export const SINGLE = { "docs/plans/site/epic-01-first.md": CHAIN["docs/plans/site/epic-01-first.md"]! };

/** A rig whose commands are approved. */
export async function approvedRig(
  plan: Record<string, string>,
  script: Script,
  more: {
    refuse?: NonNullable<Parameters<typeof startFakeApi>[1]>;
    env?: NonNullable<RigOptions["env"]>;
    version?: ClaudeVersion;
    config?: string;
  } = {},
): Promise<ClaudeRig> {
  const api = await startFakeApi(script, more.refuse);
  const files = { ".worktreerc": more.config ?? CONFIG, ...SCRIPTS, ...plan };
  const rig = await claudeRig({
    api,
    files,
    env: more.env ?? {},
    ...(more.version ? { version: more.version } : {}),
  });
  await rig.ask("config", "approve", "--yes");
  return rig;
}

/** Another repository of the same user, whose commands are approved. */
export async function approvedBeside(
  rig: ClaudeRig,
  name: string,
  plan: Record<string, string>,
  env?: Record<string, string>,
): Promise<Place> {
  const place = rig.beside(name, { ".worktreerc": CONFIG, ...SCRIPTS, ...plan }, env);
  await place.ask("config", "approve", "--yes");
  return place;
}

/** Writes a file, commits it, says so; `gate` holds the second word. */
export function works(name: string, { text = name, gate }: { text?: string; gate?: Gate } = {}): { task: Answer[] } {
  const file = `${name}.txt`;
  const commit = { command: `git add ${file} && git commit -q -m 'Add ${file}'`, description: "Commit" };
  return {
    task: [
      { say: `I write ${text}.`, use: [{ name: "Write", input: { file_path: file, content: `${text}\n` } }] },
      { use: [{ name: "Bash", input: commit }], ...(gate ? { gate } : {}) },
      { say: "It is written." },
    ],
  };
}

export function lingers(): Answer {
  return { use: [{ name: "Bash", input: { command: "sh linger.sh", description: "Linger" } }] };
}

/** The merges of the run in order, each with its task and whether it was verified. */
export function integrated(rig: Pick<Place, "git">): string[] {
  const keys = ["Owt-Task", "Owt-Verified", "Owt-Group"];
  const format = ["%P", ...keys.map((key) => `%(trailers:key=${key},valueonly,separator=)`)].join("%x09");
  const told = (range: string): string[] => {
    const rows = rig.git("log", "--first-parent", "--merges", "--reverse", `--format=${format}`, range).split("\n");
    return rows.flatMap((row) => {
      const [parents = "", task = "", verified = "", group = ""] = row.split("\t");
      // Tasks that were checked together lie behind the second parent of the merge around them.
      return group === "" ? [`${task} ${verified}`] : told(parents.split(" ").join(".."));
    });
  };
  return told("main..owt/runs/r1");
}

/** Each request about a task: on which occasion, and the how manieth word was asked for. */
export function turnsOf(rig: ClaudeRig, task: string): string[] {
  return rig.api.requests.filter((request) => request.task === task).map((each) => `${each.occasion} ${each.turn}`);
}

export function sessionOf(start: string): string {
  return /--(?:session-id|resume) (\S+)/.exec(start)?.[1] ?? "";
}

type Status = { carried_by: number | null; runs: { tasks: { state: string; standing: string }[] }[] };

export async function standingOf(rig: ClaudeRig): Promise<Status["runs"][0]["tasks"][0] | undefined> {
  return (await rig.ask<Status>("status")).runs[0]?.tasks[0];
}

export async function carriedBy(rig: ClaudeRig, pid: number): Promise<unknown> {
  return vi.waitUntil(async () => (await rig.ask<Status>("status")).carried_by === pid, { timeout: 60_000 });
}
