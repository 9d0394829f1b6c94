import { expect, test } from "vitest";
import { isWideRule } from "./rules.ts";

test.each([
  ...["Bash", "Bash()", "Bash(*)", "Bash(:*)", "Bash(*:*)", "Bash( * )", " Bash ", "bash(*)", "*", "PowerShell(*)"],
  ...["Bash(sh:*)", "Bash(bash -c *)", "Bash(/usr/bin/env *)", "Bash(python3.12:*)", "Bash(s*)", "Bash(nice *)"],
  ...["Bash(git *)", "Bash(git:*)", "Bash(git -c *)", "Bash(git diff*)", "Bash(git  -C . log *)", "Bash(git push:*)"],
  ...[
    "Bash(make *)",
    "Bash(npx *)",
    "Bash(npm run *)",
    "Bash(uv run *)",
    "Bash(./*)",
    "Bash(* --version)",
    "Bash(find . *)",
  ],
  ...[
    "Bash(cat*)",
    "Bash(sort *)",
    "Bash(rg *)",
    "Bash(printf *)",
    "Bash(cat * | sh)",
    "Bash(echo $(*))",
    "Bash(cat a; *)",
    "Bash(env:*",
    "Bash(\n*)",
  ],
  ...["Read Bash(make *)", "Read,Bash", "Edit,Bash(git *) Write", "--dangerously-skip-permissions", "Read --add-dir"],
])("%j lets an agent run what it names nowhere", (rule) => {
  expect(isWideRule(rule)).toBe(true);
});

test.each([
  ...["Bash(npm test)", "Bash(sh check.sh)", "Bash(make test)", "Bash(npm test), Bash(sh check.sh)", "Bash(echo a, b)"],
  ...[
    "Bash(git add:*)",
    "Bash(git log *)",
    "Bash(git diff --stat *)",
    "Bash(git  status  *)",
    "Bash(ls:*)",
    "Bash(shellcheck:*)",
  ],
  ...["Edit", "Write", "Read(src/**)", "WebFetch(domain:example.com)", "BashOutput", "mcp__linter__*", ""],
])("%j does not", (rule) => {
  expect(isWideRule(rule)).toBe(false);
});
