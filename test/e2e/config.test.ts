/** owt config show, validate and schema, and --profile. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

type Shown = {
  profile: string | null;
  profiles: string[];
  values: { key: string; value: unknown; origin: Record<string, unknown>; used: boolean }[];
};

type Verdict = {
  valid: boolean;
  files: string[];
  remarks: {
    level: string;
    file: string;
    line: number | null;
    column: number | null;
    key: string | null;
    message: string;
  }[];
};

const repository = `[run]
  max_instances = 5
verify = "test ! -f broken"

[web]
port = 4

[profile.night.run]
max_parallel = 9
`;

describe("config show", () => {
  test("says of each value what it is and where it comes from", async () => {
    await using rig = Rig.create({ ".worktreerc": repository });
    rig.userFile("config.toml", '[agent]\ndefault = "demo"\n');
    rig.env["OWT_RUN_RETRIES"] = "0";
    const { values, profiles } = await rig.json<Shown>("config", "show");
    const of = (key: string) => values.find((each) => each.key === key)!;
    expect(profiles).toEqual(["night"]);
    expect(of("run.max_parallel")).toEqual({
      key: "run.max_parallel",
      value: 5,
      origin: { kind: "repository", file: ".worktreerc", line: 2, column: 3, profile: null },
      used: true,
      otherwise: null,
    });
    expect(of("agent.default").origin).toMatchObject({
      kind: "user",
      file: rig.path("config/open-orchestrator/config.toml"),
    });
    expect(of("run.retries")).toMatchObject({ value: 0, origin: { kind: "environment", variable: "OWT_RUN_RETRIES" } });
    expect(of("run.timeout")).toMatchObject({ value: "30m", origin: { kind: "default" } });
    expect(of("web.port").used).toBe(false);

    const { stdout } = await rig.owt("config", "show");
    expect(stdout).toMatch(/^run\.max_parallel +5 +\.worktreerc:2:3$/m);
    expect(stdout).toMatch(/^run\.retries +0 +OWT_RUN_RETRIES$/m);
    expect(stdout).toMatch(/^web\.port +4 +\.worktreerc:6:1 \(not used yet\)$/m);
    expect((await rig.owt("config", "show", "run.retries")).stdout).toBe("run.retries  0  OWT_RUN_RETRIES\n");
    const flagged = await rig.json<Shown>("config", "show", "run.max_parallel", "--parallel", "8");
    expect(flagged.values).toMatchObject([{ key: "run.max_parallel", value: 8, origin: { kind: "flag" }, used: true }]);
    expect((await rig.owt("config", "show", "--agent", "dmo")).stderr).toContain("did you mean demo?");
    expect(values.map(({ key }) => key)).toEqual(expect.arrayContaining(["run.target", "run.worktree_directory"]));
    expect((await rig.owt("config", "show", "run.target")).stdout).toBe(
      "run.target  the branch checked out  default\n",
    );
  });

  test("a key that is none gets the nearest", async () => {
    await using rig = Rig.create({});
    const ran = await rig.owt("config", "show", "max_paralel", "--json");
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain("did you mean run.max_parallel?");
    expect(JSON.parse(ran.stdout)).toMatchObject({ schema: 1, error: { code: "unknown-name", exit_code: 2 } });
  });

  test("works outside of a repository, and in one without a commit", async () => {
    await using rig = Rig.create({});
    rig.userFile("config.toml", "[run]\nretries = 7\n");
    expect((await rig.owtIn(rig.home, "config", "show", "run.retries")).stdout).toContain("7");
    mkdirSync(rig.path("empty"));
    rig.git("init", "-q", rig.path("empty"));
    writeFileSync(rig.path("empty/.worktreerc"), "[run]\nretries = 8\n");
    expect((await rig.owtIn(rig.path("empty"), "config", "show", "run.retries")).stdout).toContain(".worktreerc:2:1");
  });

  test("an address that lets anybody post is not shown", async () => {
    await using rig = Rig.create(
      { ".worktreerc": '[notifications]\nslack_webhook = "https://hooks/T0"\n' },
      { approve: false },
    );
    for (const words of [
      ["config", "show"],
      ["config", "show", "--json"],
    ]) {
      const { stdout } = await rig.owt(...words);
      expect(stdout).toContain("notifications.slack_webhook");
      expect(stdout).not.toContain("hooks/T0");
    }
  });
});

describe("config validate", () => {
  test("nothing wrong: exit 0, and what does nothing is told", async () => {
    await using rig = Rig.create({ ".worktreerc": repository }, { approve: false });
    rig.env["OWT_RUN_MAX_PARALEL"] = "3";
    const ran = await rig.owt("config", "validate");
    expect(ran.stdout).toContain(
      "▲ OWT_RUN_MAX_PARALEL: is no key, and does nothing; did you mean OWT_RUN_MAX_PARALLEL?",
    );
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^▲ \.worktreerc:6:1 web\.port: known, but nothing uses it yet/m);
    expect(ran.stdout).toContain("nothing is wrong (.worktreerc)");
  });

  test("all errors of all files at once, each with its place and the nearest key: exit 3", async () => {
    await using rig = Rig.create(
      {
        ".worktreerc":
          '[run]\n  max_paralel = 3\n[agent]\ndefault = "cladue"\n[agent.claude]\npermission_mode = "acceptEdit"\n',
      },
      { approve: false },
    );
    rig.userFile("config.toml", "[run]\nretries = -1\nplan = = 1\n");
    rig.userFile("prices.json", "{");
    rig.env["OWT_RUN_TIMEOUT"] = "soon";
    const ran = await rig.owt("config", "validate", "--json");
    expect(ran.code).toBe(3);
    const { data } = JSON.parse(ran.stdout) as { data: Verdict };
    expect(data.valid).toBe(false);
    const user = rig.path("config/open-orchestrator");
    expect(data.remarks.map(({ file, line, column, key }) => [file, line, column, key])).toEqual([
      [`${user}/config.toml`, 3, expect.any(Number), null],
      [".worktreerc", 2, 3, "run.max_paralel"],
      ["OWT_RUN_TIMEOUT", null, null, null],
      [`${user}/prices.json`, null, null, null],
      [".worktreerc", 4, 1, "agent.default"],
      [".worktreerc", 6, 1, "agent.claude.permission_mode"],
    ]);
    const { stdout } = await rig.owt("config", "validate");
    expect(stdout).toContain(".worktreerc:2:3 run.max_paralel: unknown key (did you mean max_parallel?)");
    expect(stdout).toContain("6 problems");
    expect(stdout).toContain(".worktreerc:4:1 agent.default: there is no agent named cladue (did you mean claude?)");
    expect(stdout).toContain(".worktreerc:6:1 agent.claude.permission_mode: there is no permission mode acceptEdit");
  });

  test("one file alone, wherever it lies", async () => {
    await using rig = Rig.create({});
    writeFileSync(rig.path("other.toml"), "[run]\nretires = 1\n");
    const ran = await rig.owtIn(rig.home, "config", "validate", "other.toml");
    expect(ran.code).toBe(3);
    expect(ran.stdout).toContain("other.toml:2:1 run.retires: unknown key (did you mean retries");
    const missing = await rig.owt("config", "validate", "nothing.toml");
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("nothing.toml cannot be read");
  });
});

test("config schema prints what the package brings for editors", async () => {
  await using rig = Rig.create({});
  const shipped = JSON.parse(readFileSync(new URL("../../schemas/worktreerc.json", import.meta.url), "utf8")) as object;
  expect(JSON.parse((await rig.owtIn(rig.home, "config", "schema")).stdout)).toEqual(shipped);
  expect((await rig.json<{ json_schema: object }>("config", "schema")).json_schema).toEqual(shipped);
});

describe("--profile", () => {
  const files = {
    ".worktreerc": `${demoConfig}[run]\nmax_parallel = 2\n[profile.night.run]\nmax_parallel = 7\nverify = "test -f a.txt"\n`,
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"'),
  };

  test("lays a profile over the rest, before or behind the command, for plan, run and config", async () => {
    await using rig = Rig.create(files, { approve: false });
    const parallel = async (...words: string[]) => (await rig.json<{ max_parallel: number }>(...words)).max_parallel;
    expect(await parallel("plan")).toBe(2);
    expect(await parallel("plan", "--profile", "night")).toBe(7);
    expect(await parallel("--profile", "night", "plan")).toBe(7);
    rig.env["OWT_PROFILE"] = "night";
    expect(await parallel("plan")).toBe(7);
    delete rig.env["OWT_PROFILE"];
    const { values, profile } = await rig.json<Shown>("config", "show", "run.max_parallel", "--profile", "night");
    expect(profile).toBe("night");
    expect(values).toEqual([
      expect.objectContaining({ value: 7, origin: expect.objectContaining({ line: 6, profile: "night" }) as object }),
    ]);
  });

  test("its commands need an approval, and the refusal names the line that gives it", async () => {
    await using rig = Rig.create(files, { approve: false });
    const refused = await rig.owt("run", "--yes", "--profile", "night");
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain("owt config approve --profile night");
    rig.ok("config", "approve", "--yes", "--profile", "night");
    const ran = await rig.owt("run", "--yes", "--profile", "night");
    expect(ran.code).toBe(0);
    expect(rig.git("log", "-1", "--format=%(trailers:key=Owt-Verified,valueonly)", "owt/runs/r1").trim()).toBe("yes");
  });

  test("a run is gone on with under the profile that it was begun with, unless another is named", async () => {
    await using rig = Rig.create({
      ".worktreerc": `${demoConfig}[profile.night.environment]\npass = ["NIGHT"]\n[profile.day.environment]\npass = ["DAY"]\n`,
      "docs/plans/shop/epic-01-a.md": task({}, 'ask "go on?"\non answer:\nwrite a.txt "x"'),
    });
    expect((await rig.owt("run", "--yes", "--profile", "night")).code).toBe(4);
    const said = "with the profile night, as r1 was begun";
    expect((await rig.owt("resume")).stderr).toContain(said);
    const other = await rig.owt("resume", "--profile", "day");
    expect([other.code, other.stderr]).toEqual([4, expect.not.stringContaining("as r1 was begun")]);
    expect((await rig.owt("resume", "r1")).stderr).toContain("with the profile day, as r1 was begun");
    rig.write({ ".worktreerc": demoConfig });
    const lost = await rig.owt("resume");
    expect(lost.stderr).toContain("begun with the profile day, which is there no more: it goes on without");
    rig.ok("task", "answer", "shop/E01", "yes");
    expect((await rig.owt("resume")).code).toBe(0);
  });

  test("what a profile says of the checks holds when its run is gone on with", async () => {
    await using rig = Rig.create({
      ".worktreerc": `${demoConfig}[profile.night.environment]\npass = ["NIGHT"]\n[run]\nverify = 'test "$NIGHT" = dark'\n`,
      "docs/plans/shop/epic-01-a.md": task({}, 'ask "go on?"\non answer:\nwrite a.txt "x"'),
    });
    rig.ok("config", "approve", "--yes", "--profile", "night");
    rig.env["NIGHT"] = "dark";
    await rig.owt("run", "--yes", "--profile", "night");
    rig.ok("task", "answer", "shop/E01", "yes");
    expect((await rig.owt("resume")).code).toBe(0);
    expect(rig.show("owt/runs/r1", "a.txt")).toBe("x");
  });

  test("is in the help of every command", async () => {
    await using rig = Rig.create({});
    for (const words of [["--help"], ["run", "--help"], ["config", "show", "--help"]])
      expect((await rig.owt(...words)).stdout).toContain("--profile <name>");
  });

  test("one that there is not is refused with the nearest", async () => {
    await using rig = Rig.create(files, { approve: false });
    const ran = await rig.owt("plan", "--profile", "nihgt");
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain("did you mean night?");
  });
});

describe("a configuration in which something is wrong", () => {
  test.each([
    ["cannot be read", "bad = [\n"],
    ["has an unknown key", "[run]\nmax_paralel = 3\n"],
  ])("locks nobody out of a run that goes on: it %s", async (_, mistake) => {
    const go = (rig: Rig) => `say "begins"\nwait ${rig.path("go")}\nwrite a.txt "a"`;
    await using rig = Rig.create({ ".worktreerc": demoConfig }, { approve: false });
    rig.write({ "docs/plans/a/epic-01-a.md": task({}, go(rig)), "docs/plans/b/epic-02-b.md": task({}, go(rig)) });
    rig.commit("the plan");
    const first = rig.start("run", "--yes");
    await first.says("a/E01 started");
    await first.says("b/E02 started");
    rig.write({ ".worktreerc": demoConfig + mistake });
    for (const words of ["run --yes", "resume", "land", "plan", "task retry a/E01", "config show"]) {
      const refused = await rig.owt(...words.split(" "));
      expect([words, refused.code]).toEqual([words, 3]);
      expect(refused.stderr).toContain("owt config validate");
    }
    for (const words of ["status", "inbox", "logs a/E01", "report", "task list", "task show a/E01", "parallel 2"]) {
      const ran = await rig.owt(...words.split(" "), "--json");
      expect([words, ran.code]).toEqual([words, 0]);
      expect(ran.stderr).toContain("▲ the configuration is not in order, and is taken as far as it is sound:");
      expect(ran.stderr).toContain(".worktreerc:4:");
    }
    expect((await rig.owt("task", "cancel", "a/E01")).code).toBe(0);
    expect((await rig.owt("pause")).code).toBe(0);
    expect((await rig.owt("stop")).stdout).toContain("stop is asked for");
    expect((await first.ended).code).toBe(130);
  });

  test("its agents are also stopped where nobody carries the run any more", async () => {
    await using rig = Rig.create({ ".worktreerc": demoConfig }, { approve: false });
    rig.write({ "docs/plans/a/epic-01-a.md": task({}, `say "begins"\nwait ${rig.path("go")}\nwrite a.txt "a"`) });
    rig.commit("the plan");
    const first = rig.start("run", "--yes");
    await first.says("a/E01 started");
    first.child.kill("SIGKILL");
    await first.ended;
    rig.write({ ".worktreerc": `${demoConfig}bad = [` });
    expect((await rig.owt("stop")).stdout).toContain("is stopped");
    await vi.waitFor(() => expect(rig.processes()).toEqual([]), { timeout: 20_000 });
    rig.write({ ".worktreerc": demoConfig });
    rig.release("go");
    expect((await rig.owt("resume")).code).toBe(0);
    expect(rig.show("owt/runs/r1", "a.txt")).toBe("a");
  });
});

test("what is refused for want of a run makes no store", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig, "docs/plans/a/epic-01-a.md": task({}, 'say "x"') });
  const wants =
    "pause,stop,resume,land,parallel 2,task cancel a,task retry a,task edit nobody,task answer a b,plan deps";
  for (const words of wants.split(",")) await rig.owt(...words.split(" "));
  expect(existsSync(join(rig.root, ".git/owt"))).toBe(false);
});

test("a variable that sets an agent's key counts and is shown; one that sets nothing is told", async () => {
  await using rig = Rig.create({});
  rig.env["OWT_AGENT_CLAUDE_MODEL"] = "sonnet";
  rig.env["OWT_RUN_FOO"] = "1";
  const shown = await rig.json<Shown>("config", "show", "agent.claude.model");
  expect(shown.values).toMatchObject([
    { value: "sonnet", origin: { kind: "environment", variable: "OWT_AGENT_CLAUDE_MODEL" } },
  ]);
  expect((await rig.owt("config", "validate")).stdout).toContain("▲ OWT_RUN_FOO: is no key, and does nothing");
});

test("slips of the fingers are met with what was meant, in a command", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/sample/epic-01-a.md": task({}, 'write a.txt "a"'),
    "docs/plans/sample/epic-02-b.md": task({}, 'write b.txt "b"'),
  });
  const slips: [words: string, hint: string][] = [
    ["config show runn", "did you mean run?"],
    ["help tsk", "did you mean: owt task"],
    ["help task anser", "did you mean: owt task answer"],
    ["tsk --help", "did you mean: owt task"],
    ["task list --state donee", "did you mean done?"],
    ["task list --priority hgh", "did you mean high?"],
    ["task list --module sampel", "did you mean sample? modules: sample; see: owt task list"],
    ["logs a --level eror", "did you mean error?"],
    ["run smaple --yes", "did you mean --module sample? see: owt plan"],
    ["run sample/E02 --yes", "run those too: owt run sample/E02 --with-upstreams"],
    ["plan deps sample/E0", "see: owt plan deps"],
    ["plan --agent dmo", "did you mean demo?"],
    ["logs a b --raw", "owt logs a --raw"],
    ["task create more --depends-on sample/E0", "did you mean sample/E0"],
    ["task create more --depends-on nothing-like-it", "see: owt task list"],
    ["config show run --profile night", "[profile.night.run] max_parallel = 2, then: owt config validate"],
  ];
  for (const [words, hint] of slips) {
    const ran = await rig.owt(...words.split(" "));
    expect([words, ran.code, ran.stderr]).toEqual([words, 2, expect.stringContaining(hint)]);
    expect([words, ran.stderr]).not.toEqual([words, expect.stringContaining("owt --help")]);
  }
  expect((await rig.owt("help", "task", "answer")).stdout).toContain("Usage: owt task answer [options] <task> [text]");
  expect((await rig.owt("config", "show", "agent.claude")).stdout).toBe("agent.claude is not set\n");
  rig.write({ ".worktreerc": '[agent]\ndefault = "cluade"\n[run]\nmax_parallel = 0\n' });
  const invalid = (await rig.owt("config", "validate")).stdout;
  expect(invalid).toContain("expected at least 1, received 0 (what each key takes: owt config schema)");
  rig.write({ ".worktreerc": '[agent]\ndefault = "cluade"\n' });
  expect((await rig.owt("plan")).stderr).toContain("there is no agent named cluade\n  ↳ did you mean claude?");
});
