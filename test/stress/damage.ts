/** Ways in which the files of a store come to harm. */
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import type { Dice } from "../crash/dice.ts";

export type Damage = { file: string; way: string };

const FILES = ["state.db", "state.db", "state.db", "state.db-wal", "state.db-wal", "state.db-shm", "lease.db"] as const;

/** Harms one file of the store below `folder`, as the dice fall, and says which and how. */
export function doDamage(folder: string, dice: Dice): Damage {
  const there = FILES.filter((name) => existsSync(`${folder}/${name}`));
  const name = there[dice.between(0, there.length - 1)]!;
  const path = `${folder}/${name}`;
  const ways = Object.keys(WAYS);
  const way = ways[dice.between(0, ways.length - 1)]!;
  WAYS[way]!(path, dice);
  return { file: name, way };
}

const WAYS: Record<string, (path: string, dice: Dice) => void> = {
  "cut off": (path, dice) => truncateSync(path, Math.floor(statSync(path).size * dice.roll())),
  emptied: (path) => truncateSync(path, 0),
  "600 random bytes": (path, dice) => overwrite(path, dice, 600, () => dice.between(0, 255)),
  "one bit of its first page": (path, dice) => flip(path, dice, 100),
  "one bit": (path, dice) => flip(path, dice, Infinity),
  "a page of zeros": (path, dice) => overwrite(path, dice, 4_096, () => 0),
  "random from end to end": (path, dice) =>
    writeFileSync(
      path,
      Buffer.from(Array.from({ length: Math.max(4_096, statSync(path).size) }, () => dice.between(0, 255))),
    ),
  removed: (path) => {
    // Whoever removes the store itself takes it away on purpose: that is another test.
    if (path.endsWith("state.db")) truncateSync(path, 100);
    else rmSync(path);
  },
};

function overwrite(path: string, dice: Dice, length: number, byte: () => number): void {
  const bytes = readFileSync(path);
  const at = dice.between(0, Math.max(0, bytes.length - length));
  for (let n = at; n < Math.min(bytes.length, at + length); n++) bytes[n] = byte();
  writeFileSync(path, bytes);
}

function flip(path: string, dice: Dice, within: number): void {
  const bytes = readFileSync(path);
  if (bytes.length === 0) return;
  const at = dice.between(0, Math.min(bytes.length, within) - 1);
  bytes[at] = bytes[at]! ^ (1 << dice.between(0, 7));
  writeFileSync(path, bytes);
}
