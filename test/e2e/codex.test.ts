/** The built command with the real Codex, behind a Responses API on loopback. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { RunReport } from "../../src/core/report.ts";
import { codexBinary } from "../rig/codex-binary.ts";
import { type FakeResponses, type ResponsesScript, startFakeResponses, type Word } from "../rig/fake-responses.ts";
import { processesBelow, Rig } from "../rig/rig.ts";

beforeEach((context) => {
  if (!existsSync(codexBinary()))
    context.skip(`no real Codex at ${codexBinary()}; fetch it with: node scripts/fetch-agents.ts`);
});

const CONFIG = '[agent]\ndefault = "codex"\n[run]\nretries = 0\nverify = "sh check.sh"\n';
const CHECK = 'cat *.txt\nif grep -n TODO *.txt; then echo "something is left to do"; exit 1; fi\n';

/** A repository with one task whose Codex has a home of its own, logged in and with `api` as its provider. */
function codexRig(api: FakeResponses): Rig {
  const rig = Rig.create({
    ".worktreerc": CONFIG,
    "check.sh": CHECK,
    "docs/plans/shop/epic-01-a.md": "# A page\n\nWrite it.\n",
  });
  const home = join(rig.home, "home", ".codex");
  mkdirSync(home, { recursive: true });
  const provider = { name: "fake", base_url: api.url, env_key: "OPENAI_API_KEY", wire_api: "responses" };
  const lines = Object.entries(provider).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  writeFileSync(
    join(home, "config.toml"),
    `model_provider = "fake"\n[model_providers.fake]\n${lines.join("\n")}\nrequest_max_retries = 0\nstream_max_retries = 1\n`,
  );
  rig.env["OPENAI_API_KEY"] = "sk-dummy";
  rig.addProgram("codex", `#!/bin/sh\nprintf '%s\\n' "$*" >>"${rig.path("starts")}"\nexec "${codexBinary()}" "$@"\n`);
  return rig;
}

/** Writes a file, tries to commit it, and says so. */
function writes(text: string): Word[] {
  const cmd = `echo ${text} >page.txt; git add -A; git commit -m mine`;
  return [
    { run: `text(JSON.stringify(await tools.exec_command(${JSON.stringify({ cmd })})))` },
    { say: "It is written." },
  ];
}

function startsOf(rig: Rig): string[] {
  return readFileSync(rig.path("starts"), "utf8").trimEnd().split("\n");
}

test("what the real Codex writes comes home, committed by us; red checks go back into its own conversation", async () => {
  const script: ResponsesScript = { "shop/E01": { task: writes("TODO"), repair: writes("page") } };
  await using api = await startFakeResponses(script);
  await using rig = codexRig(api);
  const ran = await rig.owt("run", "--yes");
  expect(ran.stderr).toContain("fails sh check.sh");
  expect(ran.code).toBe(0);
  expect(rig.show("owt/runs/r1", "page.txt")).toBe("page\n");
  expect(rig.git("log", "--format=%s", "owt/runs/r1")).not.toContain("mine");
  expect(rig.git("log", "--format=%B", "owt/runs/r1")).toContain("committed by owt");
  expect(rig.git("diff", "--name-only", "main", "owt/runs/r1")).toBe("page.txt");

  expect(api.asked).toEqual(["shop/E01 task 0", "shop/E01 task 1", "shop/E01 repair 0", "shop/E01 repair 1"]);
  const [start, resume] = startsOf(rig);
  expect(start).toBe("exec --json --sandbox workspace-write -");
  const [, thread] = /resume (\S+) -$/.exec(resume!)!;
  expect(thread).toMatch(/^[0-9a-f-]{36}$/);
  expect(api.lastOf("shop/E01")).toContain("something is left to do");
  expect(api.lastOf("shop/E01")).toContain("Do not commit");
  expect((await rig.owt("logs", "shop/E01")).stdout).toContain("It is written.");

  // Four answers, though Codex counts over the whole conversation at the end of each turn.
  const { report } = await rig.json<{ report: RunReport }>("report");
  expect(report.tasks[0]).toMatchObject({ input_tokens: 4 * 1_200, output_tokens: 4 * 60 });
  expect(processesBelow(rig.home)).toEqual([]);
});

test("a Codex that is not logged in parks its task, and the answer says with what words", async () => {
  await using api = await startFakeResponses({});
  await using rig = codexRig(api);
  delete rig.env["OPENAI_API_KEY"];
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(4);
  expect(ran.stdout + ran.stderr).toContain("Missing environment variable");
  expect(api.asked).toEqual([]);
});
