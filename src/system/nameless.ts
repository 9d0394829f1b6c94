/** Files without a name: what a kill leaves behind, nobody has to clear away. */
import { constants, ftruncateSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file that is gone from its folder already and lives as long as somebody has it open; whoever writes into it appends. */
export function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), "owt-"));
  const file = openSync(join(folder, "out"), constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o600);
  rmSync(folder, { recursive: true });
  return file;
}

/** Reads such a file from its beginning and empties it for what comes next. */
export function takeAll(file: number): string {
  const { size } = fstatSync(file);
  if (size === 0) return "";
  const buffer = Buffer.allocUnsafe(size);
  const bytes = readSync(file, buffer, 0, size, 0);
  ftruncateSync(file, 0);
  return buffer.toString("utf8", 0, bytes);
}
