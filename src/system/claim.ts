/** The two facts that a launch leaves in its attempt's folder: `claim` (who runs it, or that nobody may) and `exit` (the command's code). */
import { lstatSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Identity, isAlive } from "./identity.ts";

/** Who owns the process tree, best first: the kernel's pid namespace (made as root, or as a plain user), its cgroup, or only a process group
 *  and a mark. */
export const LAUNCH_MODES = ["namespace", "user-namespace", "cgroup", "group"] as const;

export type LaunchMode = (typeof LAUNCH_MODES)[number];

export type Claim =
  /** The wrapper took it; `outer` owns the tree and lives as long as it. */
  | { kind: "taken"; mode: Exclude<LaunchMode, "cgroup">; outer: Identity }
  /** The same, of a cgroup with that path, which is made after the claim: whatever was made is named here. */
  | { kind: "taken"; mode: "cgroup"; outer: Identity; cgroup: string }
  /** The engine took it first: nothing runs, and nothing will. */
  | { kind: "void" };

/** The variable that marks every process of an attempt, with the attempt's folder as its value; it is all that finds a process that left
 *  the group in mode `group`, and the same in every mode. */
export const MARK = "OWT_ATTEMPT";

const VOID = "void";

/** The claim in an attempt's folder; undefined while there is none. It is written by OUTER_SCRIPT and {@link takeVoidClaim}. */
export function readClaim(dir: string): Claim | undefined {
  const text = readClaimText(dir);
  if (text === undefined) return undefined;
  return text === VOID ? { kind: "void" } : parseClaim(text);
}

function parseClaim(text: string): Extract<Claim, { kind: "taken" }> {
  // A path may hold blanks, and has one word before it for each of the others: a start time is one word where there are cgroups.
  const [, ofCgroup, cgroup] = /^(cgroup \S+ \S+ \S+) (.+)$/.exec(text) ?? [];
  const [mode, pid, bootId, ...start] = (ofCgroup ?? text).trim().split(/\s+/);
  const outer = { bootId: bootId ?? "", pid: Number(pid), startTime: start.join(" ") };
  if (cgroup !== undefined) return { kind: "taken", mode: "cgroup", outer, cgroup };
  return { kind: "taken", mode: mode === "namespace" || mode === "user-namespace" ? mode : "group", outer };
}

/** Takes the claim so that no wrapper can; false where somebody was first, or where there is no such folder. */
export function takeVoidClaim(dir: string): boolean {
  try {
    symlinkSync(VOID, join(dir, "claim"));
    return true;
  } catch (error) {
    if (["EEXIST", "ENOENT", "ENOTDIR"].includes(codeOf(error))) return false;
    throw error;
  }
}

/** The command's exit code, 0 to 255; undefined where none was written in full. Means something only once the outer is gone. */
export function readExitCode(dir: string): number | undefined {
  try {
    const text = readFileSync(join(dir, "exit"), "utf8");
    return /^\d{1,3}\n$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** The words of the claim. A link is one that says that nobody may, or an earlier owt's. */
function readClaimText(dir: string): string | undefined {
  const path = join(dir, "claim");
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    return stat.isSymbolicLink() ? readlinkSync(path) : (wholeLine(path) ?? readUnwritten(dir));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** Null where it was not written to its end, or a power cut took that. */
function wholeLine(path: string): string | null {
  const text = readFileSync(path, "utf8");
  return text.endsWith("\n") ? text.slice(0, -1) : null;
}

/** Whose a claim is that nothing is written in: of those who wanted it, the one that lives is about to write it, or to see that it is another's. Where none does, nothing
 *  runs. */
function readUnwritten(dir: string): string {
  const wanted = readdirSync(dir)
    .filter((name) => /^claim\.\d+$/.test(name))
    .flatMap((name) => wholeLine(join(dir, name)) ?? []);
  return wanted.find((text) => isAlive(parseClaim(text).outer)) ?? wanted[0] ?? NOBODY;
}

/** A number that no process can have (proc(5): at most 2^22). */
const NOBODY = `group ${2 ** 22 + 1} - -`;

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
