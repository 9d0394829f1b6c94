/** Brings a session to the terminal that we run in. */
import { randomBytes } from "node:crypto";
import { OwtError } from "../core/errors.ts";
import { SESSION_VARIABLE } from "../core/session-name.ts";
import { start } from "../system/exec.ts";
import { traceStart } from "../system/trace.ts";
import { exactly, runTmux, type Tmux, whereWeAre, wordsFor } from "./tmux.ts";

export type AttachOptions = {
  /** Look, but do not type. */
  readOnly: boolean;
  /** Choose windows for oneself: a view of the session of one's own, which goes when nobody looks any more. */
  ownView: boolean;
};

type Shown = { name: string; worktree: string | null };

/** Outside of tmux attaches, and resolves when the terminal is given back; inside switches the terminal over, and resolves at once.
 *  Throws `wrong-state` inside another tmux server. */
export async function attachSession(tmux: Tmux, session: Shown, options: AttachOptions): Promise<"left" | "switched"> {
  const where = await whereWeAre(tmux);
  if (where === "in-another-server")
    throw new OwtError("wrong-state", "this terminal is inside another tmux server, which cannot show the session", {
      hint: `leave that one first, or show one inside the other: TMUX= tmux ${tmux.socket.join(" ")} attach-session -t '${exactly(session.name)}'`,
    });
  if (where === "inside") {
    await switchTo(tmux, session, options);
    return "switched";
  }
  const code = await onTerminal(tmux, wordsFor(attachCommands(session, options)));
  if (code !== 0)
    throw new OwtError("tool-failed", `tmux could not show the session ${session.name}`, { hint: "owt tmux list" });
  return "left";
}

function attachCommands(session: Shown, { readOnly, ownView }: AttachOptions): string[][] {
  if (!ownView) return [["attach-session", ...(readOnly ? ["-r"] : []), "-t", exactly(session.name)]];
  const { make, marks } = viewOf(session);
  return [make, ...marks, ...(readOnly ? [["switch-client", "-r"]] : [])];
}

async function switchTo(tmux: Tmux, session: Shown, options: AttachOptions): Promise<void> {
  // The flag is turned over, not set.
  const isReadOnly = (await runTmux(tmux, [["display-message", "-p", "#{client_readonly}"]])).trim() === "1";
  const flags = options.readOnly && !isReadOnly ? ["-r"] : [];
  if (!options.ownView) {
    await runTmux(tmux, [["switch-client", ...flags, "-t", exactly(session.name)]]);
    return;
  }
  const { view, make, marks } = viewOf(session);
  await runTmux(tmux, [[...make, "-d"], ["switch-client", ...flags, "-t", exactly(view)], ...marks]);
}

/** A view: a session of tmux in one group with the first, which shares its windows. Its name holds a sign that no other of ours has. */
function viewOf({ name, worktree }: Shown): { view: string; make: string[]; marks: string[][] } {
  const view = `${name}~${randomBytes(3).toString("hex")}`;
  const env = worktree === null ? [] : ["-e", `${SESSION_VARIABLE}=${worktree}`];
  return {
    view,
    make: ["new-session", ...env, "-t", `=${name}`, "-s", view],
    marks: [
      ["set-option", "-t", exactly(view), "@owt_view_of", name],
      // Only now that somebody looks: it would go at once.
      ["set-option", "-t", exactly(view), "destroy-unattached", "on"],
    ],
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
