/** The texts of `owt init`: a configuration that explains itself, and a plan that shows what one is. */
import { CONFIG_SCHEMA_URL } from "./config-schema.ts";

export type StarterChoices = {
  verify: readonly string[];
  /** Null leaves the default. */
  agent: string | null;
  defaultBranch: string | null;
};

/** A `.worktreerc`. What is chosen stands in it, the rest as remarks. */
export function starterConfig({ verify, agent, defaultBranch }: StarterChoices): string {
  const checks =
    verify.length > 0
      ? ["# What must succeed before work counts as done.", `verify = ${list(verify)}`]
      : [
          "# What must succeed before work counts as done. Without a check it is integrated and marked unverified.",
          '# verify = ["npm test"]',
        ];
  return `#:schema ${CONFIG_SCHEMA_URL}
# How owt works in this repository. What is in force: owt config show. What is wrong: owt config validate.

[run]
${checks.join("\n")}
# max_parallel = 3    # agents at a time
# timeout = "30m"     # how long a task may take
# retries = 2         # tries after a failure
# The branch that runs start from and land on; else the one checked out.
# target = ${JSON.stringify(defaultBranch ?? "main")}

[agent]
${agent === null ? "# " : ""}default = ${JSON.stringify(agent ?? "claude")}

# [agent.claude]
# model = "opus"
# allowed_tools = ["Bash(npm run build)"]

# [budget]
# run_usd = 10        # a run waits before it costs more

# [environment]
# env_files = []      # further files, beside .env and its like, that worktrees get
`;
}

/** The part of a configuration that says only these. */
export function starterKeys({ verify, agent }: Pick<StarterChoices, "verify" | "agent">): string {
  const run = verify.length > 0 ? [`[run]\nverify = ${list(verify)}\n`] : [];
  return [...run, ...(agent === null ? [] : [`[agent]\ndefault = ${JSON.stringify(agent)}\n`])].join("\n");
}

/** TOML and JSON write lists of texts alike. */
function list(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(", ")}]`;
}

/** The files of a plan of three small tasks, by their path from the root: two that follow each other, one that runs beside them. */
export function samplePlan(): Record<string, string> {
  return {
    "docs/plans/sample/epic-01-about.md": `---
priority: high            # high, normal or low
# depends_on: [other/E01] # tasks of other modules; inside a module each follows the one before
# verify: npm test        # a check of this task alone, beside those in .worktreerc
# needs_review: true      # a person approves before it is integrated
---
# Say what this project is

A file is a task; its whole text is what the agent is asked to do. This one is called sample/E01.

Write \`docs/about.md\`: one paragraph that says what this project is, told from its README and its code. Change nothing else.
`,
    "docs/plans/sample/epic-02-parts.md": `# List its parts

Follows sample/E01 and starts from its integrated work.

Add a list to \`docs/about.md\`: the top folders of this project, one line each on what is in them. Change nothing else.
`,
    "docs/plans/sample-checks/epic-01-checks.md": `# Say how it is checked

Another module: nothing here waits for sample/E01, so both run side by side.

Write \`docs/checks.md\`: the commands that check this project, and what each looks at. Change nothing else.
`,
  };
}
