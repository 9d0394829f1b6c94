/** Templates against Go's own answers (test/templates, made once by generate.go), and laws that hold for any template. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkTemplate, parseTemplate, renderTemplate } from "./template.ts";
import type { Shape } from "./check.ts";
import type { TemplateProblem, Value } from "./nodes.ts";

type Case = { name: string; template: string };
type Answer = { name: string; output?: string; error?: string; line?: number; when?: "parse" | "execute" };

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../test/templates/${name}.json`, import.meta.url), "utf8")) as T;
}

function withAnswers(name: string): [string, string, Answer][] {
  const cases = read<Case[]>(name);
  return read<Answer[]>(`${name}.expected`).map((answer, index) => [answer.name, cases[index]!.template, answer]);
}

const item = (Name: string, Count: bigint, Tags: string[]) => ({ Name, Count, Tags });

/** The data of generate.go. */
const data = {
  Title: "Log in",
  EpicFilePath: "docs/plans/auth/epic-02-log-in.md",
  EpicContent: "Add a login page.\n\n- with a form",
  ModuleContext: "",
  CompletedDeps: "auth/E01, db/E01",
  Empty: "",
  Unicode: "Grüße, 世界 👋",
  Html: `<a href="x?y=1&z=2">it's</a>`,
  Lines: "one\ntwo\tthree\r\n\\end\u0001",
  Yes: true,
  No: false,
  Zero: 0n,
  Count: 42n,
  Negative: -7n,
  Ratio: 2.5,
  Whole: 1234567,
  Tiny: 0.00001234,
  Huge: 1e21,
  List: ["a", "b", "c"],
  None: [] as string[],
  Numbers: [3n, 1n, 2n],
  Floats: [0.5, 1, 1e6],
  Items: [item("x", 1n, ["p", "q"]), item("y", 2n, []), item("z", 3n, ["r"])],
  Item: item("one", 1n, ["t"]),
  Map: new Map([
    ["b", "2"],
    ["a", "1"],
    ["é", "3"],
    ["Z", "4"],
  ]),
  NoMap: new Map<string, string>(),
  Nested: [["1", "2"], [], ["3"]],
} satisfies Record<string, Value>;

function shapeOf(value: Value): Shape {
  if (value instanceof Map) return "map";
  if (Array.isArray(value)) return { listOf: value.length > 0 ? shapeOf(value[0] as Value) : "string" };
  switch (typeof value) {
    case "string":
      return "string";
    case "bigint":
      return "int";
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    default:
      return { fields: Object.fromEntries(Object.entries(value ?? {}).map(([key, each]) => [key, shapeOf(each)])) };
  }
}

const shape = shapeOf(data);

/** The text, or every problem that is found before or while it is made. */
function render(text: string): string | TemplateProblem[] {
  const parsed = parseTemplate(text);
  if ("problem" in parsed) return [parsed.problem];
  const problems = checkTemplate(parsed.template, shape);
  if (problems.length > 0) return problems;
  const rendered = renderTemplate(parsed.template, data);
  return "text" in rendered ? rendered.text : [rendered.problem];
}

describe("what Go renders", () => {
  test.each(withAnswers("cases"))("%s", (_, template, answer) => {
    expect(render(template)).toEqual(answer.output);
  });
});

describe("what Go refuses", () => {
  test.each(withAnswers("malformed"))("%s", (_, template, answer) => {
    const found = render(template);
    expect(found).toBeInstanceOf(Array);
    const [problem] = found as TemplateProblem[];
    expect(problem!.line).toBe(answer.line);
    const line = template.split("\n")[problem!.line - 1]!;
    expect(problem!.column).toBeGreaterThanOrEqual(1);
    expect(problem!.column).toBeLessThanOrEqual([...line].length + 1);
  });
});

describe("where and why", () => {
  const cases: [string, string, line: number, column: number, says: RegExp][] = [
    ["an unknown field, with the nearest name", "a\nb {{.Titel}}", 2, 5, /no field \.Titel.*did you mean \.Title\?/],
    ["an unknown field, with all names", "{{with .Item}}{{.Zzzzz}}{{end}}", 1, 17, /known: \.Name \.Count \.Tags/],
    ["a field in a range of texts", "{{range .List}}{{.Title}}{{end}}", 1, 18, /\{\{\$\.Title\}\}/],
    [
      "an unknown function, with the nearest name",
      "  {{prinft 1}}",
      1,
      5,
      /"prinft" not defined.*did you mean print or printf/,
    ],
    ["a field that lacks its dot", "{{Title}}", 1, 3, /function "Title" not defined.*\.Title/],
    ["an undefined variable", "é {{$x}}", 1, 5, /undefined variable "\$x"/],
    [
      "a block that is not closed: where it was opened",
      "x\n{{if .Yes}}\n\nend",
      4,
      4,
      /\{\{if\}\} on line 2 has no \{\{end\}\}/,
    ],
    ["an action that is not closed", "{{if .Yes}}\n{{.Title\n\n", 4, 1, /unclosed action started on line 2/],
    ["something that Go has and we have not", "{{call .Title}}", 1, 3, /"call" is not supported/],
    ["complex numbers", "{{1i}}", 1, 3, /not supported/],
    ["bytes that are no text", '{{"\\xff"}}', 1, 3, /not supported/],
    ["half a character", "{{slice .Unicode 0 3}}", 1, 3, /not supported/],
    ["a byte of a text", "{{index .Title 0}}", 1, 3, /not supported/],
    ["argument numbers", '{{printf "%[1]d" 1}}', 1, 3, /not supported/],
    ["types", '{{printf "%T" 1}}', 1, 3, /not supported/],
    [
      "a template that calls itself",
      '{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}',
      1,
      17,
      /calls itself/,
    ],
    [
      "templates that call each other",
      '{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}{{template "a"}}',
      1,
      54,
      /calls itself/,
    ],
  ];
  test.each(cases)("%s", (_, text, line, column, says) => {
    const [problem] = render(text) as TemplateProblem[];
    expect([problem!.line, problem!.column]).toEqual([line, column]);
    expect(`${problem!.message} ${problem!.hint}`).toMatch(says);
  });

  test("all unknown fields at once, in branches that are not taken too", () => {
    const found = render(
      "{{.A1}}\n{{if .No}}{{.B1}}{{else if .C1}}{{end}}\n{{define `x`}}{{.D1}}{{end}}{{template `x` .}}",
    );
    expect((found as TemplateProblem[]).map(({ line, column }) => [line, column])).toEqual([
      [1, 3],
      [2, 13],
      [2, 28],
      [3, 17],
    ]);
  });
});

describe("a template uses up no more than it may", () => {
  const many = Array.from({ length: 200 }, () => "x");
  const bounded: [string, string, RegExp][] = [
    ["time", "{{range $}}{{range $}}{{range $}}{{range $}}{{end}}{{end}}{{end}}{{end}}", /too long/],
    ["text", `{{$x := "12345678"}}{{range $}}{{$x = print $x $x}}{{end}}`, /too long/],
    ["output", `{{$x := printf "%100000d" 1}}{{range $}}{{$x}}{{end}}`, /too long/],
    ["width", `{{printf "%999999999d" 1}}`, /not supported/],
  ];
  test.each(bounded)("%s", (_, text, says) => {
    const parsed = parseTemplate(text);
    if ("problem" in parsed) throw new Error(parsed.problem.message);
    expect(renderTemplate(parsed.template, many)).toMatchObject({ problem: { message: expect.stringMatching(says) } });
  });

  test("calls that double", () => {
    const levels = Array.from(
      { length: 40 },
      (_, i) => `{{define "t${i}"}}{{template "t${i + 1}"}}{{template "t${i + 1}"}}{{end}}`,
    );
    expect(render(`${levels.join("")}{{define "t40"}}{{end}}{{template "t0"}}`)).toMatchObject([
      { message: /too long/ },
    ]);
  });

  test("nesting", () => {
    expect(render("{{if .Yes}}".repeat(5000))).toMatchObject([{ message: "nested too deeply" }]);
    expect(render(`{{${"(".repeat(5000)}`)).toMatchObject([{ message: "nested too deeply" }]);
  });
});

/** All of them together take a few seconds. */
const numRuns = 10_000;

describe("laws", () => {
  const words = fc.constantFrom(
    "{{",
    '"\\z"',
    "'ab'",
    "'\\400'",
    "089",
    '"\\ud800"',
    "1i",
    "}}",
    "{{- ",
    " -}}",
    "{{/*",
    "*/}}",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "nil",
    "true",
    ".",
    ".Title",
    ".List",
    ".Item.Name",
    "$",
    "$x",
    ":=",
    "=",
    "|",
    "(",
    ")",
    ",",
    "len",
    "printf",
    "index",
    "eq",
    "and",
    '"a"',
    '"%5d"',
    "`r`",
    "'c'",
    "1",
    "-0x1F",
    "1.5e3",
    "\n",
    " ",
    " ",
    "é",
    "👋",
  );
  const odd = fc.constantFrom("{", "}", "{{", "-", " ", "\n", "\t", "\r", "\0", "\\", '"', "'", "`", "%", "$");
  /** Any text, rich in what means something somewhere. */
  const anyText = fc.string({ unit: fc.oneof(odd, fc.string({ unit: "binary", minLength: 1, maxLength: 1 })) });
  const soup = fc.oneof(
    fc.array(words, { maxLength: 30 }).map((parts) => parts.join("")),
    fc.array(words, { maxLength: 30 }).map((parts) => parts.join(" ")),
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.array(words, { maxLength: 12 }).map((parts) => `{{${parts.join(" ")}}}`),
  );

  test("any text is rendered, or refused at a place inside it; nothing else is thrown", () => {
    fc.assert(
      fc.property(soup, (text) => {
        const found = render(text);
        if (typeof found === "string") return;
        const lines = text.split("\n");
        for (const { line, column, message } of found) {
          expect(message).not.toBe("");
          expect(column).toBeGreaterThanOrEqual(1);
          expect(column).toBeLessThanOrEqual([...(lines[line - 1] ?? "")].length + 1);
        }
      }),
      { numRuns },
    );
  });

  test("text without {{ is rendered as it is", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const plain = text.replaceAll(/\{(?=\{)/g, "{ ");
        expect(render(plain)).toBe(plain);
      }),
      { numRuns },
    );
  });

  test("any text can be quoted into a template and comes back out of it", () => {
    fc.assert(
      fc.property(anyText, anyText, (text, around) => {
        const plain = around.replaceAll("{", "(");
        expect(render(`${plain}{{${JSON.stringify(text)}}}${plain}`)).toBe(`${plain}${text}${plain}`);
        // %q writes what a literal reads.
        const parsed = parseTemplate('{{printf "%q" .}}');
        const written = renderTemplate("template" in parsed ? parsed.template : never(), text);
        expect(render(`{{${"text" in written ? written.text : ""}}}`)).toBe(text);
      }),
      { numRuns },
    );
  });

  test("trim markers take the spaces beside them and nothing else", () => {
    const spaces = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r") });
    const solid = fc.string({ minLength: 1 }).map((text) => `x${text.replaceAll("{", "(").replaceAll("}", ")")}x`);
    fc.assert(
      fc.property(solid, spaces, spaces, solid, fc.boolean(), fc.boolean(), (before, left, right, after, l, r) => {
        const text = `${before}${left}{{${l ? "- " : ""}1${r ? " -" : ""}}}${right}${after}`;
        expect(render(text)).toBe(`${before}${l ? "" : left}1${r ? "" : right}${after}`);
      }),
      { numRuns },
    );
  });

  test("range, if and comparisons say what plain code says", () => {
    const list = fc.array(fc.string({ maxLength: 4 }), { maxLength: 6 });
    const parsed = parseTemplate(
      '{{range $i, $e := .}}{{if $i}},{{end}}{{if eq $e ""}}-{{else if lt $e "m"}}<{{$e}}{{else}}>{{$e}}{{end}}{{else}}none{{end}}',
    );
    const template = "template" in parsed ? parsed.template : never();
    fc.assert(
      fc.property(list, (texts) => {
        const said = texts.map((text) => (text === "" ? "-" : text < "m" ? `<${text}` : `>${text}`)).join(",");
        expect(renderTemplate(template, texts)).toEqual({ text: texts.length === 0 ? "none" : said });
      }),
      { numRuns },
    );
  });

  test("an int is written and read in every base", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        for (const [verb, sharp] of [
          ["d", ""],
          // With a sign before it, one that holds an e is a float to Go.
          ...(value < 0n ? [] : [["x", "#"] as const]),
          ["b", "#"],
          ["O", ""],
        ] as const) {
          const format = parseTemplate(`{{printf "%${sharp}${verb}" .}}`);
          const out = renderTemplate("template" in format ? format.template : never(), value);
          expect(render(`{{printf "%d" ${"text" in out ? out.text : ""}}}`)).toBe(String(value));
        }
      }),
      { numRuns },
    );
  });

  test("a float is written with the precision that is asked for, and as short as it reads back", () => {
    const shortest = parseTemplate("{{.}}");
    const fixed = parseTemplate('{{printf "%.3f" .}}');
    if ("problem" in shortest || "problem" in fixed) never();
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const out = renderTemplate(shortest.template, value);
        expect(Object.is(Number("text" in out ? out.text : "x"), value)).toBe(true);
        const rounded = renderTemplate(fixed.template, value);
        const text = "text" in rounded ? rounded.text : "";
        expect(text).toMatch(/^-?\d+\.\d{3}$/);
        // Half of the last place, and what a number of this size loses by being read back.
        const loss = Math.abs(value) * Number.EPSILON + Number.EPSILON;
        if (Math.abs(value) < 1e12) expect(Math.abs(Number(text) - value)).toBeLessThanOrEqual(0.0005 + loss);
      }),
      { numRuns },
    );
  });

  test("what the checker passes needs no field that is not there", () => {
    const paths = fc.array(fc.constantFrom("Title", "Item", "Items", "List", "Name", "Tags", "Nope"), {
      minLength: 1,
      maxLength: 3,
    });
    const around = fc.constantFrom(
      "{{P}}",
      "{{with P}}{{.}}{{end}}",
      "{{if P}}{{end}}",
      "{{range .Items}}{{P}}{{end}}",
      "{{range P}}{{.}}{{end}}",
      "{{len P}}",
      "{{$x := P}}{{$x}}",
      "{{index P 0}}",
    );
    fc.assert(
      fc.property(paths, around, (names, frame) => {
        const parsed = parseTemplate(frame.replace("P", `.${names.join(".")}`));
        const template = "template" in parsed ? parsed.template : never();
        const problems = checkTemplate(template, shape);
        const rendered = renderTemplate(template, data);
        // Found before means wrong, and wrong means found before, but for a list that is too short: only the data show that.
        if (problems.length > 0) expect(rendered).toHaveProperty("problem");
        else if ("problem" in rendered) expect(rendered.problem.message).toMatch(/out of range/);
      }),
      { numRuns },
    );
  });
});

function never(): never {
  throw new Error("not a template");
}
