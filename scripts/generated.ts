/** Every file of the repository that is told by the program itself, by its path from the root. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
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
    ...pluginFiles(),
    ["docs/reference.md", renderReference(commands, new Set(schemas.keys()))],
    ["man/owt.1", renderManPage(commands)],
    ...[...schemas].map(
      ([name, schema]) => [`docs/schemas/${name}.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
    ),
  ]);
}

/** The plugin bears the package's version, and this repository uses the plugin's commands without installing it. */
function pluginFiles(): [path: string, text: string][] {
  const root = new URL("..", import.meta.url).pathname;
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  const { version } = JSON.parse(read("package.json")) as { version: string };
  const manifest = "plugin/.claude-plugin/plugin.json";
  const commands = readdirSync(join(root, "plugin/commands"));
  return [
    [manifest, read(manifest).replace(/^( *"version": )".*"/m, `$1"${version}"`)],
    ...commands.map((name): [string, string] => [`.claude/commands/${name}`, read(`plugin/commands/${name}`)]),
  ];
}
