/** The other commands: land, status, logs, report, restore, doctor, demo, and what an agent may not do. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { demoConfig, Rig, task } from "../rig/rig.ts";

const onePlan = {
  ".worktreerc": demoConfig,
  "docs/plans/shop/epic-01-a.md": task({}, 'say "hello"\nwrite a.txt "a"\ncost 0.25'),
};

describe("land", () => {
  test("fast-forwards the target and its clean checkout", async () => {
    await using rig = Rig.create(onePlan);
    await rig.owt("run", "--yes");
    const ran = await rig.owt("land");
    expect(ran.code).toBe(0);
    expect(rig.git("rev-parse", "main")).toBe(rig.git("rev-parse", "owt/runs/r1"));
    expect(rig.git("status", "--porcelain")).toBe("");
    expect((await rig.owt("land")).code).toBe(2);
  });

  test("a dirty checkout is refused, named, and untouched", async () => {
    await using rig = Rig.create({ ...onePlan, "a.txt": "mine" });
    await rig.owt("run", "--yes");
    writeFileSync(`${rig.root}/a.txt`, "edited");
    const ran = await rig.owt("land");
    expect(ran.code).toBe(4);
    expect(ran.stderr).toContain("a.txt");
    expect(rig.git("diff", "--name-only")).toBe("a.txt");
  });

  test("a target that moved is merged in and checked first", async () => {
    await using rig = Rig.create({ ...onePlan, ".worktreerc": `${demoConfig}[run]\nverify = "test ! -f broken"\n` });
    await rig.owt("run", "--yes");
    rig.write({ "b.txt": "b" });
    rig.commit("meanwhile");
    const ran = await rig.owt("land");
    expect(ran.stdout).toContain("merged");
    expect(rig.show("main", "a.txt")).toBe("a");
    expect(rig.show("main", "b.txt")).toBe("b");
    expect(rig.git("worktree", "list").split("\n")).toHaveLength(1);
  });

  test("checks are those in force now, also where the run had none, and the words say what was done", async () => {
    await using rig = Rig.create(onePlan);
    await rig.owt("run", "--yes");
    rig.write({ ".worktreerc": `${demoConfig}[run]\nverify = "test -f never"\n` });
    rig.commit("a check");
    const before = rig.git("rev-parse", "main");
    const unasked = await rig.owt("land");
    expect([unasked.code, unasked.stderr]).toEqual([4, expect.stringContaining("owt config approve")]);
    rig.ok("config", "approve", "--yes");
    const red = await rig.owt("land");
    expect([red.code, red.stderr]).toEqual([4, expect.stringContaining("test -f never")]);
    expect(rig.git("rev-parse", "main")).toBe(before);
    rig.write({ ".worktreerc": `${demoConfig}[run]\nverify = "test -f a.txt"\n` });
    rig.commit("a better check");
    rig.ok("config", "approve", "--yes");
    const green = await rig.owt("land");
    expect([green.code, green.stdout]).toEqual([
      0,
      expect.stringContaining("merged with main and checked, and landed on main"),
    ]);
    expect(rig.git("log", "-1", "--format=%(trailers:key=Owt-Verified,valueonly)").trim()).toBe("yes");
  });

  test("a run that is behind nobody is checked too, when a check came after it", async () => {
    await using rig = Rig.create(onePlan);
    await rig.owt("run", "--yes");
    rig.env["OWT_RUN_VERIFY"] = "test -f never";
    expect((await rig.owt("land")).stderr).toContain("test -f never");
    rig.env["OWT_RUN_VERIFY"] = "test -f a.txt";
    expect((await rig.owt("land")).stdout).toMatch(/r\d was checked and landed on main/);
  });

  test("a merge that nothing checks is called so", async () => {
    await using rig = Rig.create(onePlan);
    await rig.owt("run", "--yes");
    rig.write({ "b.txt": "b" });
    rig.commit("meanwhile");
    expect((await rig.owt("land")).stdout).toContain("merged with main, with nothing to check it with");
    expect(rig.git("log", "-1", "--format=%(trailers:key=Owt-Verified,valueonly)").trim()).toBe("no");
  });

  test("a moved target that turns the checks red is not landed on", async () => {
    await using rig = Rig.create({ ...onePlan, ".worktreerc": `${demoConfig}[run]\nverify = "test ! -f broken"\n` });
    await rig.owt("run", "--yes");
    rig.write({ broken: "" });
    rig.commit("breaks");
    const before = rig.git("rev-parse", "main");
    const ran = await rig.owt("land");
    expect(ran.code).toBe(4);
    expect(ran.stderr).toContain("test ! -f broken");
    expect(rig.git("rev-parse", "main")).toBe(before);
    // The merge that nobody wants is nothing to bring back.
    expect((await rig.json<{ rescues: unknown[] }>("restore")).rescues).toEqual([]);
  });
});

test("status tells what is done, unverified, waiting and why", async () => {
  await using rig = Rig.create({ ...onePlan, "docs/plans/web/epic-01-asks.md": task({}, 'ask "Which colour?"') });
  await rig.owt("run", "--yes");
  const status = await rig.json<{
    runs: { tasks: { id: string; standing: string; why: string; command?: string }[] }[];
  }>("status");
  expect(status.runs[0]!.tasks).toEqual([
    expect.objectContaining({ id: "shop/E01", standing: "done", why: "unverified", verified: false }),
    expect.objectContaining({
      id: "web/E01",
      standing: "waits-for-person",
      why: "asks: Which colour?",
      command: 'owt task answer web/E01 "…"',
    }),
  ]);
  expect(rig.git("log", "-1", "--format=%(trailers:key=Owt-Verified,valueonly)", "owt/runs/r1").trim()).toBe("no");
  expect((await rig.owt("status")).stdout).toContain("asks: Which colour?");
  // Pasted as it stands.
  expect(await rig.owt("task", "answer", "web/E01", "…")).toMatchObject({
    code: 2,
    stderr: '✗ an answer needs a text\n  ↳ owt task answer web/E01 "…"\n',
  });
});

test("logs are rendered, raw is byte for byte, -f ends with the attempt", async () => {
  await using rig = Rig.create(onePlan);
  await rig.owt("run", "--yes");
  expect((await rig.owt("logs", "shop/E01")).stdout).toContain("hello\n→ write  a.txt");
  expect((await rig.owt("logs", "shop/E01", "--raw")).stdout).toContain('{"kind":"say","text":"hello"}');
  expect((await rig.owt("logs", "shop/E01", "-f")).code).toBe(0);
  expect((await rig.owt("logs", "shop/E1")).stderr).toContain("shop/E01");
});

test("a report in JSON and markdown, with the cost that the agent gave", async () => {
  await using rig = Rig.create(onePlan);
  await rig.owt("run", "--yes");
  const { report } = await rig.json<{ report: { cost_usd: number; tasks: { attempts: unknown[] }[] } }>("report");
  expect(report.cost_usd).toBe(0.25);
  expect((await rig.owt("report", "r1", "--markdown")).stdout).toContain("| shop/E01 | done | 1 |");
});

test("doctor passes here", async () => {
  await using rig = Rig.create({});
  const { findings } = await rig.json<{ findings: { check: string; state: string }[] }>("doctor");
  expect(findings.filter((each) => each.state === "fail")).toEqual([]);
});

type AgentSeen = {
  name: string;
  kind: string;
  default: boolean;
  state: string;
  path: string | null;
  version: string | null;
  login: { state: string; detail: string };
  capabilities: string[];
  trouble: string[];
  hint: string | null;
};

test("doctor knows each agent: its program, version and login, and what its adapter can do", async () => {
  await using rig = Rig.create({
    ".worktreerc":
      '[agent]\ndefault = "mine"\n[agent.mine]\ncommand = ["my-agent"]\n[agent.old]\nkind = "claude"\ncommand = ["old"]\n',
  });
  const told = 'printf "%s\\n" "$CLAUDECODE$SECRET" >>"$HOME/told"';
  rig.addProgram("claude", `#!/bin/sh\n${told}\necho "2.1.329 (Claude Code)"\n`);
  rig.addProgram("old", '#!/bin/sh\necho "2.1.96 (Claude Code)"\n');
  rig.env["CLAUDECODE"] = "1";
  rig.env["SECRET"] = "s";
  const look = async () => {
    const ran = await rig.owt("doctor", "--json");
    expect(ran.code).toBe(0);
    const { agents } = (JSON.parse(ran.stdout) as { data: { agents: AgentSeen[] } }).data;
    return { ran, seen: (name: string) => agents.find((each) => each.name === name)! };
  };
  const { seen } = await look();
  expect(seen("claude")).toMatchObject({
    kind: "claude",
    state: "warn",
    version: "2.1.329",
    login: { state: "missing" },
  });
  expect(seen("claude").hint).toBe("log in: claude, then /login; or set ANTHROPIC_API_KEY");
  expect(seen("claude").capabilities).toEqual(expect.arrayContaining(["commit", "resume", "permissions"]));
  expect(readFileSync(join(rig.home, "home", "told"), "utf8")).toBe("\n");
  expect(seen("old")).toMatchObject({ kind: "claude", version: "2.1.96", state: "warn" });
  expect(seen("old").trouble.join()).toContain("older than every version that was tried");
  expect(seen("demo")).toMatchObject({ state: "pass", login: { state: "not-needed" } });
  expect(seen("codex")).toMatchObject({ state: "absent", path: null, hint: "npm install -g @openai/codex" });
  expect(seen("mine")).toMatchObject({
    default: true,
    state: "warn",
    path: null,
    hint: "install my-agent, or set [agent.mine] command",
  });

  // Logged in by a key: told by its name, never by its value.
  rig.env["ANTHROPIC_API_KEY"] = "sk-ant-secret";
  const withKey = await look();
  expect(withKey.seen("claude")).toMatchObject({
    state: "pass",
    login: { state: "found", detail: "the variable ANTHROPIC_API_KEY" },
  });
  expect(withKey.ran.stdout).not.toContain("sk-ant-secret");
  const text = (await rig.owt("doctor")).stdout;
  expect(text).toMatch(/✓ claude {2}2\.1\.329 .*\n {4}login: the variable ANTHROPIC_API_KEY\n {4}can: commit, /);
  expect(text).toContain("▲ mine (default)  not installed");
});

test("doctor starts no program that the repository names before that was approved", async () => {
  await using rig = Rig.create({ ".worktreerc": '[agent.claude]\ncommand = ["./claude"]\n' }, { approve: false });
  rig.write({ claude: `#!/bin/sh\ntouch ${rig.path("ran")}\necho 2.1.329\n` });
  chmodSync(join(rig.root, "claude"), 0o755);
  const { agents } = await rig.json<{ agents: AgentSeen[] }>("doctor");
  expect(agents.find((each) => each.name === "claude")!.trouble.join()).toContain("owt config approve");
  expect(existsSync(rig.path("ran"))).toBe(false);
  rig.ok("config", "approve", "--yes");
  const after = await rig.json<{ agents: AgentSeen[] }>("doctor");
  expect(after.agents.find((each) => each.name === "claude")!.version).toBe("2.1.329");
});

test("doctor knows the agents outside of a repository too", async () => {
  await using rig = Rig.create({});
  const ran = await rig.owtIn(rig.home, "doctor", "--json");
  expect(ran.code).toBe(1);
  const { agents } = (JSON.parse(ran.stdout) as { data: { agents: AgentSeen[] } }).data;
  expect(agents.map((each) => each.name)).toEqual(["claude", "codex", "demo"]);
});

/** What `owt doctor` says of process trees. */
async function treesOf(rig: Rig): Promise<{ state: string; detail: string; hint?: string }> {
  const { findings } = await rig.json<{ findings: { check: string; state: string; detail: string }[] }>("doctor");
  return findings.find((each) => each.check === "process trees")!;
}

test("mere process groups are said aloud, once, by the run and by the doctor", async () => {
  await using rig = Rig.create(onePlan, { env: { OWT_LAUNCH_MODE: "group" } });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(0);
  expect(ran.stderr.match(/mere process groups.*can outlive a stop \(see: owt doctor\)/g)).toHaveLength(1);
  expect(ran.stdout).not.toContain("process groups");
  expect(readFileSync(join(rig.root, ".git/owt/attempts/1/claim"), "utf8").trimEnd()).toMatch(/^group /);
  expect(await treesOf(rig)).toMatchObject({ state: "warn", hint: "unset OWT_LAUNCH_MODE" });
});

test("a whole tree that the system owns is not worth a word, be it a namespace or a cgroup", async () => {
  for (const mode of ["", "cgroup"]) {
    await using rig = Rig.create(onePlan, mode ? { env: { OWT_LAUNCH_MODE: mode } } : {});
    const trees = await treesOf(rig);
    const ran = await rig.owt("run", "--yes");
    expect(ran.code).toBe(0);
    expect(ran.stderr.includes("process groups")).toBe(trees.state === "warn");
    const claim = readFileSync(join(rig.root, ".git/owt/attempts/1/claim"), "utf8").trimEnd();
    const [, owner] = /^a (?:pid )?(.+) owns each agent's processes$/.exec(trees.detail) ?? ["", "group"];
    expect(claim.startsWith(`${owner?.replace(" ", "-")} `)).toBe(true);
    const cgroup = /^cgroup \S+ \S+ \S+ (.+)$/.exec(claim)?.[1];
    expect(cgroup !== undefined && existsSync(cgroup)).toBe(false);
  }
});

test("a launch mode that is none is refused before anything is made", async () => {
  await using rig = Rig.create(onePlan, { env: { OWT_LAUNCH_MODE: "docker" }, approve: false });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain('OWT_LAUNCH_MODE is "docker"');
  expect(ran.stderr).toContain("namespace, user-namespace, cgroup, group");
  expect((await rig.owt("doctor")).code).toBe(3);
  expect(rig.git("branch", "--list", "owt/*")).toBe("");
});

test("the demo brings five tasks home and answers its own question off a terminal", async () => {
  await using rig = Rig.create({});
  const before = readdirSync(rig.home);
  const ran = await rig.owt("demo", "--path", rig.path("demo"));
  expect(ran.code).toBe(0);
  // One folder is made, and it holds all that was.
  expect(readdirSync(rig.home).toSorted()).toEqual([...before, "demo"].toSorted());
  expect(readdirSync(rig.path("demo"))).toEqual(["words"]);
  expect(ran.stderr).toContain(`a repository with a plan: ${rig.path("demo/words")}`);
  expect(ran.stdout).toContain("five tasks came home");
  expect(ran.stderr).toContain("fails sh check.sh");
  expect(ran.stderr).toContain("conflicts in words.txt");
  expect(ran.stderr).toContain("owt task answer signs/E01 blue");
});

test("an agent does not steer its own run", async () => {
  await using rig = Rig.create(onePlan, { env: { OWT_ATTEMPT: "/somewhere" }, approve: false });
  const ran = await rig.owt("run", "--yes");
  expect(ran.code).toBe(2);
  expect(ran.stderr).toContain("inside an attempt");
  expect((await rig.owt("plan")).code).toBe(0);
});

test("a copied repository stops before it does anything", async () => {
  await using rig = Rig.create(onePlan);
  await rig.owt("run", "--yes");
  rig.copyTo("copy");
  const ran = await rig.owtIn(rig.path("copy"), "run", "--yes", "--again");
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain("copied or moved");
});

test("--version is quick and --help lists every command; a typo gets the nearest", async () => {
  await using rig = Rig.create({});
  expect((await rig.owt("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect((await rig.owt("--help")).stdout).toContain("inbox");
  const typo = await rig.owt("statsu");
  expect(typo.code).toBe(2);
  expect(typo.stderr).toContain("status");
});

test("pause starts nothing more, resume goes on", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  rig.write({
    "docs/plans/shop/epic-01-a.md": task({}, `touch ${rig.path("runs")}\nwait ${rig.path("gate")}\nwrite a.txt "a"`),
    "docs/plans/shop/epic-02-b.md": task({}, ""),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await run.says("shop/E01 started");
  expect((await rig.owt("pause")).code).toBe(0);
  await run.says("pause was asked for");
  rig.release("gate");
  await run.says("shop/E01 integrated");
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01"]);
  const resumed = await rig.owt("resume");
  expect(resumed.code).toBe(0);
  expect((await run.ended).code).toBe(0);
  expect(rig.integrations("owt/runs/r1")).toEqual(["shop/E01", "shop/E02"]);
});
