/** Every file of the repository that is told by the program itself, by its path from the root. */
import { answerSchemas } from "./answers.ts";

export function generatedFiles(): Map<string, string> {
  const schemas = [...answerSchemas()].map(
    ([name, schema]) => [`docs/schemas/${name}.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
  );
  return new Map(schemas);
}
