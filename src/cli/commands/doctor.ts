import type { Command } from "commander";
import { examine } from "../../engine/doctor.ts";
import { answer, type Io, withEngine } from "../io.ts";
import { OwtError } from "../../core/errors.ts";
import { openRepo } from "../../git/repo.ts";
import { adoptStore } from "../../store/database.ts";
import { painter } from "../text.ts";

export function doctorCommand(program: Command, io: Io): void {
  program
    .command("doctor")
    .description("check what owt needs here, with the line that mends what is missing")
    .option("--adopt-store", "this repository was moved: bind its store to where it is now")
    .option("--json", "print the answer as JSON")
    .action(async (options: { adoptStore?: boolean; json?: boolean }) => {
      if (options.adoptStore) {
        const repo = await openRepo(io.cwd);
        adoptStore(repo.commonDir);
        await repo.close();
      }
      const findings = await examine(io.env);
      findings.push(await examineRepository(io));
      const paint = painter(io, io.stdout);
      const marks = { pass: paint("green", "✓"), warn: paint("yellow", "▲"), fail: paint("red", "✗") };
      const lines = findings.map(
        (each) =>
          `${marks[each.state]} ${each.check}  ${each.detail}${each.hint && each.state !== "pass" ? `\n  ↳ ${each.hint}` : ""}`,
      );
      answer(io, options, { findings }, lines.join("\n"));
      if (findings.some((each) => each.state === "fail")) process.exitCode = 1;
    });
}

async function examineRepository(io: Io) {
  try {
    return await withEngine(io, async (engine) => ({
      check: "repository",
      state: "pass" as const,
      detail: engine.repo.root,
    }));
  } catch (error) {
    if (!(error instanceof OwtError)) throw error;
    return {
      check: "repository",
      state: "fail" as const,
      detail: error.message,
      ...(error.hint ? { hint: error.hint } : {}),
    };
  }
}
