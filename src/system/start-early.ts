/** What a command does first that will start many programs. */
import { openForkServer } from "./fork-server.ts";
import { LAUNCH_PROGRAM } from "./launch-shells.ts";
import { INNER_SCRIPT, OUTER_SCRIPT } from "./launch-script.ts";
import { HELPER_PROGRAM } from "./shells.ts";

/** Starts what starts programs for us, while we are still small and have other things to do. It ends by `closeForkServer`, or with us. */
export function startEarly(): void {
  openForkServer([HELPER_PROGRAM, LAUNCH_PROGRAM, OUTER_SCRIPT, INNER_SCRIPT]);
}
