import { expect, test } from "vitest";
import { isWideRule, suggestRules } from "./rules.ts";

test.each([
  "Bash",
  "Bash()",
  "Bash(*)",
  "Bash(:*)",
  "Bash(*:*)",
  "Bash( * )",
  " Bash ",
  "bash(*)",
  "*",
  "PowerShell(*)",
  "Bash(sh:*)",
  "Bash(bash -c *)",
  "Bash(/usr/bin/env *)",
  "Bash(python3.12:*)",
  "Bash(s*)",
  "Bash(nice *)",
  "Bash(git *)",
  "Bash(git:*)",
  "Bash(git -c *)",
  "Bash(git diff*)",
  "Bash(git log *)",
  "Bash(git diff --stat *)",
  "Bash(git show:*)",
  "Bash(git  -C . log *)",
  "Bash(git push:*)",
  "Bash(make *)",
  "Bash(npx *)",
  "Bash(npm run *)",
  "Bash(uv run *)",
  "Bash(./*)",
  "Bash(* --version)",
  "Bash(find . *)",
  "Bash(cat*)",
  "Bash(sort *)",
  "Bash(rg *)",
  "Bash(printf *)",
  "Bash(cat * | sh)",
  "Bash(echo $(*))",
  "Bash(cat a; *)",
  "Bash(env:*",
  "Bash(\n*)",
  "Read Bash(make *)",
  "Read,Bash",
  "Edit,Bash(git *) Write",
  "--dangerously-skip-permissions",
  "Read --add-dir",
])("%j lets an agent run what it names nowhere", (rule) => {
  expect(isWideRule(rule)).toBe(true);
});

test.each([
  "Bash(npm test)",
  "Bash(sh check.sh)",
  "Bash(make test)",
  "Bash(npm test), Bash(sh check.sh)",
  "Bash(echo a, b)",
  "Bash(git add:*)",
  "Bash(git blame *)",
  "Bash(git status --short *)",
  "Bash(git  status  *)",
  "Bash(ls:*)",
  "Bash(shellcheck:*)",
  "Edit",
  "Write",
  "Read(src/**)",
  "WebFetch(domain:example.com)",
  "BashOutput",
  "mcp__linter__*",
  "",
])("%j does not", (rule) => {
  expect(isWideRule(rule)).toBe(false);
});

test.each<[string[], string[], RegExp | null]>([
  [["Bash(sh deploy.sh)"], ["Bash(sh deploy.sh)"], null],
  [["WebFetch", "WebFetch"], ["WebFetch"], null],
  [
    ["Bash(cd app && sh deploy.sh && git add . && echo 'a; b' | tee x.txt)", "Bash(sh deploy.sh 2>&1; tee x.txt)"],
    ["Bash(sh deploy.sh)", "Bash(echo 'a; b')", "Bash(tee x.txt)", "Bash(sh deploy.sh 2>&1)"],
    null,
  ],
  [["Bash(python3 -c 'print(1)\nprint(2)')"], ["Bash(python3:*)"], /anything with python3/],
  [["Bash(A=1 node x.js $(id))"], ["Bash(node:*)"], /anything with node/],
  [["Bash(echo 'open)"], ["Bash(echo:*)"], /anything with echo/],
  [["Bash"], [], /"Bash" alone would allow every one/],
])("for %j being refused the rules %j are suggested", (refused, rules, warning) => {
  const suggested = suggestRules(refused);
  expect(suggested.rules).toEqual(rules);
  if (warning === null) expect(suggested.warning).toBeNull();
  else expect(suggested.warning).toMatch(warning);
});
