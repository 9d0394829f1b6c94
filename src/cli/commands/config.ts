/** `owt config approve`: grants the repository's commands beforehand. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { approveGrants, grantsMissing, grantsNeeded } from "../../engine/approvals.ts";
import { chooseWork } from "../../engine/prepare.ts";
import { isNoPlan } from "../../engine/read-plan.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Work } from "../../engine/work.ts";
import { answer, canAsk, confirm, type Io, tell, withEngine } from "../io.ts";
import { printable } from "../text.ts";

export function configCommands(program: Command, io: Io): void {
  const config = program.command("config").description("what is configured and approved");
  config
    .command("approve")
    .description("show the commands that this repository brings, and let owt run them")
    .option("-y, --yes", "approve without being asked; they are shown all the same")
    .option("--json", "print the answer as JSON")
    .action((options: { yes?: boolean; json?: boolean }) =>
      withEngine(io, async (engine) => {
        const work = await readWorkIfAny(engine);
        const grants = grantsNeeded(engine, work?.all ?? [], work?.settings ?? {});
        const missing = grantsMissing(engine, grants);
        for (const grant of missing) tell(io, `${grant.where}: ${printable(grant.what)}`);
        if (missing.length > 0 && !options.yes) {
          if (!canAsk(io))
            throw new OwtError("not-approved", "nothing was approved: nobody can be asked here", {
              hint: "read them, then: owt config approve --yes",
            });
          if (!(await confirm(io, "let owt run them, now and later?")))
            throw new OwtError("not-approved", "nothing was approved");
        }
        approveGrants(engine, missing);
        const text =
          missing.length > 0
            ? `approved: ${missing.map((grant) => printable(grant.what)).join(", ")}`
            : "nothing was left to approve";
        answer(io, options, { approved: missing, approved_before: grants.length - missing.length }, text);
      }),
    );
}

/** Plans bring commands too; a repository without a plan may still have a configuration. */
async function readWorkIfAny(engine: Engine): Promise<Work | null> {
  const request = { plan: null, tasks: [], texts: [], module: null, count: null, withUpstreams: true, again: true };
  try {
    return (await chooseWork(engine, request, false)).work;
  } catch (error) {
    if (isNoPlan(error)) return null;
    throw error;
  }
}
