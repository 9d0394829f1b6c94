/** Every file of the repository that is told by the program itself, by its path from the root. */
import { answerSchemas } from "./answers.ts";
import { generatedFiles as configurationFiles } from "./config-reference.ts";
import { renderManPage } from "./man-page.ts";
import { describeProgram } from "./program.ts";
import { renderReference } from "./reference-page.ts";

export async function generatedFiles(): Promise<Map<string, string>> {
  const schemas = answerSchemas();
  const commands = await describeProgram();
  return new Map([
    ...Object.entries(configurationFiles()),
    ["docs/reference.md", renderReference(commands, new Set(schemas.keys()))],
    ["man/owt.1", renderManPage(commands)],
    ...[...schemas].map(
      ([name, schema]) => [`docs/schemas/${name}.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
    ),
  ]);
}
