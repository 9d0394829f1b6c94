/** Permission rules as Claude Code reads them: `Bash(npm test)` allows that command, `Bash(git log:*)` and `Bash(git log *)` any that begins so,
 *  and a `*` stands for anything wherever it is. One text may hold several, separated by commas or spaces (2.1.329, --help). */

/** Commands that do no harm whatever follows them: they change nothing but the worktree's own history, and hand no argument on to be executed.
 *  Left out on purpose: what takes a command (env, xargs, find -exec, sort --compress-program, rg --pre), what reads one from a file that an agent may
 *  write (make, npm, npx), what writes wherever it is told to (tee, cp, uniq), where bash executes a
 *  subscript (printf -v, test -v), and git without a verb (-c alias.x='!…'). */
const HARMLESS = [
  ...["add", "commit", "status", "diff", "log", "show", "ls-files", "rev-parse", "blame"].map((verb) => `git ${verb}`),
  "ls",
  "cat",
  "head",
  "tail",
  "wc",
  "pwd",
  "echo",
  "grep",
  "stat",
  "cut",
  "tr",
  "basename",
  "dirname",
  "realpath",
  "readlink",
  "cmp",
  "du",
  "df",
  "true",
  "shellcheck",
];

/** The rules that a text holds: separators inside brackets belong to a rule. */
function rulesIn(text: string): string[] {
  const rules: string[] = [];
  let [rule, depth] = ["", 0];
  for (const sign of text) {
    if (depth === 0 && (sign === "," || /\s/.test(sign))) {
      rules.push(rule);
      rule = "";
      continue;
    }
    if (sign === "(") depth++;
    if (sign === ")" && depth > 0) depth--;
    rule += sign;
  }
  return [...rules, rule].filter((each) => each !== "");
}

/** Whether a text of `allowed_tools` lets an agent run what it names nowhere, so that the user has to approve it. A command that is written out, or
 *  begins with one of which every continuation is harmless, is the plan's business. */
export function isWideRule(text: string): boolean {
  return rulesIn(text).some((rule) => {
    // Behind --allowedTools it would be an option of the program itself.
    if (rule.startsWith("-")) return true;
    const [, tool = rule, what] = /^([^(]*)\(([\s\S]*)\)?$/.exec(rule) ?? [];
    if (tool.includes("*") && !tool.startsWith("mcp__")) return true;
    if (!/^(bash|powershell)$/i.test(tool)) return false;
    const command = (what ?? "").replace(/\)$/, "").trim();
    return command === "" || (command.includes("*") && !isHarmless(command));
  });
}

/** The part in front of the first `*`, ended by a space or a colon: `git diff*` would also be `git difftool -x …`. */
function isHarmless(command: string): boolean {
  const fixed = command.slice(0, command.indexOf("*"));
  if (!/[\s:]$/.test(fixed) || /[;&|<>()$`\\'"\n]/.test(command)) return false;
  const words = fixed.replace(/:$/, "").trim().replaceAll(/\s+/g, " ");
  return HARMLESS.some((each) => words === each || words.startsWith(`${each} `));
}
