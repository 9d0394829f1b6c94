/** Descriptors that our own parent left open in us. A program that outlives us must not keep them: whoever reads the other end of such a
 *  pipe would wait for it. Node marks only the low ones close-on-exec at its start, and `sh` can close only those below ten. */
import { openSync, readdirSync, readFileSync } from "node:fs";

/** From fcntl.h (Linux): what Node opens itself always carries it. */
const O_CLOEXEC = 0o2000000;
/** No shell or supervisor hands on higher ones; the table below is as long as the highest. */
const HIGHEST = 4_096;

/** Entries of a spawn's `stdio` from 3 on, which put /dev/null in the place of each inherited descriptor. */
export function coverInherited(): Array<number | "ignore"> {
  const covered = inheritedDescriptors();
  if (covered.length === 0) return [];
  // Kept open for good: closed before the spawn, its number would be some other file's.
  const open = (blank ??= openSync("/dev/null", "r"));
  const length = Math.max(...covered) - 2;
  return Array.from({ length }, (_, index) => (covered.includes(index + 3) ? open : "ignore"));
}

let blank: number | undefined;

let found: number[] | undefined;

/** Those above 2 that a child would get; read once, since only our parent can have given them. Without /proc none is known. */
function inheritedDescriptors(): readonly number[] {
  found ??= numbersIn("/proc/self/fd").filter((fd) => fd > 2 && fd < HIGHEST && isInheritable(fd));
  return found;
}

function isInheritable(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
  } catch {
    return false;
  }
}

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number);
  } catch {
    return [];
  }
}
