/** The user's own pager, for long answers on a terminal. */
import { once } from "node:events";
import type { Writable } from "node:stream";
import { start } from "./exec.ts";

export type Pager = { input: Writable; ended: Promise<unknown> };

/** The words of the pager that is wished: what git is told to use, else $PAGER, else less. None where that is `cat` or nothing. A value that needs
 *  a shell is not given one: less is used. */
export function pagerWords(env: NodeJS.ProcessEnv, configured: string): string[] {
  const wished = env["GIT_PAGER"] ?? (configured || (env["PAGER"] ?? "less"));
  const words = (/[|&;<>()$`"'*?~\\]/.test(wished) ? "less" : wished).trim().split(/\s+/).filter(Boolean);
  return words[0] === "cat" ? [] : words;
}

/** Starts it on our terminal; null where it cannot be. As git does, less is told to leave again where all fits on the screen. */
export async function openPager([file, ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<Pager | null> {
  if (file === undefined) return null;
  const child = start(file, args, {
    stdio: ["pipe", "inherit", "inherit"],
    env: { LESS: "FRX", LV: "-c", ...env },
    // In our own group: the terminal belongs to it.
    detached: false,
  });
  try {
    await once(child, "spawn");
  } catch {
    return null;
  }
  const ended = once(child, "close");
  // Who leaves before the end has seen enough.
  child.stdin!.on("error", () => {});
  return { input: child.stdin!, ended };
}
