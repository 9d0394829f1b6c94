/** The real Claude Code, behind a fake API: its task is taken over in the middle of a turn, in its own conversation, and given back to it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { approvedRig, integrated, sessionOf, SINGLE, whyNoClaude, works } from "../rig/claude-plan.ts";
import { makeGate, textOf } from "../rig/fake-api.ts";

beforeEach((context) => {
  const why = whyNoClaude();
  if (why !== null) context.skip(why);
});

type Shown = { task: { attempts: { worktree: string; session: string }[] } };

test("a person goes on in the conversation of a task's Claude, and Claude in theirs", async () => {
  const gate = makeGate();
  const { task = [] } = works("first", { gate });
  await using rig = await approvedRig(SINGLE, { "site/E01": { task, resume: works("first").task! } });
  const settled = {
    hasCompletedOnboarding: true,
    customApiKeyResponses: { approved: ["sk-ant-dummy"], rejected: [] },
    projects: { [rig.root]: { hasTrustDialogAccepted: true } },
  };
  writeFileSync(join(rig.home, ".claude.json"), JSON.stringify(settled));
  const run = rig.owt("run", "--yes");
  await run.brings(gate.reached);
  const taking = rig.owt("switch", "site/E01", "--json");
  await taking.exits(4);
  await run.exits(4);
  gate.release();
  const conversation = sessionOf(rig.starts()[0]!);
  expect(rig.starts()).toEqual([expect.anything(), expect.stringContaining(`--resume ${conversation}`)]);
  expect(rig.claudes()).toHaveLength(1);

  const { attempts } = (await rig.ask<Shown>("task", "show", "site/E01")).task;
  const { worktree, session } = attempts[0]!;
  expect(session).toBe(conversation);
  await rig.ask("wait", worktree, "--for", "waiting", "--timeout", "60s");
  const before = rig.api.requests.length;
  await rig.ask("send", worktree, "what is this about?");
  const heard = () => rig.api.requests.slice(before).filter((each) => textsOf(each).includes("what is this about?"));
  await expect.poll(() => heard().length, { timeout: 60_000 }).toBeGreaterThan(0);
  expect(heard()[0]!.session).toBe(conversation);
  expect(textsOf(heard()[0]!)).toContain("The first page");
  await rig.ask("wait", worktree, "--for", "waiting", "--timeout", "60s");

  // It stays a person's as long as nobody ends their Claude.
  writeFileSync(join(worktree, "mine.txt"), "by hand\n");
  const refused = rig.owt("task", "retry", "site/E01");
  await refused.exits(4);
  expect(refused.err()).toContain("claude still runs");
  await rig.ask("task", "retry", "site/E01", "--yes");
  expect(rig.claudes()).toEqual([]);
  const next = rig.owt("resume");
  await next.exits(0);
  expect(integrated(rig)).toEqual(["site/E01 yes"]);
  expect(rig.git("show", "owt/runs/r1:mine.txt")).toBe("by hand");
  expect(rig.starts().map(sessionOf)).toEqual([conversation, conversation, conversation]);
  const resumed = rig.api.requests.find(({ occasion }) => occasion === "resume")!;
  expect(resumed.session).toBe(conversation);
  expect(textsOf(resumed)).toContain("what is this about?");
  expect(rig.processes()).toEqual([]);
});

function textsOf({ messages }: { messages: Parameters<typeof textOf>[0][] }): string {
  return messages.map(textOf).join("\n");
}
