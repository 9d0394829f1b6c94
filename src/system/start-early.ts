/** What a command does first that will start many programs. */
import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import { openForkServer } from "./fork-server.ts";
import { LAUNCH_PROGRAM } from "./launch-shells.ts";
import { INNER_SCRIPT, OUTER_SCRIPT } from "./launch-script.ts";
import { HELPER_PROGRAM } from "./shells.ts";

/** Starts what starts programs for us, while we are still small and have other things to do. It ends by `closeForkServer`, or with us. */
export function startEarly(): void {
  openForkServer([HELPER_PROGRAM, LAUNCH_PROGRAM, OUTER_SCRIPT, INNER_SCRIPT]);
  // At the first wait: by then a git works for us, beside us.
  setImmediate(loadEarly);
}

/** Node loads these when they are first used, which takes milliseconds each, and without them no commit can be read or written. */
function loadEarly(): void {
  createHash("sha1");
  inflateSync(EMPTY);
  performance.now();
}

const EMPTY = Buffer.from("eJwDAAAAAAE=", "base64");
