/** Brings a session to the terminal that we run in. */
import { randomBytes } from "node:crypto";
import { OwtError } from "../core/errors.ts";
import { KEY_VARIABLE, SESSION_VARIABLE } from "../core/session-name.ts";
import { start } from "../system/exec.ts";
import { traceStart } from "../system/trace.ts";
import type { Session } from "./list.ts";
import { exactly, runTmux, type Tmux, tryTmux, whereWeAre, wordsFor } from "./tmux.ts";

export type AttachOptions = {
  /** Look, but do not type. */
  readOnly: boolean;
  /** Choose windows for oneself: a view of the session of one's own, which goes when nobody looks any more. */
  ownView: boolean;
};

type Shown = Pick<Session, "id" | "name" | "worktree" | "key">;

/** Outside of tmux attaches, and resolves when the terminal is given back; inside switches the terminal over, and resolves at once.
 *  Throws `wrong-state` inside another tmux server. */
export async function attachSession(tmux: Tmux, session: Shown, options: AttachOptions): Promise<"left" | "switched"> {
  const where = await whereWeAre(tmux);
  if (where === "in-another-server")
    throw new OwtError("wrong-state", "this terminal is inside another tmux server, which cannot show the session", {
      hint: `leave that one first, or show one inside the other: TMUX= ${attachLine(tmux, session, options)}`,
    });
  const { view, make, marks } = options.ownView ? viewOf(session) : { view: session.name, make: [], marks: [] };
  const verb = where === "inside" ? "switch-client" : "attach-session";
  const flags = options.readOnly && !(where === "inside" && (await isReadOnly(tmux))) ? ["-r"] : [];
  const commands = [...make, [verb, ...flags, "-t", exactly(view)], ...marks];
  if (where === "inside") {
    await runTmux(tmux, commands);
    return "switched";
  }
  if ((await onTerminal(tmux, wordsFor(commands))) === 0) return "left";
  if (options.ownView) await tryTmux(tmux, [["kill-session", "-t", exactly(view)]]);
  throw new OwtError("tool-failed", `tmux could not show the session ${session.name}`, { hint: "owt tmux list" });
}

/** The line that shows a session, for a person to type. */
export function attachLine({ socket }: Tmux, { name }: Pick<Session, "name">, { readOnly }: AttachOptions): string {
  return ["tmux", ...socket, "attach-session", ...(readOnly ? ["-r"] : []), "-t", `'${exactly(name)}'`].join(" ");
}

/** `switch-client -r` turns the flag over, it does not set it. */
async function isReadOnly(tmux: Tmux): Promise<boolean> {
  return (await runTmux(tmux, [["display-message", "-p", "#{client_readonly}"]])).trim() === "1";
}

/** A view: a session of tmux in one group with the first, which shares its windows. Its name holds a sign that no other of ours has. */
function viewOf({ id, name, worktree, key }: Shown): { view: string; make: string[][]; marks: string[][] } {
  const view = `${name}~${randomBytes(3).toString("hex")}`;
  const of = worktree === null ? [] : ["-e", `${SESSION_VARIABLE}=${worktree}`];
  const env = [...of, ...(key === null ? [] : ["-e", `${KEY_VARIABLE}=${key}`])];
  return {
    view,
    make: [
      ["new-session", "-d", ...env, "-t", `=${name}`, "-s", view],
      ["set-option", "-t", exactly(view), "@owt_view_of", id],
      // The user's own configuration may say otherwise, and nobody looks yet.
      ["set-option", "-t", exactly(view), "destroy-unattached", "off"],
    ],
    marks: [["set-option", "-t", exactly(view), "destroy-unattached", "on"]],
  };
}

function onTerminal({ socket, env }: Tmux, words: string[]): Promise<number> {
  const all = ["-u", ...socket, ...words];
  traceStart(["tmux", ...all]);
  return new Promise((resolve, reject) => {
    // In our own group: the terminal belongs to it, and its changes of size are told there.
    const child = start("tmux", all, { stdio: "inherit", env, detached: false });
    child.once("error", (cause) =>
      reject(new OwtError("environment", `could not run tmux: ${cause.message}`, { hint: "owt doctor", cause })),
    );
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
