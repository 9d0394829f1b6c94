/** What the systems that this one unites got wrong about nights, reproduced there by running them: each test would fail on theirs. */
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { Receiver } from "../rig/receiver.ts";
import { demoConfig, fileAppears, Rig, task } from "../rig/rig.ts";

/** As the README of the plan orchestrator has it, word by word. */
const SEED_SCHEDULE = `[[batch]]
name = "overnight"
cron = "0 22 * * *"  # 10 PM daily
max_tasks = 10
max_duration = "8h"
notify_on_complete = true

[[batch]]
name = "weekday-noon"
cron = "0 12 * * 1-5"  # Noon on weekdays
max_tasks = 5
max_duration = "4h"
`;

type Batches = { batches: { name: string; max_duration_ms: number; notify: boolean; next: string; last: unknown }[] };

test("the README's own schedule loads, eight hours and all, and who begins to watch fires nothing that is not due", async () => {
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({}, 'write a.txt "a"'),
    ".owt/schedule.toml": SEED_SCHEDULE,
  });
  const { batches } = await rig.json<Batches>("batch", "list");
  expect(batches.map(({ name }) => name)).toEqual(["overnight", "weekday-noon"]);
  expect(batches[0]).toMatchObject({ max_duration_ms: 8 * 3_600_000 });
  expect(new Date(batches[0]!.next).getHours()).toBe(22);
  // Half a day off, whatever the time is now.
  const hour = (new Date().getHours() + 12) % 24;
  rig.write({ ".owt/schedule.toml": SEED_SCHEDULE.replace("0 22", `0 ${hour}`).replace("0 12", `0 ${hour}`) });
  expect((await rig.owt("batch", "watch", "--once")).code).toBe(0);
  expect((await rig.owt("batch", "watch", "--once")).code).toBe(0);
  const after = await rig.json<Batches>("batch", "list");
  expect(after.batches.map(({ last }) => last)).toEqual([null, null]);
  expect((await rig.json<{ runs: unknown[] }>("status")).runs).toEqual([]);
});

test("the notifications that are configured are sent: on the desktop, and in Slack, whose key may be empty", async () => {
  await using receiver = await Receiver.start();
  await using rig = Rig.create({
    ".worktreerc": demoConfig,
    "docs/plans/shop/epic-01-a.md": task({ title: "The cart" }, 'ask "Which?"\non answer:\nwrite a.txt "a"'),
  });
  rig.env["DISPLAY"] = ":99";
  rig.addProgram("notify-send", `#!/bin/sh\nprintf '%s\\n' "$4" >>"${rig.path("shown")}"\n`);
  rig.userFile("config.toml", '[notifications]\ndesktop = true\nslack_webhook = ""  # Optional: Slack webhook URL\n');
  expect((await rig.owt("run", "--yes")).code).toBe(4);
  const asks = 'shop/E01 (The cart) asks a question\nowt task answer shop/E01 "…"\n';
  expect(readFileSync(rig.path("shown"), "utf8")).toBe(asks);
  rig.userFile("config.toml", `[notifications]\ndesktop = true\nslack_webhook = "${receiver.url}/services/T/B/x"\n`);
  rig.ok("task", "answer", "shop/E01", "this");
  expect((await rig.owt("resume", "r1")).code).toBe(0);
  const ended = "r1 ended: 1 done";
  expect(receiver.posts.map(({ body }) => body)).toEqual([{ text: `*shop*: ${ended}\n\`owt land r1\`` }]);
  expect(readFileSync(rig.path("shown"), "utf8")).toBe(`${asks}${ended}\nowt land r1\n`);
});

test("an agent that died is started again in its conversation, and one that only computes is left alone", async () => {
  await using rig = Rig.create({ ".worktreerc": demoConfig });
  const begun = rig.path("begun");
  rig.addProgram("spin", "#!/bin/sh\ni=0\nwhile [ $i -lt 400000 ]; do i=$((i+1)); done\n");
  rig.write({
    "docs/plans/dies/epic-01-dies.md": task(
      {},
      `write half.txt "half"\ntouch ${begun}\nwait ${rig.path("go")}\nwrite a.txt "a"`,
    ),
    "docs/plans/spins/epic-01-spins.md": task({}, 'run "spin"\nwrite b.txt "b"'),
  });
  rig.commit("plan");
  const run = rig.start("run", "--yes");
  await fileAppears(begun);
  /** One that ends while it is looked at is none. */
  const read = (pid: number, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
      return "";
    }
  };
  const agents = () =>
    rig
      .processes()
      .filter((pid) => read(pid, "cmdline").includes("demo") && read(pid, "environ").includes("OWT_TASK=dies/E01"));
  await vi.waitFor(() => expect(agents().length).toBeGreaterThan(0), { timeout: 60_000 });
  process.kill(agents().at(-1)!, "SIGKILL");
  rig.release("go");
  expect((await run.ended).code).toBe(0);
  type Shown = { task: { state: string; attempts: { outcome: string | null; session: string }[] } };
  const dead = (await rig.json<Shown>("task", "show", "dies/E01")).task;
  expect(dead.state).toBe("done");
  expect(dead.attempts.length).toBeGreaterThan(1);
  const busy = (await rig.json<Shown>("task", "show", "spins/E01")).task;
  expect(busy.attempts.map(({ outcome }) => outcome)).toEqual(["done"]);
});
