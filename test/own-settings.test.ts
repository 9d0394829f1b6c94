/** This repository's own CLAUDE.md and .claude: what they name is there. That the commands are the plugin's is kept by generated.test.ts. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = new URL("..", import.meta.url).pathname;
const read = (path: string) => readFileSync(join(root, path), "utf8");
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

/** Scripts, files to test and folders that lines of a shell name. */
function missingIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const script = /^npm (?:run )?([a-z:]+)/.exec(line)?.[1];
    const names = line.match(/[\w./-]+\.test\.ts/g) ?? [];
    const isScript = script === undefined || script === "ci" || script === "publish" || script in scripts;
    return [...(isScript ? [] : [line]), ...names.filter((name) => !existsSync(join(root, name)))];
  });
}

test("CLAUDE.md is short, and what it names is there", () => {
  const text = read("CLAUDE.md");
  expect(text.split("\n").length).toBeLessThan(60);
  const shell = /```sh\n(.*?)```/s.exec(text)![1]!.split("\n").filter(Boolean);
  expect(shell.length).toBeGreaterThan(4);
  expect(missingIn(shell)).toEqual([]);
  expect(missingIn(["npm run nothing", "npx vitest run src/no.test.ts"])).toHaveLength(2);
  const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!);
  const paths = [...text.matchAll(/`((?:src|test)\/[\w./-]+)`/g)].map(([, path]) => path!);
  expect([...links, ...paths].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  for (const [, name] of text.matchAll(/`\/(wt-[a-z]+)/g))
    expect(existsSync(join(root, `.claude/commands/${name}.md`))).toBe(true);
});

test("its settings allow single commands, and only such as there are", () => {
  type Settings = { permissions: { allow: string[]; deny: string[] } };
  const settings = JSON.parse(read(".claude/settings.json")) as Settings;
  expect(Object.keys(settings)).toEqual(["$schema", "permissions"]);
  const rules = [...settings.permissions.allow, ...settings.permissions.deny];
  const commands = rules.map((rule) => /^Bash\(([^()*]+?)(?::\*)?\)$/.exec(rule)?.[1]);
  expect(rules.filter((_, at) => commands[at] === undefined)).toEqual([]);
  expect(missingIn(commands as string[])).toEqual([]);
  const known = readFileSync(join(root, "docs/reference.md"), "utf8");
  for (const command of commands as string[]) {
    const name = /^owt [a-z]+/.exec(command)?.[0];
    if (name !== undefined) expect(known).toContain(`### ${name}\n`);
  }
});
