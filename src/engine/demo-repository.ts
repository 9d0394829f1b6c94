/** The repository of `owt demo`: five dependent tasks, of which one fails its check, two collide, and one asks a question. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { exec } from "../system/exec.ts";

const CHECK = `# The check of this little project: the list is sorted, and nothing is left to do.
set -e
sort -c words.txt
if grep -n TODO words.txt; then echo "something is left to do"; exit 1; fi
`;

const CONFIG = `[run]
verify = "sh check.sh"

[agent]
default = "demo"
`;

const fence = "```";

const FILES: Record<string, string> = {
  "README.md": "# A word list\n\nMade by `owt demo`. The plan lies in docs/plans.\n",
  "check.sh": CHECK,
  ".worktreerc": CONFIG,
  "docs/plans/words/README.md": "# Words\n\nOne word a line, sorted.\n",
  "docs/plans/words/epic-01-start.md": `# Start the list

${fence}demo
write words.txt "cherry\\nplum\\n"
commit "Start the list"
${fence}
`,
  "docs/plans/words/epic-02-more.md": `# Add the first words

Leaves something to do behind, which the check finds. The output goes back to the same conversation, and the work is mended.

${fence}demo
write words.txt "apple TODO\\ncherry\\nplum\\n"
commit "Add apple"
on repair:
write words.txt "apple\\ncherry\\nplum\\n"
commit "Nothing left to do"
on conflict:
write words.txt "apple\\navocado\\ncherry\\nplum\\n"
commit "Keep both words"
${fence}
`,
  "docs/plans/fruit/epic-01-avocado.md": `---
depends_on: [words/E01]
---
# Add the avocado

Changes the same line as words/E02 at the same time: whichever comes second gets the conflict to resolve.

${fence}demo
work 400ms
write words.txt "avocado\\ncherry\\nplum\\n"
commit "Add avocado"
on conflict:
write words.txt "apple\\navocado\\ncherry\\nplum\\n"
commit "Keep both words"
${fence}
`,
  "docs/plans/signs/epic-01-colour.md": `---
depends_on: [words/E01]
---
# Paint the sign

${fence}demo
ask "Which colour shall the sign have?"
on answer:
write signs/door.txt "The sign is {answer}.\\n"
commit "Paint the sign"
${fence}
`,
  "docs/plans/release/epic-01-notes.md": `---
depends_on: [words/E02, fruit/E01, signs/E01]
---
# Write the release notes

${fence}demo
write NOTES.md "Words: apple, avocado, cherry, plum. The sign is painted.\\n"
commit "Write the release notes"
${fence}
`,
};

/** The task that asks, and the answer that a script gives it. */
export const DEMO_QUESTION = { task: "signs/E01", answer: "blue" };

/** Makes the repository in an empty folder, on branch main, with one commit. */
export async function makeDemoRepository(root: string): Promise<void> {
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  const git = (...args: string[]) =>
    exec("git", ["-c", "user.name=Demo", "-c", "user.email=demo@localhost", ...args], { cwd: root });
  await git("init", "-q", "-b", "main");
  await git("add", "--all", "--", ".");
  await git("commit", "-q", "-m", "A plan to be carried out");
}
