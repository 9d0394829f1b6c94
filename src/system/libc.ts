/** Which C library this machine's programs run with. */
import { readTextIfThere } from "./files.ts";

/** "glibc" or "musl"; null where it is another one or the system is not Linux. Told as npm tells it, by the text of `ldd`, else by what
 *  Node knows of itself (github.com/npm/npm-install-checks, current-env.js). */
export function libcFamily(): string | null {
  if (process.platform !== "linux") return null;
  const ldd = readTextIfThere("/usr/bin/ldd");
  if (ldd?.includes("musl")) return "musl";
  if (ldd !== null) return ldd.includes("GNU C Library") ? "glibc" : null;
  return fromReport();
}

function fromReport(): string | null {
  // Otherwise the names of all addresses that are open would be looked up. The types do not know it yet.
  Object.assign(process.report, { excludeNetwork: true });
  const report = process.report.getReport() as Report;
  if (report.header.glibcVersionRuntime !== undefined) return "glibc";
  return report.sharedObjects.some((file) => /libc\.musl-|ld-musl-/.test(file)) ? "musl" : null;
}

type Report = { header: { glibcVersionRuntime?: string }; sharedObjects: string[] };
