/** `owt prompt …`: the templates that agents are spoken to with. */
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { nearestHint } from "../../core/names.ts";
import { promptFields } from "../../core/prompt.ts";
import type { Engine } from "../../engine/engine.ts";
import { type PromptSource, readPromptSources, renderPromptOf } from "../../engine/prompts.ts";
import { answer, answerAsIs, type Io, withEngine } from "../io.ts";
import { printable, table } from "../text.ts";

type JsonOption = { json?: boolean };

export function promptCommands(program: Command, io: Io): void {
  const prompt = program.command("prompt").description("the templates that agents are spoken to with");
  prompt
    .command("list")
    .description("every template, where it comes from, and what it overrides")
    .option("--json", "print the answer as JSON")
    .action((options: JsonOption) => withEngine(io, async (engine) => listPrompts(io, engine, options)));
  prompt
    .command("show <template>")
    .description("the source of a template, to begin one of your own with")
    .option("--json", "print the answer as JSON")
    .action((name: string, options: JsonOption) =>
      withEngine(io, async (engine) => {
        const source = findSource(readPromptSources(engine).sources, name);
        const { origin, file, text } = source.inForce;
        const fields = promptFields(source.occasion);
        answerAsIs(io, options, { name: source.name, origin, file, fields, text }, toShow(io, text));
      }),
    );
  prompt
    .command("render <task-or-text>")
    .description("the prompt that a task would get now")
    .option("--json", "print the answer as JSON")
    .action((words: string, options: JsonOption) =>
      withEngine(io, async (engine) => {
        const { task, prompt } = await renderPromptOf(engine, words);
        answerAsIs(io, options, { task: task.id, prompt }, toShow(io, prompt));
      }),
    );
}

/** As it is for a file or a pipe; a screen is spared what would steer it. */
function toShow(io: Io, text: string): string {
  return io.stdout.isTTY ? printable(text) : text;
}

function listPrompts(io: Io, engine: Engine, options: JsonOption): void {
  const { sources, folders, unused } = readPromptSources(engine);
  const templates = sources.map(({ name, inForce, hidden }) => ({
    name,
    origin: inForce.origin,
    file: inForce.file,
    overrides: hidden.map(({ origin, file }) => ({ origin, file })),
  }));
  const rows = templates.map(({ name, origin, file, overrides }) => [
    name,
    origin,
    printable(origin === "built-in" ? "" : file),
    overrides.length > 0 ? `overrides ${overrides.map((each) => each.origin).join(", ")}` : "",
  ]);
  const looked = folders
    .filter((folder) => folder.origin !== "built-in")
    .map((folder) => `  ${printable(folder.shown)}  (${folder.origin}${folder.exists ? "" : ", not there"})`);
  const lines = [
    table(rows).trimEnd(),
    "",
    "looked for, the first wins:",
    ...looked,
    ...(unused.length > 0
      ? ["", "not used:", ...unused.map(({ file, reason }) => `  ${printable(file)}  ${reason}`)]
      : []),
  ];
  const data = {
    templates,
    folders: folders.map(({ origin, shown, exists }) => ({ origin, folder: shown, exists })),
    unused,
  };
  answer(io, options, data, lines.join("\n"));
}

/** By its file name, or by any shorter form: `epic/task.md`, `epic/task`, `task`. */
function findSource(sources: readonly PromptSource[], name: string): PromptSource {
  const found = sources.find(({ name: full, occasion }) => [full, full.replace(/\.md$/, ""), occasion].includes(name));
  if (found) return found;
  const known = sources.flatMap((source) => [source.occasion, source.name]);
  throw new OwtError("unknown-name", `there is no template ${name}`, {
    hint: nearestHint(name, known, "see: owt prompt list"),
  });
}
