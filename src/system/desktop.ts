/** Shows a notification on the desktop, by the program that the system has for it: notify-send, or osascript on macOS. */
import { OwtError } from "../core/errors.ts";
import { exec } from "./exec.ts";
import { findProgram } from "./programs.ts";

/** `none`: nothing here shows notifications. */
export type Shown = { kind: "shown" } | { kind: "none" } | { kind: "failed"; reason: string };

const TIMEOUT_MS = 5_000;

/** The texts go as arguments, or as text to a constant script: neither is ever part of a command. */
export async function showOnDesktop(
  env: NodeJS.ProcessEnv,
  title: string,
  text: string,
  signal: AbortSignal,
): Promise<Shown> {
  const program = findNotifier(env);
  const args =
    process.platform === "darwin" ? ["-e", APPLE_SCRIPT, title, text] : ["--app-name=owt", "--", title, escaped(text)];
  if (program === null) return { kind: "none" };
  try {
    await exec(program, args, { env, timeoutMs: TIMEOUT_MS, signal });
    return { kind: "shown" };
  } catch (error) {
    if (!(error instanceof OwtError)) throw error;
    return { kind: "failed", reason: "the desktop did not take it" };
  }
}

/** Whether there is a desktop, and a program that shows something on it. */
export function canShow(env: NodeJS.ProcessEnv): boolean {
  return findNotifier(env) !== null;
}

function findNotifier(env: NodeJS.ProcessEnv): string | null {
  if (process.platform === "darwin") return findProgram("osascript", env);
  return hasDesktop(env) ? findProgram("notify-send", env) : null;
}

const APPLE_SCRIPT = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run";

/** Without these notify-send has nobody to talk to. */
function hasDesktop(env: NodeJS.ProcessEnv): boolean {
  return ["DBUS_SESSION_BUS_ADDRESS", "WAYLAND_DISPLAY", "DISPLAY"].some((name) => Boolean(env[name]));
}

/** The body of a notification is markup, by its specification. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
