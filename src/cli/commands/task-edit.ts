/** `owt task edit`: change what a task asks for. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { OwtError } from "../../core/errors.ts";
import { type Editable, type Edited, findEditable } from "../../engine/edit-task.ts";
import { editText } from "../../system/editor.ts";
import { answer, canAsk, type Io, readInput, textOf, withEngine } from "../io.ts";

type Options = { text?: string; file?: string; run?: string; json?: boolean };

export function editCommand(task: Command, io: Io): void {
  task
    .command("edit <task>")
    .description("change what a task asks for, in your editor ($VISUAL, $EDITOR); its plan's file is changed")
    .option("--text <text>", "the new text, in place of an editor")
    .option("--file <file>", "the new text from this file (- reads standard input)")
    .option("--run <run>", "the task of this run; by default the newest")
    .option("--json", "print the answer as JSON")
    .action((key: string, options: Options) =>
      withEngine(io, async (engine) => {
        if (options.text !== undefined && options.file !== undefined)
          throw new OwtError("usage", "--text and --file contradict each other", { hint: "leave one of them out" });
        const given = await readGiven(io, key, options);
        const editable = await findEditable(engine, key, options.run);
        const edited = given === null ? await editHere(io, editable) : await put(editable, given);
        const { where = editable.where, run = null, others = [] } = edited ?? {};
        answer(
          io,
          options,
          { task: editable.key, changed: edited !== null, where, run, others },
          edited === null ? `${editable.key}: nothing was changed` : words(editable.key, edited),
        );
      }),
    );
}

/** The text that was brought along; null where there is none. */
async function readGiven(io: Io, key: string, { text, file }: Options): Promise<string | null> {
  if (file === undefined) return text ?? null;
  if (file === "-") return readInput(io);
  return textOf(readGivenFile(io, file), { what: file, file, same: `owt task edit ${key} --file -` });
}

function readGivenFile(io: Io, file: string): Buffer {
  try {
    return readFileSync(resolve(io.cwd, file));
  } catch (cause) {
    throw new OwtError("usage", `${file} cannot be read`, { hint: "name a file with the new text", cause });
  }
}

/** Null where nothing was changed. A draft that cannot be taken is kept. */
async function editHere(io: Io, editable: Editable): Promise<Edited | null> {
  if (!canAsk(io))
    throw new OwtError("usage", "off a terminal the new text has to be brought along", {
      hint: `owt task edit ${editable.key} --text "…", or --file FILE (- reads standard input)`,
    });
  const draft = await editText(io.env, editable.draft, editable.fileName);
  try {
    const edited = await put(editable, draft.text);
    draft.discard();
    return edited;
  } catch (error) {
    if (!(error instanceof OwtError)) throw error;
    const hint = `${error.hint ? `${error.hint}; ` : ""}what was written is kept: owt task edit ${editable.key} --file ${draft.path}`;
    throw new OwtError(error.code, error.message, { hint, cause: error });
  }
}

async function put(editable: Editable, text: string): Promise<Edited | null> {
  if (text.trim() === "")
    throw new OwtError("usage", "a task needs a text", {
      hint: `to give it up: owt task cancel ${editable.key}`,
    });
  return text.trim() === editable.draft.trim() ? null : editable.put(text);
}

function words(key: string, { where, run, others }: Edited): string {
  const taken = run === null ? "the next owt run takes it up" : `${run} has taken it up`;
  const more = others.length > 0 ? `\ntaken up with it, for their files had changed: ${others.join(", ")}` : "";
  return `${key}: changed (${where}); ${taken}${more}`;
}
