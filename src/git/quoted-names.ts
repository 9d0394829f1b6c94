/** Names of files that are no UTF-8, as git quotes them (`"caf\351.txt"`): whoever reads one can say it again. */
import { git, type Place } from "./git.ts";

/** What git prints is read as UTF-8: of such a name some bytes are lost, and each stands as this. */
const LOST = "\uFFFD";

/** Whether some bytes of a name are lost, so that nobody can find its file by it. */
export function isLossy(name: string): boolean {
  return name.includes(LOST);
}

/** Names with those of them that are no UTF-8 as git quotes them. `args` lists them all without `-z`, one in a line, or behind a tab in it. */
export async function quoteLossy(place: Place, names: readonly string[], args: readonly string[]): Promise<string[]> {
  if (!names.some(isLossy)) return [...names];
  const { stdout } = await git(place, ["-c", "core.quotePath=true", ...args], { ok: [0, 1] });
  const quoted = new Map<string, Set<string>>();
  for (const line of stdout.split("\n")) {
    const name = line.slice(line.indexOf("\t") + 1);
    const read = name.startsWith('"') ? bytesOf(name).toString() : name;
    if (isLossy(read)) quoted.set(read, (quoted.get(read) ?? new Set()).add(name));
  }
  return [...new Set(names)].flatMap((name) => [...(quoted.get(name) ?? [name])]);
}

/** Lists what is unmerged in a worktree. */
export const UNMERGED = ["ls-files", "--unmerged"] as const;

/** A name of bytes (as latin1) in words: as it is where it is UTF-8. */
export function readName(latin1: string): string {
  const bytes = Buffer.from(latin1, "latin1");
  const name = bytes.toString();
  return bytes.equals(Buffer.from(name)) ? name : `"${[...bytes].map(quoteByte).join("")}"`;
}

/** The bytes (as latin1) of a name that {@link readName} gave. */
export function latin1Of(name: string): string {
  const bytes = name.startsWith('"') ? bytesOf(name).toString("latin1") : name;
  return bytes !== name && readName(bytes) === name ? bytes : Buffer.from(name).toString("latin1");
}

const SHORT: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 };

function quoteByte(byte: number): string {
  const short = Object.keys(SHORT).find((letter) => SHORT[letter] === byte);
  if (short !== undefined) return `\\${short}`;
  return byte < 32 || byte > 126 ? `\\${byte.toString(8).padStart(3, "0")}` : String.fromCharCode(byte);
}

/** The bytes of a name that git has quoted. */
function bytesOf(quoted: string): Buffer {
  const inside = quoted.slice(1, -1);
  return Buffer.from(
    inside.replaceAll(/\\([0-7]{3}|.)/g, (_, code: string) =>
      String.fromCharCode(code.length === 3 ? Number.parseInt(code, 8) : SHORT[code]!),
    ),
    "latin1",
  );
}
