/** A fork server: one small shell, started early, that starts the programs which live on beside us. Node forks itself for
 *  every program it starts, which blocks its main thread for 2 ms at 60 MB of memory and for 30 at 500. A shell forks in a fraction of that,
 *  and beside us.
 *
 *  Such a program is reached through two named pipes. We write into them from Node's thread pool: the kernel lets a reader run at once on the
 *  core that woke it, and that core is then not the one that decides what happens next. Linux alone; elsewhere, and wherever the server
 *  cannot be had, programs are spawned. */
import { closeSync, constants, mkdtempSync, openSync, rmSync, write } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "./exec.ts";
import { coverInherited } from "./inherited.ts";
import type { LiveChild, LiveListener, LiveOptions } from "./live-child.ts";
import { openNameless, takeAll } from "./nameless.ts";
import { areLines, environmentChanges, findSetsid, isHandedOn } from "./shell-words.ts";

/** Arguments: the folder of the pipes, how many pairs, `setsid`, a file of ours that can be opened where everything works, and texts that
 *  no line can carry. Requests: a pair's number, folder, the path of standard error, a count, and so many lines: `+PATH` is the next of the
 *  descriptors 3, 4, …, `NAME=value` is set, `NAME` unset, up to `--`; then the words of the command, each behind a `=`, or the number of a
 *  text. Nothing is parsed. `setsid -f` leaves the program with the signals as they were, which \`&\` would not. */
const SERVER_PROGRAM = `
owt_pipes=$1 owt_pairs=$2 owt_setsid=$3 owt_probe=$4 owt_1=$5 owt_2=$6 owt_3=$7 owt_4=$8
set --
while [ "$owt_pairs" -gt 0 ]; do
  owt_pairs=$((owt_pairs - 1))
  set -- "$@" "$owt_pipes/$owt_pairs.in" "$owt_pipes/$owt_pairs.out"
done
(: >>"$owt_probe") && mkfifo -m 600 "$@" && "$owt_setsid" -f true && echo ready
while IFS= read -r owt_pair && IFS= read -r owt_folder && IFS= read -r owt_err && IFS= read -r owt_count; do
  set --
  while [ "$owt_count" -gt 0 ]; do
    # Whoever asked is gone: half a request is none.
    IFS= read -r owt_word || break 2
    case $owt_word in
      1) set -- "$@" "$owt_1" ;;
      2) set -- "$@" "$owt_2" ;;
      3) set -- "$@" "$owt_3" ;;
      4) set -- "$@" "$owt_4" ;;
      *) set -- "$@" "\${owt_word#=}" ;;
    esac
    owt_count=$((owt_count - 1))
  done
  (
    # Opened for both directions first: nobody waits for the other side, should that be gone.
    exec 2>>"$owt_err" 9<>"$owt_pipes/$owt_pair.in" <"$owt_pipes/$owt_pair.in" 9<&-
    exec 9<>"$owt_pipes/$owt_pair.out" >"$owt_pipes/$owt_pair.out" 9<&-
    cd -- "$owt_folder" || exit
    unset PWD OLDPWD
    echo
    owt_next=3
    while [ "$1" != -- ]; do
      case $1 in
        +*)
          case $owt_next in
            3) exec 3>>"\${1#+}" ;;
            4) exec 4>>"\${1#+}" ;;
          esac
          owt_next=$((owt_next + 1))
          ;;
        *=*) export "$1" ;;
        *) unset "$1" ;;
      esac
      shift
    done
    shift
    exec "$owt_setsid" -f "$@"
  )
done
# We were killed: else it is gone already.
[ ! -d "$owt_pipes" ] || exec rm -rf -- "$owt_pipes"
`;

/** How many programs one server can start. A run has two of git's, four helper shells, and one more for each agent that works. */
const PAIRS = 32;

/** Longer words of many lines that a caller has. */
export type Texts = readonly [string, string, string, string];

/** Something that can keep Node alive. */
type Handle = ReturnType<typeof start> | Socket;

type Pair = { number: number; in: string; out: string };

let server: ForkServer | null = null;

/** From now on live programs are started by a server, where that is possible. For a command that will start several. `texts` are words that
 *  such programs have among their arguments. */
export function openForkServer(texts: Texts): void {
  const setsid = findSetsid();
  if (setsid !== null) server ??= new ForkServer(setsid, texts);
}

/** Ends the server; what it started goes on. */
export async function closeForkServer(): Promise<void> {
  const closing = server;
  server = null;
  await closing?.close();
}

/** Starts a program by the server; null where there is none, or it cannot: then it has to be spawned. */
export async function startThroughServer(options: LiveOptions, listener: LiveListener): Promise<LiveChild | null> {
  return (await server?.start(options, listener)) ?? null;
}

class ForkServer {
  readonly #pipes = mkdtempSync(join(tmpdir(), "owt-"));
  readonly #free: Pair[];
  readonly #texts: Texts;
  readonly #env: NodeJS.ProcessEnv;
  readonly #shell: ReturnType<typeof start>;
  readonly #ready: Promise<boolean>;
  readonly #ended: Promise<void>;
  /** Programs that were asked for. */
  readonly #starting = new Set<PipedChild>();

  constructor(setsid: string, texts: Texts) {
    this.#texts = texts;
    this.#env = Object.fromEntries(Object.entries(process.env).filter(([name]) => isHandedOn(name)));
    this.#free = Array.from({ length: PAIRS }, (_, number) => ({ number, ...pipesOf(this.#pipes, number) }));
    const probe = openNameless();
    const args = [this.#pipes, String(PAIRS), setsid, pathOf(probe), ...texts];
    this.#shell = start("/bin/sh", ["-c", SERVER_PROGRAM, "owt-fork-server", ...args], {
      cwd: "/",
      env: this.#env,
      stdio: ["pipe", "pipe", "ignore", ...coverInherited()],
    });
    this.#shell.on("error", () => {});
    this.#shell.stdin?.on("error", () => {});
    this.#ended = new Promise((resolve) => this.#shell.on("close", () => resolve()));
    const isReady = new Promise<boolean>((resolve) => this.#shell.stdout?.once("data", () => resolve(true)));
    this.#ready = Promise.race([isReady, this.#ended.then(() => false)]);
    void this.#ready.then((ready) => {
      closeSync(probe);
      this.#hold(false);
      if (!ready) this.#clear();
    });
    this.#shell.stdout?.resume();
    void this.#ended.then(() => this.#giveUp());
  }

  async start(options: LiveOptions, listener: LiveListener): Promise<LiveChild | null> {
    const lines = this.#linesFor(options);
    if (lines === null) return null;
    this.#hold(true);
    const ready = await this.#ready;
    this.#hold(false);
    const pair = ready ? this.#free.pop() : undefined;
    if (pair === undefined) return null;
    const child = new PipedChild(pair, listener);
    this.#starting.add(child);
    this.#shell.stdin?.write(`${[pair.number, options.cwd, child.errPath, lines.length, ...lines].join("\n")}\n`);
    const began = await child.began;
    this.#starting.delete(child);
    return began ? child : null;
  }

  async close(): Promise<void> {
    await this.#ready;
    // Before the server sees that we are gone, so that it has nothing to clear away.
    this.#clear();
    this.#hold(true);
    this.#shell.stdin?.end();
    await this.#ended;
  }

  /** What the server is told after the pair, the folder and the place for errors; null where that cannot be told in lines. */
  #linesFor({ file, args, cwd, env, appendsTo = [] }: LiveOptions): string[] | null {
    const words = [file, ...args].map((word) => {
      const text = this.#texts.indexOf(word);
      return text === -1 ? `=${word}` : String(text + 1);
    });
    const handedOn = Object.fromEntries(Object.entries(env).filter(([name]) => isHandedOn(name)));
    const lines = [
      ...appendsTo.map((file) => `+${pathOf(file)}`),
      ...environmentChanges(this.#env, handedOn),
      "--",
      ...words,
    ];
    return areLines([cwd, ...lines]) ? lines : null;
  }

  /** What it was asked for, and what will be, has to be spawned. */
  #giveUp(): void {
    this.#free.length = 0;
    for (const child of this.#starting) child.abandon();
    this.#clear();
  }

  #clear(): void {
    rmSync(this.#pipes, { recursive: true, force: true });
  }

  #hold(held: boolean): void {
    for (const handle of [this.#shell, this.#shell.stdin, this.#shell.stdout] as (Handle | null)[]) {
      if (held) handle?.ref();
      else handle?.unref();
    }
  }
}

/** A program at the other ends of a pair of pipes. */
class PipedChild implements LiveChild {
  readonly #input: number;
  readonly #output: Socket;
  readonly #err = openNameless();
  readonly #ended: Promise<void>;
  /** Whether it has its ends of both pipes: false where it never will. */
  readonly began: Promise<boolean>;
  #isOpen = true;
  #writing: Promise<void> = Promise.resolve();

  constructor(pair: Pair, listener: LiveListener) {
    // Without a reader nobody may write; until the program is one, we are.
    const reader = openSync(pair.in, constants.O_RDWR);
    this.#input = openSync(pair.in, constants.O_WRONLY);
    this.#output = new Socket({ fd: openSync(pair.out, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
    this.#output.on("error", () => {});
    this.#ended = new Promise((resolve) => this.#output.once("close", () => resolve()));
    const firstLine = new Promise<boolean>((resolve) => this.#output.once("data", () => resolve(true)));
    this.began = Promise.race([firstLine, this.#ended.then(() => false)]).then((began) => {
      closeSync(reader);
      // Both have them open by now.
      if (began) for (const path of [pair.in, pair.out]) rmSync(path, { force: true });
      return began;
    });
    void this.began.then(async (began) => {
      if (began) this.#output.on("data", (chunk: Buffer) => listener.onBytes(chunk));
      await this.#ended;
      if (began) listener.onEnd();
      closeSync(this.#err);
      await this.#writing;
      this.#closeInput();
    });
  }

  get errPath(): string {
    return pathOf(this.#err);
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    this.#writing = this.#writing.then(() => (this.#isOpen ? writeAll(this.#input, bytes) : undefined));
  }

  takeSaid(): string {
    return takeAll(this.#err);
  }

  async end(): Promise<void> {
    this.hold(true);
    await this.#writing;
    this.#closeInput();
    await this.#ended;
  }

  hold(held: boolean): void {
    if (held) this.#output.ref();
    else this.#output.unref();
  }

  /** Nobody will ever answer. */
  abandon(): void {
    this.#output.destroy();
  }

  /** Its end, as the program sees it. */
  #closeInput(): void {
    if (this.#isOpen) closeSync(this.#input);
    this.#isOpen = false;
  }
}

/** Writes in the thread pool. A reader that has gone is told by the end of its output. */
function writeAll(file: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    write(file, bytes, (error, written) => {
      if (error || written === bytes.length) resolve();
      else resolve(writeAll(file, bytes.subarray(written)));
    });
  });
}

/** A path by which another program of the same user can open a file that we have open, also one without a name. */
function pathOf(file: number): string {
  return `/proc/${process.pid}/fd/${file}`;
}

function pipesOf(folder: string, number: number): { in: string; out: string } {
  return { in: join(folder, `${number}.in`), out: join(folder, `${number}.out`) };
}
