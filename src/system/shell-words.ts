/** What can travel to a shell as lines that become its positional parameters, and what it would not hand on as it is. */
import { existsSync } from "node:fs";

/** Names that a shell sets, protects or reads itself. */
const SHELLS_OWN = /^(?:IFS|OPTIND|PPID|UID|EUID|SHELLOPTS|BASHOPTS|BASH_\w*|LINENO|_|owt_\w*)$/;

/** Whether a shell hands on a variable of that name as it got it. */
export function isHandedOn(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !SHELLS_OWN.test(name);
}

/** Whether each of these can be a line. */
export function areLines(words: readonly string[]): boolean {
  return !words.some((word) => word.includes("\n") || word.includes("\0"));
}

/** What has to be told to a shell that has one environment, for a program that is to have another: `NAME=value` to set, `NAME` to unset. */
export function environmentChanges(had: NodeJS.ProcessEnv, wanted: Readonly<Record<string, string>>): string[] {
  const changed = Object.entries(wanted).filter(([name, value]) => had[name] !== value);
  const gone = Object.keys(had).filter((name) => !(name in wanted));
  return [...changed.map(([name, value]) => `${name}=${value}`), ...gone];
}

/** `setsid`, looked for where systems have it and not in anybody's PATH; null where there is none. */
export function findSetsid(): string | null {
  if (process.platform !== "linux") return null;
  return ["/usr/bin/setsid", "/bin/setsid"].find((path) => existsSync(path)) ?? null;
}
