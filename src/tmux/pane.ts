/** What is done with one pane: a program in it, text into it, text out of it. A pane's address is its id, `%5`, which no other ever has on its
 *  server. Text goes through a buffer of our own, never as keys: `send-keys` changed 8 of 16 strings (a trailing semicolon, `Enter`, `C-c`,
 *  `-t`), and a buffer carried 1 MB exactly (measured, tmux 3.3a). */
import { randomUUID } from "node:crypto";
import { OwtError } from "../core/errors.ts";
import { findStrays } from "../core/terminal-text.ts";
import { refused, runTmux, type Tmux, tryTmux } from "./tmux.ts";

export type SendTextOptions = {
  enter: boolean;
  /** Presses Ctrl-C in front of it: a program at rest empties its input by that. */
  clear?: boolean;
  /** Called last before the text goes; what it throws keeps the text back. */
  check?: () => void;
};

/** Pastes a text into a pane, marked as a paste where the program in it asks for that, and presses Enter behind it unless told otherwise.
 *  All of it is one call that the server carries out at once, so that no other process's text comes between: there is nothing to lock.
 *  Throws `usage` for a text that a terminal would take for keys (`terminal-text.ts`), `wrong-state` where nothing reads. */
export async function sendText(
  tmux: Tmux,
  pane: string,
  text: string,
  { enter, clear = false, check }: SendTextOptions,
): Promise<void> {
  refuseStrays(text);
  await refuseDeaf(tmux, pane);
  check?.();
  const buffer = `owt-${randomUUID()}`;
  const paste = ["paste-buffer", "-r", "-d", "-b", buffer, "-t", pane];
  const commands = [
    // Somebody has scrolled up: tmux forgets then that the program asked for marked pastes, and keeps keys for itself.
    ["copy-mode", "-q", "-t", pane],
    ...(clear ? [["set-buffer", "-b", buffer, "\x03"], paste] : []),
    // Without any text there would be no buffer.
    ...(text === ""
      ? []
      : [
          ["load-buffer", "-b", buffer, "-"],
          [...paste, "-p"],
        ]),
    // As the byte that the key sends: `send-keys` would press it in every pane where the window's panes are synchronized.
    ...(enter ? [["set-buffer", "-b", buffer, "\r"], paste] : []),
  ];
  await runTmux(tmux, commands, text === "" ? {} : { input: text });
}

function refuseStrays(text: string): void {
  const strays = findStrays(text);
  if (strays.length === 0) return;
  const shown = [...new Set(strays.map(({ name, line }) => `${name} in line ${line}`))].slice(0, 3).join(", ");
  const more = strays.length > 3 ? ` and ${strays.length - 3} more` : "";
  throw new OwtError("usage", `the text holds control characters that a terminal takes for keys: ${shown}${more}`, {
    hint: "write it to a file in the worktree, and send its path",
  });
}

/** tmux takes text for a dead pane, and for one whose input is switched off, and loses it without a word. */
async function refuseDeaf(tmux: Tmux, pane: string): Promise<void> {
  const said = await runTmux(tmux, [
    ["display-message", "-p", "-t", pane, "#{pane_id} #{pane_dead} #{pane_input_off}"],
  ]);
  const [id, dead, off] = said.trim().split(" ");
  if (id !== pane || dead === "1")
    throw new OwtError("wrong-state", `nothing runs in pane ${pane}`, { hint: "what there is: owt tmux list" });
  if (off === "1")
    throw new OwtError("wrong-state", `the input of pane ${pane} is switched off`, {
      hint: `switch it on: tmux select-pane -e -t ${pane}`,
    });
}

/** Starts a program in the place of one that ended, in the folder of its session's worktree, which may have been moved. False where the old one still runs. */
export async function respawnPane(tmux: Tmux, pane: string, command: readonly string[]): Promise<boolean> {
  const { code, stderr } = await tryTmux(tmux, [["respawn-pane", ...IN_WORKTREE, "-t", pane, ...program(command)]]);
  if (code !== 0 && !/still active/.test(stderr)) throw refused(stderr);
  return code === 0;
}

/** The folder of what starts in a pane: a format of tmux's, so that nothing in a path is taken for one. A pane of nobody's starts where it did before. */
export const IN_WORKTREE = ["-c", "#{?@owt_worktree,#{@owt_worktree},#{pane_start_path}}"];

/** The text of a pane, wrapped lines joined: its screen, and as many lines of what has scrolled off. */
export async function capturePane(tmux: Tmux, pane: string, { above }: { above: number }): Promise<string> {
  return runTmux(tmux, [["capture-pane", "-p", "-J", "-S", String(-above), "-t", pane]]);
}

/** tmux hands a single word to a shell, and runs several as they are: one word goes through a constant script. */
export function program(command: readonly string[] | null): string[] {
  if (command === null || command.length === 0) return [];
  return ["--", ...(command.length === 1 ? ["sh", "-c", 'exec "$0"', ...command] : command)];
}
