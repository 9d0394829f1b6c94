import { expect, test } from "vitest";
import { sampleSpec, sampleTask } from "../../test/rig/samples.ts";
import {
  checkRivals,
  onePerTask,
  parseRival,
  type Rival,
  rivalKey,
  rowNeeds,
  specForRival,
  standingRows,
} from "./rival.ts";
import { placesTaken } from "./schedule.ts";
import type { Task, TaskState } from "./task.ts";
import { countFinal, findSkips, isSettled, viewTasks } from "./view.ts";

const choice = (agent: string, model: string | null = null) => ({ agent, model });

let lastId = 0;

function row(of: string, agent: string, state: TaskState, change: Partial<Task> = {}, end: Rival["end"] = null): Task {
  const place = agent.charCodeAt(0) - 97;
  const rival = { ...choice(agent), of, place, size: null, end };
  const key = end?.isWinner ? of : rivalKey(of, rival);
  return sampleTask(key, { id: ++lastId, state, rival, ...change });
}

const plain = (key: string, needs: string[] = [], state: TaskState = "pending") =>
  sampleTask(key, { id: ++lastId, needs, state });

test("an agent may be named with a model, and one whose name has a colon by its name", () => {
  expect(parseRival("claude", () => true)).toEqual(choice("claude"));
  expect(parseRival("claude:opus", (name) => name === "claude")).toEqual(choice("claude", "opus"));
  expect(parseRival("work:a", (name) => name === "work:a")).toEqual(choice("work:a"));
  expect(parseRival("claude:", (name) => name === "claude")).toEqual(choice("claude"));
  expect(rivalKey("shop/E01", choice("claude", "opus"))).toBe("shop/E01@claude:opus");
});

const KNOWN = ["own", "claude", "codex"];

test("number and names of rivals have to fit", () => {
  expect(checkRivals(undefined, undefined, KNOWN)).toBeNull();
  expect(checkRivals(2, ["a", "b"], KNOWN)).toBeNull();
  expect(checkRivals(3, ["a", "b", "c:x"], KNOWN)).toBeNull();
  expect(checkRivals(2, undefined, KNOWN)?.message).toContain("needs 2 agents");
  expect(checkRivals(2, undefined, KNOWN)?.hint).toBe("owt run --rivals 2 --agents own,claude");
  expect(checkRivals(2, ["a"], KNOWN)?.message).toContain("needs 2 agents");
  expect(checkRivals(3, ["a", "b"], KNOWN)?.hint).toBe("owt run --rivals 2 --agents a,b");
  expect(checkRivals(2, ["a", "b", "c"], KNOWN)?.message).toContain("names 3");
  expect(checkRivals(1, ["a"], KNOWN)?.message).toContain("begins at 2");
  expect(checkRivals(undefined, ["a", "b"], KNOWN)?.message).toContain("how many");
  expect(checkRivals(undefined, ["a", "b"], KNOWN)?.hint).toBe("owt run --rivals 2 --agents a,b");
  expect(checkRivals(undefined, ["a"], KNOWN)?.hint).toBe("owt run --rivals 2 --agents own,claude");
  expect(checkRivals(2, ["a", "a"], KNOWN)?.message).toContain("a twice");
  expect(checkRivals(2, ["a", "a:"], KNOWN)).toEqual({
    message: "--agents names a twice",
    hint: expect.stringContaining(" a:M"),
  });
});

test("what the plan chose for agents of another kind is not told to a rival", () => {
  const spec = sampleSpec("shop/E01", { agent: "claude", model: "opus", choices: { maxTokens: 9 } });
  expect(specForRival(spec, choice("codex"), false)).toMatchObject({ agent: "codex", model: null, choices: {} });
  expect(specForRival(spec, choice("work"), true)).toMatchObject({
    agent: "work",
    model: "opus",
    choices: { maxTokens: 9 },
  });
  expect(specForRival(spec, choice("work", "sonnet"), true).model).toBe("sonnet");
});

test("a task that has rivals is one: by who is not at its end, else by who failed; the losers are none", () => {
  const one = (...rows: Task[]) => onePerTask(rows, (each) => each).map(({ key, state }) => [key, state]);
  expect(one(plain("x"), row("t", "a", "failed"), row("t", "b", "running"))).toEqual([
    ["x", "pending"],
    ["t@b", "running"],
  ]);
  expect(one(row("t", "a", "cancelled"), row("t", "b", "failed"))).toEqual([["t@b", "failed"]]);
  const won = { isWinner: true, why: "" };
  const lost = { isWinner: false, why: "" };
  const decided = [row("t", "a", "cancelled", {}, lost), row("t", "b", "done", {}, won)];
  expect(one(...decided)).toEqual([["t", "done"]]);
  expect(countFinal([...decided, row("u", "a", "failed"), row("u", "b", "failed")])).toEqual({
    done: 1,
    failed: 1,
    skipped: 0,
    cancelled: 0,
  });
});

const agentOf = () => "a";

test("who needs a task waits for all its rivals, and begins once one of them is that task and done", () => {
  const next = plain("n", ["t"]);
  const open = [row("t", "a", "contest"), row("t", "b", "running"), next];
  expect(viewTasks(open, agentOf, 0)[2]).toMatchObject({
    standing: "blocked",
    why: "waits for t",
    waitsFor: ["t@a", "t@b"],
  });
  expect(rowNeeds(open)(["t", "x"])).toEqual(["t@a", "t@b", "x"]);
  const decided = [row("t", "a", "done", {}, { isWinner: true, why: "" }), next];
  expect(viewTasks(decided, agentOf, 0)[1]!.standing).toBe("ready");
});

test("it is skipped once all rivals are at their end, and not before; it waits for a person as they do", () => {
  const next = plain("n", ["t"]);
  expect(findSkips([row("t", "a", "failed"), row("t", "b", "running"), next])).toEqual([]);
  expect(findSkips([row("t", "a", "failed"), row("t", "b", "cancelled"), next])).toEqual([
    { task: next, reason: "needs t" },
  ]);
  const asks = row("t", "b", "pending", { park: { for: "answer", question: "?" } });
  expect(isSettled(viewTasks([row("t", "a", "failed"), asks, next], agentOf, 0))).toBe(true);
  expect(isSettled(viewTasks([row("t", "a", "contest"), asks, next], agentOf, 0))).toBe(false);
});

test("a rival at its end says nothing of its run while another one may still do the task", () => {
  const keys = (...rows: Task[]) => standingRows(rows, (each) => each).map(({ key }) => key);
  expect(keys(row("t", "a", "failed"), row("t", "b", "pending"), plain("x"))).toEqual(["t@b", "x"]);
  expect(keys(row("t", "a", "failed"), row("t", "b", "cancelled"))).toEqual(["t@a", "t@b"]);
  const decided = [
    row("t", "a", "done", {}, { isWinner: true, why: "" }),
    row("t", "b", "cancelled", {}, { isWinner: false, why: "" }),
  ];
  expect(keys(...decided)).toEqual(["t"]);
});

test("who is green waits for a rival whom a person took over, as the run does", () => {
  const hand = row("t", "a", "pending", { park: { for: "hand", since: 0, worktree: "/w" } });
  const views = viewTasks([hand, row("t", "b", "contest"), plain("n", ["t"])], agentOf, 0);
  expect(views[1]).toMatchObject({ standing: "blocked", waitsFor: ["t@a"], why: expect.stringContaining("by hand") });
  expect(isSettled(views)).toBe(true);
});

test("rivals take places like any task, and one that is green and waits takes none", () => {
  expect(placesTaken(["running", "running"], 3)).toBe(2);
  // Else the other one could never begin, one at a time.
  expect(placesTaken(["contest"], 1)).toBe(0);
});
