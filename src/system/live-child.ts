/** A program that lives on beside us and answers on its standard output: how it is spoken to, however it was started. */
import type { Socket } from "node:net";
import { start } from "./exec.ts";
import { coverInherited } from "./inherited.ts";

export type LiveOptions = {
  file: string;
  args: readonly string[];
  cwd: string;
  /** Its whole environment. */
  env: Record<string, string>;
  /** Open files of ours, to which it can append by the descriptors 3, 4, …. */
  appendsTo?: readonly number[];
  /** What it starts may live longer than we do, and gets none of the files that our own parent left open in us. */
  startsOthers?: boolean;
};

/** What is heard of it. */
export type LiveListener = { onBytes(chunk: Buffer): void; onEnd(): void };

export type LiveChild = {
  /** Without a word where it has ended: `onEnd` tells. */
  write(text: string): void;
  /** What it has said on standard error since this was last called. */
  takeSaid(): string;
  /** Closes its input and waits for its end. */
  end(): Promise<void>;
  /** Whether it keeps Node alive. */
  hold(held: boolean): void;
};

/** Starts it as our own child, which blocks Node for as long as copying its page tables takes. */
export function spawnLive(options: LiveOptions, listener: LiveListener): LiveChild {
  const child = start(options.file, options.args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ["pipe", "pipe", "pipe", ...(options.startsOthers ? coverInherited() : (options.appendsTo ?? []))],
  });
  let said = "";
  const ended = new Promise<void>((resolve) => {
    child.on("close", () => {
      listener.onEnd();
      resolve();
    });
  });
  // One that cannot be started is told by "close" too; so is a write into the input of one that has ended.
  child.on("error", () => {});
  child.stdin?.on("error", () => {});
  child.stdout?.on("data", (chunk: Buffer) => listener.onBytes(chunk));
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  const handles = [child, child.stdin, child.stdout, child.stderr] as (typeof child | Socket | null)[];
  const hold = (held: boolean): void => {
    for (const handle of handles) {
      if (held) handle?.ref();
      else handle?.unref();
    }
  };
  return {
    write: (text) => void child.stdin?.write(text),
    takeSaid: () => {
      const taken = said;
      said = "";
      return taken;
    },
    end: () => {
      hold(true);
      child.stdin?.end();
      return ended;
    },
    hold,
  };
}
