/** What the repository says of the program is what the program says of itself. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generatedFiles } from "../scripts/generated.ts";

const root = new URL("..", import.meta.url).pathname;
const files = await generatedFiles();

test.each([...files.keys()])("%s is as the program has it (npm run reference)", (path) => {
  expect(readFileSync(join(root, path), "utf8")).toBe(files.get(path));
});

test("the man page is one that man can read, with every command in it", () => {
  const page = files.get("man/owt.1")!;
  expect(
    page.split("\n").filter((line) => /^['.]/.test(line) && !/^\.(\\"|TH|SH|SS|TP|B|I|RI)( |$)/.test(line)),
  ).toEqual([]);
  for (const name of ["plan deps", "run", "task answer", "config show", "report"])
    expect(page).toContain(`.SS owt ${name.replaceAll("-", "\\-")} `);
});

test("the reference links to the schema of every answer", () => {
  const page = files.get("docs/reference.md")!;
  for (const path of files.keys())
    if (path.startsWith("docs/schemas/")) expect(page).toContain(`(${path.slice("docs/".length)})`);
});

test("no schema is left of an answer that is gone", () => {
  const there = readdirSync(join(root, "docs/schemas")).map((name) => `docs/schemas/${name}`);
  expect(there.filter((path) => !files.has(path))).toEqual([]);
});

test("every object of a schema is closed, so that an unknown property is an error", () => {
  const open: string[] = [];
  const look = (path: string, node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    if ("properties" in node && !("additionalProperties" in node && node.additionalProperties === false))
      open.push(path);
    for (const [key, value] of Object.entries(node)) look(`${path}/${key}`, value);
  };
  const schemas = [...files].filter(([path]) => path.startsWith("docs/schemas/"));
  expect(schemas.length).toBeGreaterThan(20);
  for (const [path, text] of schemas) look(path, JSON.parse(text));
  expect(open).toEqual([]);
});
