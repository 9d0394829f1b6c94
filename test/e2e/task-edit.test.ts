/** `owt task edit`: the text of a task is changed where it is written down, and a run takes it up. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";
import { Tmux } from "../rig/tmux.ts";

const OWT = `${process.execPath} ${new URL("../../bin/owt.js", import.meta.url).pathname}`;

const steps = (lines: string) => `\`\`\`demo\n${lines}\n\`\`\``;
const seen = (look: () => unknown) => vi.waitFor(look, { interval: 50, timeout: 60_000 });

type Edit = { task: string; changed: boolean; where: string; run: string | null };

test("of a plan in markdown: its own file is changed, a run that is under way takes it, what is done is left alone", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const first = "docs/plans/a/epic-01-first.md";
  const second = "docs/plans/a/epic-02-second.md";
  rig.write({
    [first]: task({ title: "First" }, `touch ${rig.path("begun")}\nwait ${rig.path("go")}\nwrite a.txt "a"`),
    [second]: task({ title: "Second", priority: "low" }, 'write b.txt "old"'),
  });
  rig.commit("the plan");
  const before = readFileSync(join(rig.root, second), "utf8");
  const run = rig.start("run", "--yes");
  await fileAppears(rig.path("begun"));

  const busy = await rig.owt("task", "edit", "a/E01", "--text", "something else");
  expect([busy.code, busy.stderr]).toEqual([
    2,
    expect.stringMatching(/a\/E01 \(r1\) is running[\s\S]*owt task cancel/),
  ]);
  const text = `New words.\n\n${steps('write b.txt "new"')}`;
  const edit = await rig.json<Edit>("task", "edit", "a/E02", "--text", text);
  expect(edit).toEqual({ task: "a/E02", changed: true, where: second, run: "r1", others: [] });
  // The first terminal tells of it.
  await run.says("a/E02 its text was changed");
  const after = readFileSync(join(rig.root, second), "utf8");
  expect(after.slice(0, after.indexOf("# Second"))).toBe(before.slice(0, before.indexOf("# Second")));
  expect(after).toContain("# Second\n\nNew words.");
  rig.release("go");
  expect((await run.ended).code).toBe(0);
  expect(rig.show("owt/runs/r1", "b.txt")).toBe("new");

  const done = await rig.owt("task", "edit", "a/E02", "--text", "once more");
  expect([done.code, done.stderr]).toEqual([
    2,
    expect.stringMatching(/a\/E02 is done: it is integrated in r1[\s\S]*--again/),
  ]);
  expect(readFileSync(join(rig.root, second), "utf8")).toBe(after);
});

test("of tasks written down by hand, before and after a run took them; and of a feature list", async () => {
  await using rig = Rig.create({ ".worktreerc": `${demoConfig}[run]\nretries = 0\n` });
  const { task: id } = await rig.json<{ task: string }>("task", "create", "write the notes");
  writeFileSync(rig.path("draft.md"), `write the long notes\n\n${steps('fail "not yet"')}`);
  const edit = await rig.owt("task", "edit", id, "--file", rig.path("draft.md"));
  expect(edit.stdout).toBe(`${id}: changed (what was written down by hand); the next owt run takes it up\n`);
  expect((await rig.owt("run", "--yes")).code).toBe(1);
  const shown = await rig.json<{ task: { title: string; state: string } }>("task", "show", id);
  expect(shown.task).toMatchObject({ title: "write the long notes", state: "failed" });
  await rig.owt("task", "edit", id, "--text", `write the short notes\n\n${steps('write notes.txt "short"')}`);
  rig.ok("task", "retry", "--failed");
  expect((await rig.owt("resume")).code).toBe(0);
  expect(rig.show("owt/runs/r1", "notes.txt")).toBe("short");
  expect((await rig.owt("task", "edit", id, "--text", "more")).stderr).toContain("is done");

  const list =
    '{ // what is to be built\n  "features": [\n    { "id": "auth", "description": "old", "depends_on": [] },\n    { "id": "web", "depends_on": ["auth"], "prompt_file": "web.md" },\n  ],\n}\n';
  rig.write({ "feature_list.json": list, "prompts/web.md": "The web.\n" });
  expect(await rig.json<Edit>("task", "edit", "auth", "--text", 'say "hello"\nand more')).toMatchObject({ run: null });
  expect(readFileSync(join(rig.root, "feature_list.json"), "utf8")).toBe(
    list.replace('"old"', '"say \\"hello\\"\\nand more"'),
  );
  await rig.json<Edit>("task", "edit", "web", "--text", "The new web.");
  expect(readFileSync(join(rig.root, "prompts/web.md"), "utf8")).toBe("The new web.\n");
});

test("in an editor: $VISUAL with its arguments, on the terminal; a draft that cannot be taken is kept", async () => {
  const file = "docs/plans/a/epic-01-first.md";
  await using rig = Rig.create({ ".worktreerc": demoConfig, [file]: task({ title: "First" }, 'write a.txt "a"') });
  rig.addProgram("scribe", '#!/bin/sh\ntest -t 0 && test "$1" = --wait && sed -i "s/$FROM/$TO/" "$2"\n');
  rig.env["VISUAL"] = "scribe --wait";
  rig.env["EDITOR"] = "false";
  using terminal = new Tmux(rig, { columns: 160, rows: 24 });
  terminal.type(`FROM='A task' TO= ${OWT} task edit a/E01; echo over`);
  await seen(() => expect(terminal.screen()).toContain("over"));
  expect(terminal.screen().join("\n")).toContain("a/E01: nothing was changed");
  terminal.type(`clear; FROM=First TO=Primary ${OWT} task edit a/E01; echo over again`);
  await seen(() => expect(terminal.screen()).toContain("over again"));
  expect(terminal.screen().join("\n")).toContain(`a/E01: changed (${file}); the next owt run takes it up`);
  const text = readFileSync(join(rig.root, file), "utf8");
  expect(text).toContain('title: "Primary"');
  terminal.type(`clear; FROM='title:' TO='priority: nonsense\\ntitle:' ${OWT} task edit a/E01; echo over at last`);
  await seen(() => expect(terminal.screen()).toContain("over at last"));
  const said = terminal.history().join("\n");
  expect(said).toContain("the plan has 1 problem");
  expect(said).not.toContain("look at it: owt plan");
  const kept = /what was written is kept:\s+owt task edit a\/E01\s+--file\s+(\S+)/.exec(said)![1]!;
  expect(readFileSync(kept, "utf8")).toContain("priority: nonsense");
  expect(readFileSync(join(rig.root, file), "utf8")).toBe(text);
});

test("mistakes: off a terminal without a text, an empty one, a name that is not there", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-first.md": task({}, "") });
  const bare = await rig.owt("task", "edit", "a/E01");
  expect([bare.code, bare.stderr]).toEqual([2, expect.stringMatching(/off a terminal[\s\S]*--text/)]);
  expect((await rig.owt("task", "edit", "a/E01", "--text", " ")).code).toBe(2);
  const worse = await rig.owt("task", "edit", "a/E01", "--text", "---\npriority: nonsense\n---\n# A\n");
  expect([worse.code, worse.stderr]).toEqual([
    3,
    expect.stringContaining("↳ nothing was written; mend the text, and again: owt task edit a/E01 --file FILE"),
  ]);
  const unknown = await rig.owt("task", "edit", "a/E02", "--text", "x");
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("did you mean a/E01?")]);
  expect((await rig.owt("task", "edit", "a/E01", "--text", "x", "--file", "y")).code).toBe(2);
});

test("bytes that are no text are one clear error, and nothing is changed", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const file = "docs/plans/a/epic-01-first.md";
  rig.write({ [file]: task({ title: "First" }, 'write a.txt "a"') });
  rig.commit("the plan");
  const before = readFileSync(join(rig.root, file));
  const edit = (input: Buffer, ...args: string[]) => {
    const options = { cwd: rig.root, env: rig.env, input, encoding: "utf8" } as const;
    const { status, stderr } = spawnSync(process.execPath, [rig.command, ...args], options);
    return { status, stderr };
  };
  const hint = "  ↳ from another encoding: iconv -f LATIN1 -t UTF-8 FILE | owt task edit a/E01 --file -\n";
  const what = "✗ what stands on standard input is no text: it";
  for (const [bytes, why] of [
    [Buffer.from("new\0words"), "has a NUL in it"],
    [Buffer.from([0x6e, 0xff, 0xfe]), "is not UTF-8"],
  ] as const) {
    const refused = { status: 2, stderr: `${what} ${why}\n${hint}` };
    expect(edit(bytes, "task", "edit", "a/E01", "--file", "-")).toEqual(refused);
    writeFileSync(rig.path("new"), bytes);
    expect(edit(bytes, "task", "edit", "a/E01", "--file", rig.path("new")).stderr).toContain(
      `new is no text: it ${why}`,
    );
  }
  expect(readFileSync(join(rig.root, file))).toEqual(before);
  expect(edit(Buffer.from("\uFEFFNew wörds.\n"), "task", "edit", "a/E01", "--file", "-").status).toBe(0);
  expect(readFileSync(join(rig.root, file), "utf8")).toContain("\n\nNew wörds.\n");
});
