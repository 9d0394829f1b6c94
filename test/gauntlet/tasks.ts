/** What goes wrong in the night, a task each, and how each of them has to end. */
/** How a task must stand in the end. `why` and `command` are sources of regular expressions, for the report's reason and the inbox's command. */
export type Ending =
  /** Without a person, but for the one that was asked. */
  | { is: "integrated" }
  /** Waits for a person, or failed: with the true reason, and the command that helps. */
  | { is: "parked" | "failed"; why: string; command: string }
  /** Waits for, or was lost with, another task, and says which. */
  | { is: "held" | "skipped"; why: string };

export type GauntletTask = {
  /** Its module; its id is `name/E01`. */
  name: string;
  /** What its agent does, for people. */
  does: string;
  ending: Ending;
  /** Outcomes that its attempts must show, as the report names them (`a|b`: one of them): else what it is for did not take place. */
  shows?: string[];
  /** Front matter of its file. */
  front?: Record<string, unknown>;
  /** Steps of the demo agent; without them the agent of its front matter plays what `scripted.mjs` holds under its name. */
  steps?: string[];
};

/** What a night has, and where what its agents leave is noted. */
export type Stage = { notes: string; isSmallDisk: boolean; hasReal: boolean };

/** So often the first verify commands of a task are red before one is green, in every three of them. */
export const FLAKY_EVERY = 3;

const MEETING = ["collides-b/E01", "semantic-b/E01"];
const SCRIPTED_MODELS = ["real-limited/E01", "real-overloaded/E01", "real-killed/E01"];

/** Whole content of a part that its check finds right. */
const RIGHT = ["sum 6", "1", "2", "3"];

/** Every task of a night, in no particular order: the plan's own is that of their names. */
export function gauntletTasks({ notes, isSmallDisk, hasReal }: Stage): GauntletTask[] {
  const retry = (name: string) => `^owt task retry ${name}/E01$`;
  const high = { priority: "high" };
  const tasks: GauntletTask[] = [
    { name: "succeeds", does: "succeeds", ending: { is: "integrated" }, steps: [put("succeeds"), commit] },
    {
      name: "red-once",
      does: "fails verify once",
      ending: { is: "integrated" },
      shows: ["verify_failed"],
      steps: redSteps("red-once", 1),
    },
    {
      name: "red-thrice",
      does: "fails verify thrice",
      ending: { is: "integrated" },
      shows: ["verify_failed", "verify_failed", "verify_failed"],
      steps: redSteps("red-thrice", 3),
    },
    {
      name: "red-for-ever",
      does: "fails verify for ever",
      ending: { is: "failed", why: "^verify failed: sh check\\.sh", command: retry("red-for-ever") },
      shows: ["verify_failed", "verify_failed", "verify_failed", "verify_failed"],
      steps: redSteps("red-for-ever", 999),
    },
    {
      name: "does-nothing",
      does: "does nothing",
      ending: {
        is: "failed",
        why: "^changed nothing; its last words: It is all there already\\.",
        command: '^owt task answer does-nothing/E01 "…"$',
      },
      shows: ["nothing_done", "nothing_done", "nothing_done"],
      steps: ['say "It is all there already."'],
    },
    {
      name: "claims-success",
      does: "claims success with an error inside",
      front: { agent: "claude" },
      ending: { is: "integrated" },
      shows: ["transient"],
    },
    {
      name: "claims-for-ever",
      does: "claims success with an error inside, each time",
      front: { agent: "claude" },
      ending: {
        is: "failed",
        why: "^API Error: 400 .*messages: roles must alternate",
        command: retry("claims-for-ever"),
      },
      shows: ["failed", "failed", "failed"],
    },
    {
      name: "limited",
      does: "hits a usage limit with a reset",
      front: { agent: "claude" },
      ending: { is: "integrated" },
      shows: ["limit"],
    },
    {
      name: "overloaded",
      does: "two overloads",
      front: { agent: "claude" },
      ending: { is: "integrated" },
      shows: ["transient", "transient"],
    },
    {
      name: "expired",
      does: "an expired key",
      front: { agent: "expired", priority: "high" },
      ending: { is: "parked", why: "^auth: Invalid API key", command: retry("expired") },
      shows: ["auth"],
    },
    {
      name: "expired-too",
      does: "another task with that key",
      front: { agent: "expired", priority: "low" },
      ending: { is: "held", why: "^waits for the login of expired \\(see expired/E01\\)$" },
    },
    {
      name: "denied",
      does: "is refused a tool that it needs",
      front: { agent: "claude" },
      ending: { is: "parked", why: "^was not allowed to use Bash\\(make deploy\\)$", command: retry("denied") },
      shows: ["denied"],
    },
    {
      name: "hangs",
      does: "hangs silent",
      front: { agent: "claude" },
      ending: { is: "integrated" },
      shows: ["hung"],
    },
    {
      name: "hangs-for-ever",
      does: "hangs silent, each time",
      ending: { is: "failed", why: "^hung: ", command: retry("hangs-for-ever") },
      shows: ["hung", "hung", "hung"],
      steps: [put("hangs-for-ever"), "hang"],
    },
    {
      name: "hangs-after",
      does: "hangs after the result",
      front: { agent: "claude" },
      ending: { is: "integrated" },
      shows: ["ok"],
    },
    {
      name: "killed",
      does: "gets killed",
      front: { agent: "claude" },
      ending: { is: "integrated" },
      shows: ["lost"],
    },
    {
      name: "leaves-work",
      does: "leaves work uncommitted",
      ending: { is: "integrated" },
      steps: [put("leaves-work"), put("leaves-work-too", "deep/er/note.txt")],
    },
    {
      name: "wrong-branch",
      does: "commits to the wrong branch, one that it makes",
      front: { agent: "claude" },
      ending: { is: "integrated" },
    },
    {
      name: "others-branch",
      does: "commits to the wrong branch, the user's",
      front: { agent: "claude" },
      ending: { is: "integrated" },
      shows: ["failed"],
    },
    {
      name: "collides-a",
      does: "changes what another task changes",
      front: high,
      ending: { is: "integrated" },
      steps: ['run "await" "begun" "collides-b"', 'run "put" "shared.txt" "by a"', commit],
    },
    {
      name: "collides-b",
      does: "conflicts textually",
      front: high,
      ending: { is: "integrated" },
      shows: ["conflict"],
      steps: [
        begun,
        'run "put" "shared.txt" "by b"',
        commit,
        'run "await" "integrated" "collides-a"',
        "on conflict:",
        'run "put" "shared.txt" "by both"',
        commit,
      ],
    },
    {
      name: "collides-c",
      does: "changes what another task changes",
      front: high,
      ending: { is: "integrated" },
      steps: [
        'run "await" "begun" "collides-d"',
        'run "await" "begun" "collides-e"',
        'run "put" "shared-too.txt" "by c"',
        'run "put" "shared-three.txt" "by c"',
        commit,
      ],
    },
    {
      name: "collides-d",
      does: "conflicts textually and cannot mend it, but from what is there",
      front: high,
      ending: { is: "integrated" },
      shows: ["conflict", "conflict"],
      steps: cannotMend("shared-too.txt"),
    },
    {
      name: "collides-e",
      does: "the same, on a branch that the plan names",
      front: { ...high, branch: "kept-by-plan" },
      ending: { is: "parked", why: "^conflict in shared-three\\.txt; ", command: "^owt task approve collides-e/E01$" },
      shows: ["conflict", "conflict"],
      steps: cannotMend("shared-three.txt"),
    },
    {
      name: "semantic-a",
      does: "renames what another task uses",
      front: high,
      ending: { is: "integrated" },
      steps: [
        'run "await" "begun" "semantic-b"',
        'run "put" "lib/names.txt" "define sum"',
        'run "put" "uses/first.txt" "use sum"',
        commit,
      ],
    },
    {
      name: "semantic-b",
      does: "conflicts only semantically",
      front: high,
      ending: { is: "integrated" },
      shows: ["verify_failed"],
      steps: [
        begun,
        'run "put" "uses/second.txt" "use total"',
        commit,
        'run "await" "integrated" "semantic-a"',
        "on repair:",
        'run "put" "uses/second.txt" "use sum"',
        commit,
      ],
    },
    {
      name: "outside",
      does: "writes outside its worktree",
      front: { agent: "claude" },
      ending: { is: "integrated" },
    },
    {
      name: "daemons",
      does: "leaves daemons",
      ending: { is: "integrated" },
      steps: [put("daemons"), commit, "spawn", 'run "daemons"'],
    },
    { name: "floods", does: "prints 1 GB", front: { agent: "claude" }, ending: { is: "integrated" } },
    {
      name: "asks",
      does: "asks, and nobody answers",
      ending: {
        is: "parked",
        why: "^asks: Which colour\\?$",
        command: '^owt task answer asks/E01 "…"$',
      },
      shows: ["asked"],
      steps: [put("asks"), 'ask "Which colour?"'],
    },
    {
      name: "asks-first",
      does: "asks, and is answered",
      ending: { is: "integrated" },
      shows: ["asked"],
      steps: [
        `log ${JSON.stringify(`${notes}/asked`)} "{task}"`,
        'ask "Which size?"',
        "on answer:",
        'write sizes/{answer}.txt "{answer}\\n"',
        put("asks-first"),
        commit,
      ],
    },
    {
      name: "over-budget",
      does: "overruns the budget",
      ending: {
        is: "parked",
        why: "^waits for the budget: .*\\$5\\.00 of \\$2\\.00",
        command: "^OWT_BUDGET_TASK_USD=\\S+ owt resume r1$",
      },
      shows: ["budget"],
      steps: [put("over-budget"), "cost 5", "hang"],
    },
    {
      name: "flakes",
      does: `its verify is red one time in ${FLAKY_EVERY}`,
      front: { verify: "sh flaky.sh" },
      ending: { is: "integrated" },
      shows: ["flaky"],
      steps: [put("flakes"), commit],
    },
    {
      name: "no-worktree",
      does: "deletes its own worktree",
      ending: { is: "integrated" },
      steps: [put("no-worktree"), commit, 'run "sh" "-c" "rm -rf -- \\"$PWD\\""'],
    },
    {
      name: "after-good",
      does: "depends on such as come home",
      front: { depends_on: ["succeeds/E01", "red-once/E01", "flakes/E01"] },
      ending: { is: "integrated" },
      steps: [put("after-good"), commit],
    },
    {
      name: "after-after",
      does: "depends on that one",
      front: { depends_on: ["after-good/E01", "killed/E01"] },
      ending: { is: "integrated" },
      steps: [put("after-after"), commit],
    },
    {
      name: "after-failed",
      does: "depends on one that fails",
      front: { depends_on: ["red-for-ever/E01"] },
      ending: { is: "skipped", why: "^needs red-for-ever/E01$" },
      steps: [put("after-failed"), commit],
    },
    {
      name: "after-asked",
      does: "depends on one that nobody answers",
      front: { depends_on: ["asks/E01", "succeeds/E01"] },
      ending: { is: "held", why: "^waits for asks/E01$" },
      steps: [put("after-asked"), commit],
    },
  ];
  if (isSmallDisk)
    tasks.push({
      name: "fills-disk",
      does: "fills the disk",
      // Behind those that have to meet each other, and those whose model is a script that would go on over what failed.
      front: { agent: "claude", depends_on: hasReal ? [...MEETING, ...SCRIPTED_MODELS] : MEETING },
      ending: { is: "integrated" },
      // Its own failure, where so much was freed meanwhile that the disk never counted as full.
      shows: ["disk_full|failed"],
    });
  return tasks;
}

/** The file of a task in the plan. */
export function renderTask({ name, does, front = {}, steps }: GauntletTask): string {
  const head = Object.entries(front).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  const block = steps === undefined ? "Do it.\n" : `\`\`\`demo\n${steps.join("\n")}\n\`\`\`\n`;
  return `---\n${head.join("\n")}\n---\n# ${name}: ${does}\n\n${block}`;
}

function cannotMend(path: string): string[] {
  const steps = [
    begun,
    `run "add" ${JSON.stringify(path)} "by {task}"`,
    commit,
    'run "await" "integrated" "collides-c"',
  ];
  return [...steps, "on conflict:", 'say "I do not know which."'];
}

const commit = 'commit "{task}: what it was told"';
const begun = 'run "await" "here" "begun"';

function put(name: string, path: string = `parts/${name}.txt`): string {
  return `run "put" ${[path, ...RIGHT].map((word) => JSON.stringify(word)).join(" ")}`;
}

/** Wrong so many times, then right. */
function redSteps(name: string, times: number): string[] {
  const mend = `run "mend" "${times}" "parts/${name}.txt"`;
  return [mend, commit, "on repair:", mend, commit];
}
