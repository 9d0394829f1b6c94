/** A store that may not be written, read by way of a copy. */
import { accessSync, chmodSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/** Whether the file or its folder may not be written: SQLite, whose readers share a file beside it, cannot even read it then. */
export function isReadOnly(path: string): boolean {
  try {
    for (const each of [path, dirname(path)]) accessSync(each, constants.W_OK);
    return false;
  } catch {
    return existsSync(path);
  }
}

/** Does something with a copy of a store, which is gone behind it. */
export function withCopy<T>(path: string, work: (copy: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "owt-reads-"));
  try {
    const copy = join(folder, basename(path));
    copyWhole(path, copy);
    return work(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** So often it is copied again where somebody writes meanwhile. */
const MOST_TRIES = 20;

/** With its journal, and such as both were at one moment: somebody else may write. */
function copyWhole(path: string, copy: string): void {
  const seen = () => [path, `${path}-wal`].map((each) => statSync(each, { throwIfNoEntry: false })?.mtimeMs).join();
  for (let tries = 1; ; tries++) {
    const before = seen();
    copyFileSync(path, copy);
    rmSync(`${copy}-wal`, { force: true });
    if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`);
    chmodSync(copy, 0o600);
    if (before === seen() || tries === MOST_TRIES) return;
  }
}
