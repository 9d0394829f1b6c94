/** Asks for the approval of commands that a repository brings. */
import { approveGrants, describeGrant, type Grant, grantsMissing, requireApproval } from "../engine/approvals.ts";
import type { Engine } from "../engine/engine.ts";
import { canAsk, confirm, type Io, tell } from "./io.ts";
import { printable } from "./text.ts";

/** On a terminal the user is shown each command and may approve; elsewhere the error names the line that does. */
export async function approve(io: Io, engine: Engine, grants: readonly Grant[]): Promise<void> {
  const missing = grantsMissing(engine, grants);
  if (missing.length === 0) return;
  if (!canAsk(io)) requireApproval(engine, grants);
  const lines = missing.map((grant) => `  ${printable(describeGrant(grant))}`);
  tell(io, `this repository brings commands that are not approved yet:\n${lines.join("\n")}`);
  if (!(await confirm(io, "let owt run them, now and later?"))) requireApproval(engine, grants);
  approveGrants(engine, missing);
}
