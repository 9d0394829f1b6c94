/** A real terminal: a tmux server of its own with one window, whose screen can be read, resized and typed into. */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { Rig } from "./rig.ts";

export class Tmux implements Disposable {
  readonly #socket: string;
  readonly #env: NodeJS.ProcessEnv;

  /** A shell in the rig's repository, on a screen of that size. */
  constructor(rig: Pick<Rig, "home" | "root" | "env">, size: { columns: number; rows: number }) {
    // A socket of its own: a server that was just told to end still listens for a moment, and takes the next client down with it.
    this.#socket = join(mkdtempSync(join(rig.home, "screen-")), "tmux.sock");
    this.#env = { ...rig.env, TMUX: "", TERM: "xterm-256color", PS1: "$ ", ENV: "" };
    const place = ["-x", String(size.columns), "-y", String(size.rows), "-c", rig.root];
    // -f /dev/null: nobody's own configuration.
    this.#tmux("-f", "/dev/null", "new-session", "-d", "-s", "main", ...place, "sh");
  }

  /** Types a line and Enter. */
  type(line: string): void {
    this.#tmux("send-keys", "-t", "main", "-l", "--", line);
    this.#tmux("send-keys", "-t", "main", "Enter");
  }

  /** Types a text and no Enter. */
  text(text: string): void {
    this.#tmux("send-keys", "-t", "main", "-l", "--", text);
  }

  key(name: string): void {
    this.#tmux("send-keys", "-t", "main", name);
  }

  resize(columns: number, rows: number): void {
    this.#tmux("resize-window", "-t", "main", "-x", String(columns), "-y", String(rows));
  }

  /** The lines on the screen. A line that the terminal had to wrap is one line here. */
  screen(): string[] {
    return this.#tmux("capture-pane", "-p", "-t", "main").trimEnd().split("\n");
  }

  /** The same with what has scrolled off, wrapped lines joined. */
  history(): string[] {
    return this.#tmux("capture-pane", "-p", "-J", "-S", "-", "-t", "main").trimEnd().split("\n");
  }

  /** Lines that the terminal had to wrap, as far as they are on the screen. */
  wrapped(): string[] {
    const joined = this.#tmux("capture-pane", "-p", "-J", "-t", "main").split("\n");
    const { columns } = this.size();
    return joined.filter((line) => [...line].length > columns);
  }

  size(): { columns: number; rows: number } {
    const [columns, rows] = this.#ask("#{pane_width} #{pane_height}").split(" ").map(Number);
    return { columns: columns!, rows: rows! };
  }

  /** What a program can have left of itself: a hidden cursor, the other screen, raw or application modes. */
  modes(): string {
    return this.#ask(
      "cursor=#{cursor_flag} alternate=#{alternate_on} mouse=#{mouse_any_flag} keypad=#{keypad_flag} wrap=#{wrap_flag} insert=#{insert_flag} origin=#{origin_flag}",
    );
  }

  [Symbol.dispose](): void {
    this.#tmux("kill-server");
  }

  #ask(format: string): string {
    return this.#tmux("display-message", "-p", "-t", "main", format).trim();
  }

  #tmux(...args: string[]): string {
    return execFileSync("tmux", ["-S", this.#socket, ...args], { env: this.#env, encoding: "utf8" });
  }
}
