/** The tmux server that we speak to, and the one way to speak: commands as argument arrays, several of them in one call, which the server
 *  carries out together. Sessions are always addressed as `=name:`, whole: a plain name finds `task-10` where `task-1` is meant. */
import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { OwtError } from "../core/errors.ts";
import { KEY_VARIABLE, SESSION_VARIABLE } from "../core/session-name.ts";
import { exec, type ExecResult } from "../system/exec.ts";
import { installLine } from "../system/packages.ts";

/** A tmux server, running or not. */
export type Tmux = {
  /** The options that choose its socket; none for the user's default server. */
  socket: readonly string[];
  env: NodeJS.ProcessEnv;
};

/** `new-session -e` came with 3.2 (tmux's CHANGES). */
export const OLDEST = [3, 2] as const;

/** The server that this environment means: the one we are in, else the user's default; another with OWT_TMUX_SOCKET, which is a name as for
 *  `tmux -L`, or a path as for `tmux -S`. `env` is what a server that is started by us hands on to every pane. */
export function tmuxServer(env: NodeJS.ProcessEnv): Tmux {
  const { [SESSION_VARIABLE]: _, [KEY_VARIABLE]: _key, ...rest } = env;
  const chosen = env["OWT_TMUX_SOCKET"];
  const socket = !chosen ? [] : chosen.includes("/") ? ["-S", resolve(chosen)] : ["-L", chosen];
  return { socket, env: rest };
}

/** The version of tmux, as `3.3a`. Throws `environment` where there is none, or one that is too old. */
export async function requireTmux(tmux: Tmux): Promise<string> {
  const hint = installLine("tmux", tmux.env);
  let said: string;
  try {
    said = (await exec("tmux", ["-V"], { env: tmux.env })).stdout.trim();
  } catch (cause) {
    throw new OwtError("environment", "there is no tmux here, and sessions need it", { hint, cause });
  }
  const text = /\d+\.\d+\S*/.exec(said)?.[0] ?? said;
  if (isTooOld(said))
    throw new OwtError("environment", `tmux ${text} is too old: sessions need ${OLDEST.join(".")}`, { hint });
  return text;
}

/** Whether sessions cannot be made with the tmux that says this of itself. A build of tmux's own master says `tmux next-3.6`; OpenBSD's says
 *  its system's number, which is higher. */
export function isTooOld(said: string): boolean {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(said) ?? [];
  return major !== undefined && (Number(major) - OLDEST[0] || Number(minor) - OLDEST[1]) < 0;
}

/** The target that means exactly this session; what is asked of a window or a pane of it gets its current one. */
export function exactly(session: string): string {
  return `=${session}:`;
}

/** The words that run these commands one after the other, in one call: where one fails, those behind it are left out. */
export function wordsFor(commands: readonly (readonly string[])[]): string[] {
  return commands.flatMap((command, at) => [...(at === 0 ? [] : [";"]), ...command.map(literally)]);
}

/** tmux takes a semicolon at the end of any argument for the end of a command (cmd_parse_from_arguments). */
function literally(word: string): string {
  return word.endsWith(";") ? `${word.slice(0, -1)}\\;` : word;
}

export type RunOptions = {
  /** Bytes for standard input. */
  input?: string | Uint8Array;
  /** The folder that new panes start in. (Not tmux's `-c`: that is a format, and a path may hold `#{…}` and `#(…)`.) */
  cwd?: string;
};

/** Runs commands and gives back what was said; a failure is code 1 and words. */
export async function tryTmux(
  { socket, env }: Tmux,
  commands: readonly (readonly string[])[],
  { input, cwd }: RunOptions = {},
): Promise<ExecResult> {
  if (cwd !== undefined && !existsSync(cwd))
    throw new OwtError("environment", `there is no folder ${cwd}`, { hint: "what there is: git worktree list" });
  return exec("tmux", ["-u", ...socket, ...wordsFor(commands)], {
    ok: [0, 1],
    env: cwd === undefined ? env : { ...env, PWD: cwd },
    ...(input === undefined ? {} : { input }),
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** Runs commands and gives back what they printed. Throws `tool-failed` with tmux's words. */
export async function runTmux(
  tmux: Tmux,
  commands: readonly (readonly string[])[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await tryTmux(tmux, commands, options);
  if (code !== 0) throw refused(stderr);
  return stdout;
}

/** tmux said no. */
export function refused(stderr: string): OwtError {
  return new OwtError("tool-failed", `tmux said: ${stderr.trim() || "nothing"}`, { hint: "look: tmux list-sessions" });
}

/** Whether an answer means that no server runs. tmux has one exit code for all failures; its own words are in English everywhere. */
export function hasNoServer({ code, stderr }: ExecResult): boolean {
  return (
    code !== 0 && /^(no server running on |error connecting to .*No such file or directory|server exited)/m.test(stderr)
  );
}

/** Whether we run in a pane: of this server, or of another one. */
export async function whereWeAre(tmux: Tmux): Promise<"outside" | "inside" | "in-another-server"> {
  const ours = tmux.env["TMUX"]?.replace(/,\d+,\d+$/, "");
  if (!ours) return "outside";
  if (tmux.socket.length === 0) return "inside";
  const { code, stdout } = await tryTmux(tmux, [["display-message", "-p", "#{socket_path}"]]);
  return code === 0 && real(stdout.trim()) === real(ours) ? "inside" : "in-another-server";
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
