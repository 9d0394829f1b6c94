/** Permission rules as Claude Code reads them: `Bash(npm test)` allows that command, `Bash(git log:*)` and `Bash(git log *)` any that begins so,
 *  and a `*` stands for anything wherever it is. One text may hold several, separated by commas or spaces (2.1.329, --help). */

/** Commands that do no harm whatever follows them: they change nothing but the worktree's own history, and hand no argument on to be executed.
 *  Left out on purpose: what takes a command (env, xargs, find -exec, sort --compress-program, rg --pre), what reads one from a file that an agent may
 *  write (make, npm, npx), what writes wherever it is told to (tee, cp, uniq, and with --output git diff, log and show), where bash executes a
 *  subscript (printf -v, test -v), and git without a verb (-c alias.x='!…'). */
const HARMLESS = [
  ...["add", "commit", "status", "ls-files", "rev-parse", "blame"].map((verb) => `git ${verb}`),
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

/** Rules that would have allowed what was refused, and what there is to know before they are written down. */
export type Suggested = { rules: string[]; warning: string | null };

/** Suggests rules for refused calls, each a tool's name or `Bash(the command)`. Claude asks for each command of a compound one, so each becomes a rule of
 *  its own; those that owt allows anyway are left out (2.1.329 and 2.1.197). `Bash` alone is never suggested. */
export function suggestRules(refused: readonly string[]): Suggested {
  const [rules, programs] = [new Set<string>(), new Set<string>()];
  let isUnknown = false;
  for (const each of refused) {
    const command = /^Bash\(([\s\S]+)\)$/.exec(each)?.[1];
    if (command === undefined) {
      if (each === "Bash") isUnknown = true;
      else rules.add(each);
      continue;
    }
    const parts = commandsIn(command);
    if (parts === null) programs.add(programIn(command));
    else for (const part of parts) if (!isAllowedAnyway(part)) rules.add(`Bash(${part})`);
  }
  for (const program of programs) rules.add(`Bash(${program}:*)`);
  const warnings = [
    ...(programs.size > 0 ? [`that lets it run anything with ${[...programs].join(", ")}`] : []),
    ...(isUnknown ? ['which command it was is not known, and "Bash" alone would allow every one'] : []),
  ];
  return { rules: [...rules], warning: warnings.length > 0 ? warnings.join("; ") : null };
}

/** The commands that a line of shell consists of; null where it cannot be told from its text, or not be written as a rule. */
function commandsIn(line: string): string[] | null {
  if (/[\n`*()]|\$\(|<</.test(line)) return null;
  const parts = line.match(/(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|>&|&>|[^'"\\;&|])+/g) ?? [];
  const rest = line.replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"|\\./g, "");
  if (/['"\\]/.test(rest)) return null;
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** The program that a command begins with, behind what it is given of an environment. */
function programIn(command: string): string {
  return /^(?:\w+=\S*\s+)*(\S+)/.exec(command.trim())?.[1] ?? "sh";
}

function isAllowedAnyway(command: string): boolean {
  return /^(cd(\s|$)|git (add|commit|status|diff|log|show)(\s|$))/.test(command);
}
