/** An attempt's output: read once, in bounded memory, for what it says of the outcome and the cost; and kept small on the disk.
 *
 *  The agent writes to the file itself, so that it outlives us. What it wrote is read first and left out then (`capped-file.ts`); what it
 *  meant is kept beside it in `out.kept`, so that whoever reads the log later, with a gap in it, judges as if it were whole. */
import { closeSync, constants, existsSync, openSync, statSync, writeSync } from "node:fs";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { type AgentEvent, type Books, type Evidence, gather, noEvidence } from "../agents/agent.ts";
import { parseJson } from "../agents/json.ts";
import type { Attempt } from "../core/attempt.ts";
import type { Outcome } from "../core/outcome.ts";
import { LineReader, LineSplitter, MAX_LINE_CHARS } from "../lib/lines.ts";
import {
  type Caps,
  CappedFile,
  dropSpareNote,
  type Gap,
  isDue,
  lastGapEnd,
  makeGap,
  makeSmall,
  makeSpareNote,
  punchUnnoted,
  readCapped,
  readGap,
  unlessRefused,
  writtenBytes,
} from "../system/capped-file.ts";
import { saysFull } from "../system/disk.ts";
import { removeFile } from "../system/files.ts";
import { clip, Condenser } from "./condense.ts";
import { isDiskShort } from "./disk-watch.ts";
import { attemptDir, type Engine, findAgent } from "./engine.ts";

/** How much is read at a stretch; then others have the word. */
const SLICE_BYTES = 2 * 1024 * 1024;
const MIB = 1024 * 1024;
/** What is kept of events at most. Behind it only results and limits are. */
const MAX_KEPT_BYTES = 8 * MIB;
const ALWAYS_KEPT = /^\{"kind":"(result|limit|session)"/;
/** What is left out of that first, where there is room for nothing. */
const PASSES = /^\{"kind":"(said|tool|tool-result)"/;
/** Room for events that is there before the disk can be full. */
const SPARE_KEPT_BYTES = 64 * 1024;
/** How much of one kind an outcome is judged from. */
const MAX_EVIDENCE = 1_000;
/** So often in a row a refused login, or want of money, is believed. */
const REFUSALS = 2;

/** Where the output of an attempt is, standard output and standard error. */
export function outputFiles(engine: Engine, attempt: number): { out: string; err: string } {
  const dir = attemptDir(engine, attempt);
  return { out: join(dir, "out"), err: join(dir, "err") };
}

/** How much of an output is kept. */
export function capsOf({ config }: Engine): Caps {
  return { head: Math.round(config.run.log_head_mb * MIB), tail: Math.round(config.run.log_tail_mb * MIB) };
}

/** Makes room for what is to be written down before anything of an output is let go of: the output itself may fill the disk. Throws where there is none. */
export function makeRoomForNotes(engine: Engine, attempt: number): void {
  const { out, err } = outputFiles(engine, attempt);
  for (const path of [out, err]) makeSpareNote(path);
  if (!existsSync(keptPath(out))) writeAt(keptPath(out), 0, blank());
}

/** Lets go of what an attempt printed, once it has ended, where the disk is short: it may be this that leaves no room for the next word. */
export async function makeRoom(engine: Engine, attempt: Attempt): Promise<void> {
  if (isDiskShort(engine)) await new Transcript(engine, attempt).letGo();
}

/** What the events of the part that is left out are written to. Behind those that count there may be anything. */
function keptPath(out: string): string {
  return `${out}.kept`;
}

/** In place: what is there already needs no new room. */
function writeAt(path: string, at: number, text: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    const bytes = Buffer.from(text);
    // On a disk that is nearly full a part may be written, and said so only by a number.
    for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, at + done);
  } finally {
    closeSync(file);
  }
}

const blank = () => " ".repeat(SPARE_KEPT_BYTES);

export class Transcript {
  readonly evidence: Evidence = noEvidence();
  readonly books: Books;
  /** What it asked its API again for in vain, where asking again helps nobody: a login, or money. */
  refused: Outcome | null = null;
  /** Whether the last thing that happened is its closing statement. */
  hasEnded = false;
  /** How often its API has answered. */
  answers = 0;
  /** Since its last answer its API has failed it. */
  isFailing = false;
  readonly #path: string;
  readonly #err: CappedFile;
  readonly #errPath: string;
  readonly #caps: Caps;
  readonly #parse: (line: string) => AgentEvent[];
  readonly #lines = new LineSplitter();
  readonly #condenser = new Condenser();
  #position = 0;
  #refusals = 0;
  /** The gap in the file, as this reader leaves it. */
  #gap: Gap | null;
  /** Whether what was kept of the gap is still to be read. */
  #isBeforeGap: boolean;
  #canPunch = true;
  /** Set where something could not be written down: from then on nothing may be let go. */
  #mustKeepAll = false;
  /** What was to be written down and is not yet: the disk was full. */
  #unwritten: string[] = [];

  constructor(engine: Engine, attempt: Attempt) {
    const agent = findAgent(engine, attempt.agent);
    const files = outputFiles(engine, attempt.id);
    this.#path = files.out;
    this.#caps = capsOf(engine);
    this.#err = new CappedFile(files.err, this.#caps);
    this.#errPath = files.err;
    this.#parse = (line) => agent.parse(line);
    this.books = agent.openBooks({ session: attempt.session, since: attempt.startedAt, prices: engine.prices });
    this.#gap = readGap(this.#path);
    this.#isBeforeGap = this.#gap !== null;
  }

  /** The bytes of whole lines that were read. */
  get readLines(): number {
    return this.#position - this.#lines.held;
  }

  /** Takes in what there is beyond the last call, and lets go of what need not stay on the disk. True when there was anything. */
  async read(signal?: AbortSignal): Promise<boolean> {
    const from = this.#position;
    if (this.#isBeforeGap) {
      await this.#readUpTo(this.#gap!.from, signal);
      if (signal?.aborted) return true;
      this.#takeKept(this.#gap!);
    }
    await this.#readUpTo(Infinity, signal);
    await this.#err.cut();
    return this.#position > from;
  }

  /** The same, of an attempt that has ended: to the last line, also where it has no newline. */
  async readToEnd(): Promise<void> {
    await this.read();
    this.#lines.finish((line) => this.#takeLine(line, this.#position));
  }

  /** Makes small what was read to its end, where it can be done. On a full disk it throws what the system said: until this is done, it may be the output
   *  itself that fills the disk. */
  async shrink(): Promise<void> {
    await this.#err.shrink();
    await this.#shrinkOut();
    await this.#dropSpares();
  }

  /** Lets go of what of a complete output need not stay, without making it small: on a full disk there is no room to do so. */
  async letGo(): Promise<void> {
    await this.readToEnd();
    const to = lastGapEnd(this.#gap, writtenBytes(this.#path), this.#caps);
    if (to === null || to <= (this.#gap?.to ?? 0) || this.#gap?.small || this.#mustKeepAll) return;
    await this.#leaveOutIfRoom(to, this.#position, false);
  }

  async #dropSpares(): Promise<void> {
    dropSpareNote(this.#path);
    dropSpareNote(this.#errPath);
    if (this.#gap === null) removeFile(keptPath(this.#path));
    else if (existsSync(keptPath(this.#path))) await truncate(keptPath(this.#path), this.#gap.kept);
  }

  async #shrinkOut(): Promise<void> {
    const to = this.#gap?.small ? this.#gap.to : lastGapEnd(this.#gap, writtenBytes(this.#path), this.#caps);
    if (to === null || this.#mustKeepAll) return;
    const isNoted =
      this.#gap?.small || (await unlessRefused(() => this.#leaveOut(to, this.#position, false), saysFull));
    if (isNoted) await unlessRefused(() => makeSmall(this.#path, { ...this.#gap!, to }));
  }

  async #readUpTo(end: number, signal?: AbortSignal): Promise<void> {
    let read = 0;
    for (const piece of readCapped(this.#path, this.#position)) {
      if (piece.kind === "gap") {
        this.#lines.drop(true);
        this.#position = piece.to;
        continue;
      }
      const bytes = piece.bytes.subarray(0, Math.max(0, end - this.#position));
      this.#lines.take(bytes, (line, at) => this.#takeLine(line, this.#position + at));
      this.#position += bytes.length;
      if (this.#position >= end) return;
      read += bytes.length;
      if (read < SLICE_BYTES) continue;
      read = 0;
      await this.#cutIfDue();
      await breathe();
      if (signal?.aborted) return;
    }
    await this.#cutIfDue();
  }

  /** Goes on behind the gap, with what was kept of it. */
  #takeKept(gap: Gap): void {
    this.#isBeforeGap = false;
    let left = gap.kept;
    new LineReader(keptPath(this.#path)).read((line) => {
      left -= Buffer.byteLength(line) + 1;
      const event = left >= 0 ? parseJson(line) : null;
      if (event) this.#take(event as AgentEvent);
    });
    this.#lines.drop(gap.isInside);
    this.#position = gap.known;
  }

  #takeLine(line: string, end: number): void {
    for (const parsed of this.#parse(line)) {
      const event = clip(parsed);
      if (!this.#mustKeepAll && end > (this.#gap?.from ?? this.#caps.head)) this.#condenser.take(event);
      this.#take(event);
    }
  }

  #take(event: AgentEvent): void {
    gather(this.evidence, event);
    for (const list of [this.evidence.results, this.evidence.denials, this.evidence.limits, this.evidence.errors])
      if (list.length > MAX_EVIDENCE) list.splice(0, list.length - MAX_EVIDENCE / 2);
    this.books.take(event);
    this.hasEnded = endsTurn(event) ?? this.hasEnded;
    if (event.kind === "retrying" || event.kind === "error") this.isFailing = true;
    if (event.kind === "answer" || event.kind === "said" || event.kind === "tool") {
      this.answers++;
      this.isFailing = false;
    }
    const isRefusal = event.kind === "retrying" && (event.because.kind === "auth" || event.because.kind === "billing");
    this.#refusals = isRefusal ? this.#refusals + 1 : 0;
    if (isRefusal && this.#refusals >= REFUSALS) this.refused = event.because;
  }

  async #cutIfDue(): Promise<void> {
    if (this.#mustKeepAll || this.#gap?.small || this.#position <= this.#caps.head) return;
    // Nobody waits for the rest of a line that is longer than what is kept of one.
    const isInside = this.#lines.held > MAX_LINE_CHARS * 4;
    const known = isInside ? this.#position : this.#position - this.#lines.held;
    const to = Math.min(known, writtenBytes(this.#path) - this.#caps.tail);
    const isMuch = this.#canPunch
      ? isDue(this.#gap?.to ?? this.#caps.head, to, this.#caps)
      : isDue(this.#gap?.known ?? this.#caps.head, known, this.#caps);
    if (!isMuch) return;
    await this.#leaveOutIfRoom(to, known, isInside);
  }

  async #leaveOutIfRoom(to: number, known: number, isInside: boolean): Promise<void> {
    try {
      const isDone = await unlessRefused(() => this.#leaveOut(to, known, isInside), saysFull);
      if (!isDone) this.#mustKeepAll = true;
    } catch (error) {
      if (!saysFull(error)) throw error;
      // It may be this output that fills the disk: what was read goes, and with the next look there may be room for the note.
      if (this.#canPunch) await punchUnnoted(this.#path, { from: this.#gap?.to ?? this.#caps.head, to });
    }
  }

  /** Writes down what is known up to a place, then lets go of what lies before `to`, where that can be done. */
  async #leaveOut(to: number, known: number, isInside: boolean): Promise<void> {
    const from = this.#gap?.from ?? this.#caps.head;
    const before = this.#gap?.to ?? from;
    const kept = this.#writeKept();
    const next: Gap = { from, to: this.#canPunch ? Math.max(before, to) : before, known, kept, isInside, small: null };
    this.#canPunch &&= await makeGap(this.#path, before, next);
    this.#unwritten = [];
    this.#renewSpares(kept);
    this.#gap = this.#canPunch ? next : { ...next, to: before };
  }

  /** What was let go of is room for the next note, unless its writer was quicker. */
  #renewSpares(kept: number): void {
    try {
      makeSpareNote(this.#path);
      if (statSync(keptPath(this.#path)).size < kept + SPARE_KEPT_BYTES / 2)
        writeAt(keptPath(this.#path), kept, blank());
    } catch (error) {
      if (!saysFull(error)) throw error;
    }
  }

  #writeKept(): number {
    const before = this.#gap?.kept ?? 0;
    const events = [...this.#unwritten, ...this.#condenser.drain()];
    this.#unwritten = events;
    const isMuch = before > MAX_KEPT_BYTES;
    const wanted = isMuch ? events.filter((event) => ALWAYS_KEPT.test(event)) : events;
    try {
      return before + this.#writeEvents(before, wanted);
    } catch (error) {
      if (!saysFull(error)) throw error;
      const least = wanted.filter((event) => !PASSES.test(event));
      return before + this.#writeEvents(before, least);
    }
  }

  /** Over what somebody left there who died before the note. The bytes of it. */
  #writeEvents(at: number, events: readonly string[]): number {
    const text = events.map((event) => `${event}\n`).join("");
    writeAt(keptPath(this.#path), at, text);
    return Buffer.byteLength(text);
  }
}

/** Whether a turn is over after an event; null where it says nothing about it. An empty result opens a resume after a kill. */
function endsTurn(event: AgentEvent): boolean | null {
  switch (event.kind) {
    case "result":
      return event.result.turns !== 0 || event.result.isError;
    case "denied":
    case "limit":
    case "used":
      return null;
    case "said":
    case "tool":
    case "tool-result":
    case "error":
    case "retrying":
    case "session":
    case "answer":
      return false;
    default: {
      const never: never = event;
      return never;
    }
  }
}
