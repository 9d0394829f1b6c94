/** Where the copies of a store lie, and what their names tell. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** `number` counts up and says which is newer, `seq` is the last event that it holds, `at` (epoch ms) when it was taken, for people. */
export type Backup = { path: string; number: number; seq: number; at: number };

export function backupFolder(commonDir: string): string {
  return join(commonDir, "owt", "backups");
}

export function backupName(number: number, seq: number): string {
  return `state-${number}-${seq}.db`;
}

/** The copies there are, newest first. */
export function listBackups(commonDir: string): Backup[] {
  const folder = backupFolder(commonDir);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const [, number, seq] = /^state-(\d+)-(\d+)\.db$/.exec(name) ?? [];
      const path = join(folder, name);
      if (number === undefined) return [];
      // Every start looks for the newest one, and hardly any asks when it was taken.
      const whenTaken = () => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      return [
        {
          path,
          number: Number(number),
          seq: Number(seq),
          get at() {
            return whenTaken();
          },
        },
      ];
    })
    .toSorted((a, b) => b.number - a.number);
}
