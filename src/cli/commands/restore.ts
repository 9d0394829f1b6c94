import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import type { SetupSaid } from "../../core/reuse.ts";
import { readySubmodules } from "../../engine/submodules.ts";
import type { Place } from "../../git/git.ts";
import { readHead } from "../../git/place.ts";
import { outlastDeadGit } from "../../git/dead-git.ts";
import { listRescues, withContent } from "../../git/rescue.ts";
import type { RescuedModule } from "../../git/rescue-module.ts";
import { restoreRescue } from "../../git/restore.ts";
import { OwtError } from "../../core/errors.ts";
import { nearestHint } from "../../core/names.ts";
import { worktreeHome } from "../../engine/engine.ts";
import { listKept, restoreKept } from "../../engine/environment-files.ts";
import { recordRestored } from "../../store/worktrees.ts";
import { ensureNamedFolder } from "../../system/files.ts";
import { answer, type Io, tell, withEngine } from "../io.ts";
import { localTime, printable, table } from "../text.ts";
import { describeSetup } from "../worktrees/setup-text.ts";
import { printableNames } from "../../lib/printable.ts";

export function restoreCommand(program: Command, io: Io): void {
  program
    .command("restore [id]")
    .description("bring back what was saved before a worktree was removed; without an id, list what there is")
    .option("--path <folder>", "where to put it")
    .option("--json", "print the answer as JSON")
    .action((id: string | undefined, options: { path?: string; json?: boolean }) =>
      withEngine(io, async (engine) => {
        // One that brings the same back, and whose owt was killed, stands in the way until it has ended.
        if (id !== undefined) await outlastDeadGit(engine.repo, { leave: io.signal });
        const all = await listRescues(engine.repo);
        const kept = listKept(engine);
        if (id === undefined) {
          const rescues = await withContent(engine.repo, all);
          const rows = [
            ...rescues.map(({ id: name, at, note, underWay }) => ({
              name,
              at,
              note: underWay === undefined ? note : `${note}, in the middle of a ${underWay}`,
            })),
            ...kept.map(({ id: name, at, files }) => ({ name, at, note: `changed ${printableNames(files)}` })),
          ].map(({ name, at, note }) => [name, localTime(at, engine.now()), printable(note)]);
          const environment = kept.map(({ id: name, files, at }) => ({ id: name, files, at: Math.round(at) }));
          answer(io, options, { rescues, environment }, rows.length === 0 ? "nothing is saved" : table(rows));
          return;
        }
        const found = all.find((rescue) => rescue.id === id);
        const files = kept.find((each) => each.id === id);
        if (!found && !files)
          throw new OwtError("unknown-name", `nothing is saved as ${id}`, {
            hint: nearestHint(
              id,
              [...all, ...kept].map((each) => each.id),
              "list what there is: owt restore",
            ),
          });
        const path = options.path ? resolve(io.cwd, options.path) : `${worktreeHome(engine)}/restored-${id}`;
        ensureNamedFolder(
          dirname(path),
          "nothing can be restored",
          `name another folder: owt restore ${id} --path FOLDER`,
        );
        const told = (said: SetupSaid) => tell(io, printable(describeSetup(said)));
        const submodules = async (place: Place) => {
          const { oid } = await readHead(engine.repo, place);
          if (oid !== null) await readySubmodules(engine, place, oid, { asked: true, signal: io.signal, tell: told });
        };
        const missed = ({ path: module, files, head }: RescuedModule) =>
          tell(
            io,
            `submodule ${printable(module)}: what was saved of it is ${files ?? head} under refs/owt/submodules`,
          );
        const restored = found ? await restoreRescue(engine.repo, id, { path, submodules, missed }) : null;
        if (restored && found?.record) {
          const { base, began, doing } = found.record;
          recordRestored(engine.store, engine.now(), restored, { base, ownsBranchAt: began, note: doing });
        }
        const underWay = found?.underWay ?? null;
        if (underWay !== null)
          tell(
            io,
            `a ${underWay} was under way there and is not taken up again: its files and conflicts are as they were; once these are settled, commit them`,
          );
        const environment = files ? restoreKept(engine, files, path) : [];
        const where = restored ? ` on ${restored.branch ?? "no branch"}` : "";
        const what = environment.length > 0 ? `, with ${environment.join(", ")}` : "";
        const data = {
          id,
          path: restored?.path ?? path,
          branch: restored?.branch ?? null,
          under_way: underWay,
          environment,
        };
        answer(io, options, data, `restored to ${data.path}${where}${what}`);
      }),
    );
}
