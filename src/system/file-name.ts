/** A path as the name of a file. */
import { createHash } from "node:crypto";

/** A name takes at most 255 bytes (NAME_MAX of Linux and macOS), and who names a file this way writes an ending behind it. */
const LONGEST = 200;
const KEPT = 100;

/** A name for what is known of a path: readable, without `/` and `+`, one for each path. What would be too long, as a path of other letters than Latin ones
 *  soon is (nine bytes each), keeps its end and has a hash in place of the rest. */
export function fileNameFor(path: string): string {
  const encoded = encodeURIComponent(path);
  if (encoded.length <= LONGEST) return encoded;
  // No escape is spelt like this: it is no other path's name.
  return `%~${createHash("sha256").update(path).digest("hex")}~${encoded.slice(-KEPT)}`;
}
