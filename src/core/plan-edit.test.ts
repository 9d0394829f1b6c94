import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OwtError } from "./errors.ts";
import { editFeatureNeeds } from "./plan-edit-features.ts";
import { editMarkdownNeeds } from "./plan-edit-markdown.ts";
import { parseMarkdown } from "./plan-front-matter.ts";

const BODY = "# Title\n\nText --- with\n---\nrules.\n";

/** One change of a file whose depends_on means `needs`. */
function markdown(matter: string, needs: string[], edit: { add?: string[]; remove?: string[] }): string {
  const text = `---\n${matter}---\n${BODY}`;
  const edited = editMarkdownNeeds("epic.md", text, needs, { add: edit.add ?? [], remove: edit.remove ?? [] });
  expect(edited.startsWith("---\n")).toBe(true);
  expect(edited.endsWith(`---\n${BODY}`)).toBe(true);
  return edited.slice(4, -`---\n${BODY}`.length);
}

describe("front matter", () => {
  const [a, b, x] = ["m/E01", "m/E02", "x/E09"] as const;

  test.each<[name: string, before: string, needs: string[], add: string[], remove: string[], after: string]>([
    [
      "a key is added behind the others",
      "status: todo # later\n",
      [],
      [x],
      [],
      `status: todo # later\ndepends_on: [${x}]\n`,
    ],
    ["an indented map keeps its indent", "  status: todo\n", [], [x], [], `  status: todo\n  depends_on: [${x}]\n`],
    [
      "a key without a value gets one",
      "depends_on: # none\npriority: high\n",
      [],
      [x],
      [],
      `depends_on: [${x}] # none\npriority: high\n`,
    ],
    ["an empty list", "depends_on: []\n", [], [x, b], [], `depends_on: [${x}, ${b}]\n`],
    ["a list on one line", `depends_on: [1,  ${b} ] # why\n`, [a, b], [x], [], `depends_on: [1,  ${b}, ${x} ] # why\n`],
    ["the first of a line goes", `depends_on: [1,  ${b} ]\n`, [a, b], [], [a], `depends_on: [${b} ]\n`],
    ["the last of a line goes", `depends_on: [1,  ${b} ]\n`, [a, b], [], [b], "depends_on: [1 ]\n"],
    ["the only one goes", `depends_on: [ 1 ] # why\n`, [a], [], [a], "depends_on: [  ] # why\n"],
    [
      "a list in lines",
      `depends_on:\n  - 1   # first\n  - ${b}\n# end\n`,
      [a, b],
      [x],
      [],
      `depends_on:\n  - 1   # first\n  - ${b}\n  - ${x}\n# end\n`,
    ],
    [
      "a line of its own goes with its comment",
      `depends_on:\n  # about both\n  - 1 # first\n  - ${b}\n`,
      [a, b],
      [],
      [a],
      `depends_on:\n  # about both\n  - ${b}\n`,
    ],
    ["all lines go", `depends_on:\n- 1\n- ${b}\nstatus: todo\n`, [a, b], [], [a, b], "depends_on:\nstatus: todo\n"],
    [
      "one comes and one goes",
      `depends_on:\n- 1\nstatus: todo\n`,
      [a],
      [x],
      [a],
      `depends_on:\n- ${x}\nstatus: todo\n`,
    ],
    [
      "brackets over several lines",
      `depends_on: [\n  1, # first\n  ${b}\n]\n`,
      [a, b],
      [x],
      [a],
      `depends_on: [\n  ${b},\n  ${x}\n]\n`,
    ],
    [
      "brackets with a comma at the end",
      `depends_on: [\n  1,\n  ${b}, # second\n]\n`,
      [a, b],
      [x],
      [b],
      `depends_on: [\n  1,\n  ${x},\n]\n`,
    ],
    ["a text becomes a list", `depends_on: 1, ${b} # why\n`, [a, b], [x], [], `depends_on: [1, ${b}, ${x}] # why\n`],
    ["a text in quotes", `depends_on: "${a} ${b}"\n`, [a, b], [], [a], `depends_on: [${b}]\n`],
    ["two words in one entry", `depends_on: ["1 ${b}", ${x}]\n`, [a, b, x], [], [a], `depends_on: ["${b}", ${x}]\n`],
    ["another spelling of the key", `depends-on: [1]\n`, [a], [x], [], `depends-on: [1, ${x}]\n`],
    ["the same word twice goes twice", `depends_on: [1, ${b}, 1]\n`, [a, b], [], [a], `depends_on: [${b}]\n`],
  ])("%s", (_, before, needs, add, remove, after) => {
    expect(markdown(before, needs, { add, remove })).toBe(after);
  });

  test("a file without front matter gets one, with its own line ends and behind its byte order mark", () => {
    const edit = { add: [x], remove: [] };
    expect(editMarkdownNeeds("e.md", "# A\r\n\r\nText\r\n", [], edit)).toBe(
      `---\r\ndepends_on: [${x}]\r\n---\r\n# A\r\n\r\nText\r\n`,
    );
    expect(editMarkdownNeeds("e.md", "\uFEFF# A", [], edit)).toBe(`\uFEFF---\ndepends_on: [${x}]\n---\n# A`);
    expect(editMarkdownNeeds("e.md", "***\n# A\n", [], edit)).toBe(`---\ndepends_on: [${x}]\n---\n***\n# A\n`);
  });

  test("line ends of every kind stay as they are", () => {
    const text = `\uFEFF---\r\nstatus: todo\r\ndepends_on:\r\n  - 1\r\n  - ${b}\r\n---\r\nText\nmixed\r\n`;
    const edited = editMarkdownNeeds("e.md", text, [a, b], { add: [x], remove: [a] });
    expect(edited).toBe(text.replace("  - 1\r\n", "").replace(`  - ${b}\r\n`, `  - ${b}\r\n  - ${x}\r\n`));
  });

  test.each([
    ["an alias", "other: &n [1]\ndepends_on: *n\n", [a]],
    ["a map", "depends_on: {a: 1}\n", []],
    ["one line as a map", "{status: todo}\n", []],
    ["two words for one task", `depends_on: [1, ${a}]\n`, [a]],
    ["an entry below its dash", `depends_on:\n  -\n    1\n`, [a]],
  ])("%s is left to a person", (_, matter, needs) => {
    const text = `---\n${matter}---\n${BODY}`;
    const edit = () => editMarkdownNeeds("epic.md", text, needs, { add: [x], remove: [] });
    expect(edit).toThrow(OwtError);
    expect(edit).toThrow(/epic\.md cannot be changed safely/);
  });

  test("what was added and removed again leaves the file as it was, but for an empty list where there was none", () => {
    const word = fc.constantFrom("1", "m/E02", "other/E3", "CLI04");
    const comment = fc.constantFrom("", " # note", "   # [x], y");
    const matter = fc
      .record({
        words: fc.uniqueArray(word, { minLength: 1 }),
        style: fc.constantFrom("flow", "block", "lines", "trailing"),
        comment,
        eol: fc.constantFrom("\n", "\r\n"),
        after: fc.constantFrom("", "priority: high", "# the end"),
      })
      .map(({ words, style, comment: note, eol, after }) => {
        const list = {
          flow: [`depends_on: [${words.join(", ")}]${note}`],
          block: ["depends_on:", ...words.map((each) => `  - ${each}${note}`)],
          lines: [
            "depends_on: [",
            ...words.map((each, at) => `  ${each}${at < words.length - 1 ? "," : ""}${note}`),
            "]",
          ],
          trailing: ["depends_on: [", ...words.map((each) => `  ${each},${note}`), "]"],
        }[style];
        const lines = ["---", "status: todo # x", ...list, ...(after ? [after] : []), "---", "# T", ""];
        return { text: lines.join(eol), needs: words.map((_, at) => `full/E0${at}`) };
      });
    fc.assert(
      fc.property(matter, ({ text, needs }) => {
        const more = editMarkdownNeeds("e.md", text, needs, { add: ["new/E01"], remove: [] });
        expect(more).not.toBe(text);
        expect(parseMarkdown("e.md", more).problems).toEqual([]);
        const back = editMarkdownNeeds("e.md", more, [...needs, "new/E01"], { add: [], remove: ["new/E01"] });
        expect(back).toBe(text);
      }),
      { numRuns: 300 },
    );
  });
});

describe("feature lists", () => {
  const edit = (text: string, id: string, add: string[], remove: string[] = []) =>
    editFeatureNeeds("feature_list.json", text, id, { add, remove });

  const LIST = `// the plan
{
  "features": [
    { "id": "auth", "depends_on": [] }, // first
    {
      "id": "api",
      /* waits */ "depends_on": ["auth", /* and */ "db"],
      "name": "API"
    },
    {
      "id": "web", // no key yet
      "name": "Web",
    },
    { "name": "Docs", "id": "docs" },
    { "id": "ops", "dependsOn": [
        "api", // it runs there
        "db"
      ] },
    { "id": "one", "depends_on": "auth" },
    { "id": "none", "depends_on": null },
    { "id": "db", "depends_on": [] }
  ]
}
`;

  test.each<[id: string, add: string[], remove: string[], from: string, to: string]>([
    ["auth", ["db"], [], '"auth", "depends_on": []', '"auth", "depends_on": ["db"]'],
    ["api", ["web"], [], '/* and */ "db"]', '/* and */ "db", "web"]'],
    ["api", [], ["auth"], '["auth", /* and */ "db"]', '[/* and */ "db"]'],
    ["api", [], ["db"], '["auth", /* and */ "db"]', '["auth" /* and */ ]'],
    ["web", ["db"], [], '"id": "web", // no', '"id": "web",\n      "depends_on": ["db"], // no'],
    ["docs", ["db"], [], '"id": "docs" }', '"id": "docs", "depends_on": ["db"] }'],
    ["ops", ["web"], [], '        "db"\n', '        "db",\n        "web"\n'],
    ["ops", [], ["db"], '"api", // it runs there\n        "db"\n', '"api" // it runs there\n'],
    ["ops", [], ["api"], '        "api", // it runs there\n', ""],
    ["one", ["db"], [], '"depends_on": "auth"', '"depends_on": ["auth", "db"]'],
    ["one", [], ["auth"], '"depends_on": "auth"', '"depends_on": []'],
    ["none", ["db"], [], '"depends_on": null', '"depends_on": ["db"]'],
  ])("%s + %j - %j", (id, add, remove, from, to) => {
    expect(LIST.split(from)).toHaveLength(2);
    expect(edit(LIST, id, add, remove)).toBe(LIST.replace(from, to));
    const windows = LIST.replaceAll("\n", "\r\n");
    expect(edit(windows, id, add, remove)).toBe(LIST.replace(from, to).replaceAll("\n", "\r\n"));
    expect(edit(`\uFEFF${LIST}`, id, add, remove)).toBe(`\uFEFF${LIST.replace(from, to)}`);
  });

  test("an id that the file does not hold is refused", () => {
    expect(() => edit(LIST, "gone", ["db"])).toThrow(/gone was not found/);
  });
});
