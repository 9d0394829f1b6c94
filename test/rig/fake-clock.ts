/** A clock that can be set under programs that run, where libfaketime is to be had. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Rig } from "./rig.ts";

/** Where Debian (`apt-get install faketime`) and Homebrew (`brew install libfaketime`) put it; undefined where it is not there. */
function findFaketime(): string | undefined {
  const folders = ["/usr/lib", "/opt/homebrew/lib", "/usr/local/lib"].flatMap((folder) =>
    existsSync(folder) ? [folder, ...readdirSync(folder).map((name) => join(folder, name))] : [],
  );
  return folders
    .flatMap((folder) => ["libfaketimeMT.so.1", "libfaketime.1.dylib"].map((name) => join(folder, "faketime", name)))
    .find((path) => existsSync(path));
}

/** The library; undefined where it is not installed, and nothing can be tested. */
export const library: string | undefined = findFaketime();

/** What `date` says in the rig's processes is so much off. Takes effect at once, also in those that run. */
export function setClock(rig: Rig, offset: string): void {
  writeFileSync(rig.path("clock"), offset);
}

/** From now on the rig's programs live by a clock of their own. */
export function useClock(rig: Rig): void {
  setClock(rig, "+0s");
  Object.assign(rig.env, {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: rig.path("clock"),
    FAKETIME_NO_CACHE: "1",
    DONT_FAKE_MONOTONIC: "1",
  });
}
