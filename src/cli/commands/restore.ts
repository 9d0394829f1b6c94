import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { listRescues } from "../../git/rescue.ts";
import { restoreRescue } from "../../git/restore.ts";
import { OwtError } from "../../core/errors.ts";
import { worktreeHome } from "../../engine/engine.ts";
import { ensureNamedFolder } from "../../system/files.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { printable, table } from "../text.ts";

export function restoreCommand(program: Command, io: Io): void {
  program
    .command("restore [id]")
    .description("bring back what was saved before a worktree was removed; without an id, list what there is")
    .option("--path <folder>", "where to put it")
    .option("--json", "print the answer as JSON")
    .action((id: string | undefined, options: { path?: string; json?: boolean }) =>
      withEngine(io, async (engine) => {
        const rescues = await listRescues(engine.repo);
        if (id === undefined) {
          const rows = rescues.map((rescue) => [rescue.id, new Date(rescue.at).toISOString(), printable(rescue.note)]);
          answer(io, options, { rescues }, rows.length === 0 ? "nothing is saved" : table(rows));
          return;
        }
        const found = rescues.find((rescue) => rescue.id === id);
        if (!found)
          throw new OwtError("unknown-name", `nothing is saved as ${id}`, { hint: "list what there is: owt restore" });
        const path = options.path ? resolve(io.cwd, options.path) : `${worktreeHome(engine)}/restored-${id}`;
        ensureNamedFolder(
          dirname(path),
          "nothing can be restored",
          `name another folder: owt restore ${id} --path FOLDER`,
        );
        const restored = await restoreRescue(engine.repo, id, { path });
        answer(
          io,
          options,
          { id, path: restored.path, branch: restored.branch },
          `restored to ${restored.path} on ${restored.branch ?? "no branch"}`,
        );
      }),
    );
}
