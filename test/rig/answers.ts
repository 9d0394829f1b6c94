/** Holds what owt prints with `--json` against the published schemas: strictly, an unknown property is an error. */
import { existsSync, readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

const folder = new URL("../../docs/schemas/", import.meta.url).pathname;
const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true, formats: { "date-time": isMoment } });
const known = new Map<string, ValidateFunction>();

function isMoment(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text);
}

/** The name of the schema for a command line: `task show x --json` is `task-show`. Null for one that there is none for. */
function schemaOf(args: readonly string[]): string | null {
  const words = args
    .filter((arg, at) => !/^-v+$|^--profile/.test(arg) && args[at - 1] !== "--profile")
    .map((arg) => (arg === "onboard" ? "init" : arg));
  const names = [`${words[0]}-${words[1]}`, words[0] ?? ""];
  return names.find((name) => /^[a-z-]+$/.test(name) && existsSync(`${folder}${name}.json`)) ?? null;
}

/** What is wrong with one printed envelope; empty when nothing is. */
function findWrong(schema: string, stdout: string): string[] {
  const validate =
    known.get(schema) ?? ajv.compile(JSON.parse(readFileSync(`${folder}${schema}.json`, "utf8")) as object);
  known.set(schema, validate);
  if (validate(JSON.parse(stdout))) return [];
  return validate.errors!.map((each) => `${each.instancePath} ${each.message} ${JSON.stringify(each.params)}`);
}

/** Throws unless what a command line with `--json` printed fits its schema: that of its answer, where it was answered and then refused
 *  both, one after the other. */
export function expectSound(args: readonly string[], stdout: string): void {
  const schema = schemaOf(args);
  for (const envelope of envelopesOf(stdout)) {
    const isRefusal = "error" in (JSON.parse(envelope) as object);
    const name = isRefusal ? "error" : schema;
    const wrong = name === null ? ["there is no schema for it"] : findWrong(name, envelope);
    if (wrong.length > 0)
      throw new Error(
        `owt ${args.join(" ")} does not fit docs/schemas/${name}.json:\n${wrong.join("\n")}\n${envelope.slice(0, 2_000)}`,
      );
  }
}

/** Each envelope begins and ends with a brace of its own line. */
function envelopesOf(stdout: string): string[] {
  return stdout.split(/(?<=^\}\n)/m).filter((part) => part.trim() !== "");
}

/** Throws unless what was posted to a webhook fits its schema. */
export function expectNotification(body: unknown): void {
  const wrong = findWrong("notification", JSON.stringify(body));
  if (wrong.length > 0) throw new Error(`a notification does not fit its schema:\n${wrong.join("\n")}`);
}
