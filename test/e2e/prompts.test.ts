/** `owt prompt`, and templates of one's own: whose word counts, what the agent really gets, and that a bad one stops everything before
 *  anything runs. The seed read `[prompts] override_dir` and project-local overrides, and used neither. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const plan = {
  ".worktreerc": demoConfig,
  "docs/plans/shop/epic-01-a.md": task({ title: "Open the shop" }, 'write a.txt "a"', "Open it."),
  "docs/plans/shop/epic-02-b.md": task({ title: "Paint it" }, 'write b.txt "b"', "Blue."),
};

type List = {
  templates: { name: string; origin: string; file: string; overrides: { origin: string; file: string }[] }[];
  unused: { file: string; reason: string }[];
};

/** Writes a file anywhere below the rig's home. */
function put(rig: Rig, name: string, text: string): void {
  const path = rig.path(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** What an attempt of a task was really told. */
async function promptOf(rig: Rig, key: string, attempt = 0): Promise<string> {
  const { task: shown } = await rig.json<{ task: { attempts: { folder: string }[] } }>("task", "show", key);
  return readFileSync(`${shown.attempts[attempt]!.folder}/prompt`, "utf8");
}

test("the built-in templates are listed and shown, and render says what the agent gets", async () => {
  await using rig = Rig.create(plan);
  const { templates } = await rig.json<List>("prompt", "list");
  expect(templates.map(({ name, origin }) => `${name} ${origin}`)).toEqual([
    "epic/task.md built-in",
    "epic/resume.md built-in",
    "epic/answer.md built-in",
    "epic/repair.md built-in",
    "epic/conflict.md built-in",
    "epic/changed.md built-in",
    "epic/answered.md built-in",
    "epic/anew.md built-in",
  ]);
  expect((await rig.owt("prompt", "show", "task")).stdout).toContain("# {{.Title}}");
  const { prompt } = await rig.json<{ prompt: string }>("prompt", "render", "shop/E01");
  expect(prompt).toContain("# Open the shop\n\nThis is task shop/E01, to be done in this git worktree on branch owt/");
  expect(rig.git("branch", "--list", "owt/*")).toBe("");
  expect((await rig.owt("run", "--yes")).code).toBe(0);
  expect(await promptOf(rig, "shop/E01")).toBe(prompt);
  expect(await promptOf(rig, "shop/E02")).toContain("The work of these tasks is in this worktree: shop/E01.");
});

test("the repository's template counts more than the user's, and that more than the built-in one", async () => {
  await using rig = Rig.create(plan);
  const rendered = async () =>
    (await rig.json<{ prompt: string }>("prompt", "render", "shop/E02")).prompt.split("\n")[0];
  const origins = async () => {
    const [first] = (await rig.json<List>("prompt", "list")).templates;
    return [first!.origin, first!.file, ...first!.overrides.map((each) => each.origin)];
  };
  put(rig, "config/claude-orchestrator/prompts/epic/task.md", "the seed's user: {{.Title}}");
  expect(await rendered()).toBe("the seed's user: Paint it");
  put(rig, "config/open-orchestrator/prompts/epic/task.md", "user: {{.Title}}");
  expect(await rendered()).toBe("user: Paint it");
  put(rig, "config/mine/epic/task.md", "user's folder: {{.Title}}");
  put(rig, "config/open-orchestrator/config.toml", '[prompts]\noverride_dir = "../mine"\n');
  expect(await rendered()).toBe("user's folder: Paint it");
  rig.write({ ".claude-orchestrator/prompts/epic/task.md": "the seed's project: {{.Title}}" });
  expect(await rendered()).toBe("the seed's project: Paint it");
  rig.write({ ".owt/prompts/epic/task.md": "project: {{.Title}}" });
  expect(await rendered()).toBe("project: Paint it");
  rig.write({
    ".worktreerc": `${demoConfig}[prompts]\noverride_dir = "words"\n`,
    "words/epic/task.md": "words: {{.Title}}",
  });
  expect(await rendered()).toBe("words: Paint it");
  expect(await origins()).toEqual([
    "project",
    "words/epic/task.md",
    "project",
    "project",
    "user",
    "user",
    "user",
    "built-in",
  ]);
  rig.env["OWT_PROMPTS_OVERRIDE_DIR"] = "other";
  rig.write({ "other/epic/repair.md": "mend it" });
  expect(await rendered()).toBe("words: Paint it");
  const { templates } = await rig.json<List>("prompt", "list");
  expect(templates.find((each) => each.name === "epic/repair.md")).toMatchObject({ origin: "environment" });
});

test("what overrides is what agents really get, in every occasion, and they can still ask", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[prompts]\noverride_dir = ".claude-orchestrator/prompts"\n`,
    ".claude-orchestrator/prompts/epic/task.md":
      "Do {{.Title}} ({{.EpicFilePath}}) after {{.CompletedDeps}}\n{{.EpicContent}}",
    ".claude-orchestrator/prompts/epic/answer.md": "They say <answer>{{.Answer}}</answer>",
    ".claude-orchestrator/prompts/epic/repair.md": '{{.Command}} said {{printf "%q" .Output}}; mend it.',
    "docs/plans/shop/epic-01-a.md": task(
      { title: "A sign", verify: "sh check.sh" },
      'ask "Which colour?"\non answer:\nwrite sign.txt "{answer}"\non repair:\nwrite done.txt "yes"',
    ),
    "check.sh": "test -f done.txt || { echo no done.txt; exit 1; }\n",
  });
  const first = await rig.owt("run", "--yes");
  expect(first.code).toBe(4);
  expect(await promptOf(rig, "shop/E01")).toMatch(
    /^Do A sign \(docs\/plans\/shop\/epic-01-a\.md\) after None\n[\s\S]*end the turn with one line: OWT-QUESTION: the question\n$/,
  );
  await rig.owt("task", "answer", "shop/E01", "blue");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(await promptOf(rig, "shop/E01", 1)).toBe("# owt: answer\n\nThey say <answer>blue</answer>\n");
  expect(await promptOf(rig, "shop/E01", 2)).toBe('# owt: repair\n\nsh check.sh said "no done.txt"; mend it.\n');
  expect(rig.show("owt/runs/r1", "sign.txt")).toBe("blue");
});

test("bad templates are an error with file, line and column, all at once, before anything runs", async () => {
  await using rig = Rig.create({
    ...plan,
    ".owt/prompts/epic/task.md": "# {{.Title}}\n\n  {{.EpicContnet}}\n{{if .Verify}}{{.Verfy}}{{end}}\n",
    ".owt/prompts/epic/repair.md": "Mend it.\n{{if .Command}}\n",
  });
  put(rig, "config/open-orchestrator/prompts/epic/conflict.md", "{{range .Files}}{{.Name}}{{end}}");
  for (const command of [["plan"], ["run", "--yes"], ["run", "--dry-run"], ["prompt", "render", "shop/E01"]]) {
    const ran = await rig.owt(...command);
    expect(ran.code).toBe(3);
    expect(ran.stdout).toBe("");
    expect(ran.stderr).toContain("the prompt templates have 4 problems");
    expect(ran.stderr).toContain(".owt/prompts/epic/task.md:3:5 there is no field .EpicContnet");
    expect(ran.stderr).toContain("did you mean .EpicContent?");
    expect(ran.stderr).toContain(".owt/prompts/epic/task.md:4:17 there is no field .Verfy");
    expect(ran.stderr).toMatch(
      /\.owt\/prompts\/epic\/repair\.md:3:1 unexpected EOF\n.*\{\{if\}\} on line 2 has no \{\{end\}\}/,
    );
    expect(ran.stderr).toMatch(/open-orchestrator\/prompts\/epic\/conflict\.md:1:19 can't evaluate field Name/);
  }
  expect(rig.git("branch", "--list", "owt/*")).toBe("");
  expect(await rig.json("status")).toMatchObject({ runs: [] });
});

test("what only a task's own data show stops everything, too; and a stopped run does not go on with a bad template", async () => {
  await using rig = Rig.create({ ...plan, ".owt/prompts/epic/task.md": "{{index .Upstreams 0}} {{.EpicContent}}" });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toMatch(/\.owt\/prompts\/epic\/task\.md:1:3 .*index out of range: 0 \(for shop\/E01\)/);
  rig.write({
    ".owt/prompts/epic/task.md": "{{.EpicContent}}",
    "docs/plans/shop/epic-01-a.md": task({ title: "Ask" }, 'ask "What?"\non answer:\nwrite a.txt "a"'),
  });
  rig.commit("mended");
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  await rig.owt("task", "answer", "shop/E01", "this");
  rig.write({ ".owt/prompts/epic/answer.md": "{{.Anser}}" });
  const resumed = await rig.owt("resume");
  expect(resumed.code).toBe(3);
  expect(resumed.stderr).toContain(".owt/prompts/epic/answer.md:1:3 there is no field .Anser");
  rig.write({ ".owt/prompts/epic/answer.md": "{{.Answer}}" });
  expect((await rig.owt("resume")).code).toBe(0);
  expect(await promptOf(rig, "shop/E01", 1)).toBe("# owt: answer\n\nthis\n");
});

test("a template that fails on what only came up on the way fails its task, and says where", async () => {
  await using rig = Rig.create({
    ".worktreerc": `${demoConfig}[run]\nretries = 0\n`,
    ".owt/prompts/epic/repair.md": '{{if eq .Command "false"}}{{index .Verify 7}}{{end}}',
    "docs/plans/shop/epic-01-a.md": task({ verify: "false" }, 'write a.txt "a"'),
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(1);
  expect(ran.stdout).toMatch(/cannot be made: \.owt\/prompts\/epic\/repair\.md:1:29 .*index out of range: 7/);
});

test("files that nothing uses, folders that are not there, and links out of the repository are said", async () => {
  await using rig = Rig.create({
    ...plan,
    ".owt/prompts/epic/tasks.md": "{{.Title}}",
    ".claude-orchestrator/prompts/maintenance/docs.md": "{{.Scope}}",
  });
  const { unused } = await rig.json<List>("prompt", "list");
  expect(unused).toEqual([
    { file: ".owt/prompts/epic/tasks.md", reason: expect.stringContaining("did you mean epic/task.md") },
    { file: ".claude-orchestrator/prompts/maintenance/docs.md", reason: "a template for what is no task" },
  ]);
  const { warnings } = await rig.json<{ warnings: { file: string }[] }>("plan");
  expect(warnings.map((each) => each.file)).toEqual([".owt/prompts/epic/tasks.md"]);

  rig.write({ ".worktreerc": `${demoConfig}[prompts]\noverride_dir = "nowhere"\n` });
  const missing = await rig.owt("run", "--yes");
  expect(missing.code).toBe(3);
  expect(missing.stderr).toContain(".worktreerc [prompts] override_dir: nowhere is not a folder");

  rig.write({ ".worktreerc": demoConfig });
  writeFileSync(rig.path("secret"), "secret");
  symlinkSync(rig.path("secret"), `${rig.root}/.owt/prompts/epic/task.md`);
  const linked = await rig.owt("prompt", "render", "shop/E01");
  expect(linked.code).toBe(3);
  expect(linked.stderr).toContain(".owt/prompts/epic/task.md leads out of the repository");
});

test("a template can execute nothing and is bounded", async () => {
  await using rig = Rig.create({
    ...plan,
    ".owt/prompts/epic/task.md":
      '{{$x := "x"}}{{range .Verify}}{{end}}{{define "a"}}{{template "a"}}{{end}}{{template "a"}}{{call .Title}}',
  });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain('function "call" is not supported');
  rig.write({ ".owt/prompts/epic/task.md": '{{define "a"}}{{template "a"}}{{end}}{{template "a"}}' });
  const again = await rig.owt("run", "--yes");
  expect(again.code).toBe(3);
  expect(again.stderr).toContain('template "a" calls itself');
});

test("the package brings its templates", async () => {
  await using rig = Rig.create(plan);
  const root = new URL("../..", import.meta.url).pathname;
  const pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination", rig.home];
  const tarball = execFileSync("npm", pack, { cwd: root, encoding: "utf8" }).trim();
  execFileSync("tar", ["-xzf", rig.path(tarball), "-C", rig.home]);
  const owt = rig.path("package/bin/owt.js");
  const shown = execFileSync(process.execPath, [owt, "prompt", "show", "conflict"], {
    cwd: rig.root,
    env: rig.env,
    encoding: "utf8",
  });
  expect(shown).toBe(readFileSync(`${root}prompts/epic/conflict.md`, "utf8"));
});

test("typos in names are met with the nearest ones, and a sentence can be rendered", async () => {
  await using rig = Rig.create(plan);
  const template = await rig.owt("prompt", "show", "repiar");
  expect([template.code, template.stderr]).toEqual([2, expect.stringContaining("did you mean repair")]);
  const unknown = await rig.owt("prompt", "render", "shop/E03");
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("did you mean shop/E0")]);
  const { prompt } = await rig.json<{ prompt: string }>("prompt", "render", "add a login page");
  expect(prompt).toContain("# add a login page\n");
});
