/** The user's own editor. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { start } from "./exec.ts";

/** Has a text edited in $VISUAL, else $EDITOR, else vi, on the terminal that we have, and returns it with the place where it is kept until
 *  `discard`. The variable is a program and its arguments, parted by blanks (`code --wait`). Throws `environment` when it cannot be started,
 *  `interrupted` when it says that it failed. */
export async function editText(
  env: NodeJS.ProcessEnv,
  text: string,
  fileName: string,
): Promise<{ text: string; path: string; discard(): void }> {
  const variable = env["VISUAL"]?.trim() ? "VISUAL" : "EDITOR";
  const words = (env[variable]?.trim() || "vi").split(/\s+/);
  const folder = mkdtempSync(join(tmpdir(), "owt-edit-"));
  const path = join(folder, fileName);
  const discard = () => rmSync(folder, { recursive: true, force: true });
  writeFileSync(path, text, { mode: 0o600 });
  try {
    const code = await runOnTerminal(words, path, env);
    if (code !== 0)
      throw new OwtError("interrupted", `${words[0]} ended with ${code}: nothing was changed`, {
        hint: "leave it with a good end to have the text taken",
      });
    return { text: readFileSync(path, "utf8"), path, discard };
  } catch (error) {
    discard();
    throw error;
  }
}

function runOnTerminal([file, ...args]: string[], path: string, env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    // In our own group: the terminal belongs to it.
    const child = start(file!, [...args, path], { stdio: "inherit", env, detached: false });
    child.once("error", (cause) =>
      reject(
        new OwtError("environment", `the editor ${file} could not be started: ${cause.message}`, {
          hint: "name another in EDITOR, or bring the text along: owt task edit T --file FILE",
          cause,
        }),
      ),
    );
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
