/** Whether this process may read its terminal. */
import { readFileSync } from "node:fs";

/** Who reads a terminal, or sets its modes, from the background (`owt run &`, Ctrl-Z and `bg`) is stopped by the kernel. Fields 5 and 8 of
 *  /proc/self/stat, proc(5): our process group, and the one that the terminal listens to. True where nobody can tell (macOS). */
export function isForeground(): boolean {
  try {
    const line = readFileSync("/proc/self/stat", "utf8");
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    return fields[2] === fields[5];
  } catch {
    return true;
  }
}
