/** Reads `schedule.toml` from where it lies: the user's configuration directory, then `.owt/` of the repository. All problems at once. */
import { join } from "node:path";
import { type Batch, checkSchedule, type ScheduleOrigin } from "../core/batch.ts";
import { OwtError } from "../core/errors.ts";
import { type FileProblem, readToml, renderProblem, userConfigDir } from "./config-files.ts";
import { readTextIfThere } from "./files.ts";

/** A batch and the file it stands in. */
export type FoundBatch = Batch & { file: string; origin: ScheduleOrigin };

export type Schedule = {
  batches: FoundBatch[];
  /** Where was looked, and what of it was there. */
  files: { path: string; found: boolean }[];
};

/** The schedule for a checkout (null: outside of one). Throws `config` with every problem of both files. */
export function readSchedule(root: string | null, env: NodeJS.ProcessEnv): Schedule {
  const problems: FileProblem[] = [];
  const batches: FoundBatch[] = [];
  const files: Schedule["files"] = [];
  const places: [ScheduleOrigin, string][] = [["user", join(userConfigDir(env), "schedule.toml")]];
  if (root !== null) places.push(["repository", join(root, ".owt", "schedule.toml")]);
  for (const [origin, path] of places) {
    const text = textOf(path, problems);
    files.push({ path, found: text !== null });
    if (text === null) continue;
    const read = readText(path, text, origin);
    if ("problems" in read) problems.push(...read.problems);
    else batches.push(...read.batches.map((batch) => ({ ...batch, file: path, origin })));
  }
  if (problems.length > 0) {
    throw new OwtError("config", problems.map(renderProblem).join("\n"), {
      hint: "correct what is named, then look again: owt batch list",
    });
  }
  return { batches, files };
}

/** Null where there is none, or it cannot be read, which is a problem then. */
function textOf(path: string, problems: FileProblem[]): string | null {
  try {
    return readTextIfThere(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!UNREADABLE.has(code)) throw error;
    const message = code === "EISDIR" ? "is a folder, and no file" : "cannot be read";
    problems.push({ file: path, place: null, key: null, message, hint: null });
    return null;
  }
}

const UNREADABLE = new Set(["EISDIR", "EACCES", "EPERM", "ELOOP"]);

function readText(
  file: string,
  text: string,
  origin: ScheduleOrigin,
): { batches: Batch[] } | { problems: FileProblem[] } {
  const read = readToml(file, text, (raw) => checkSchedule(raw, origin, localZone()));
  return "problems" in read ? read : read.checked;
}

/** The time zone of this machine. */
function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
