/** Finds programs the way a shell would, without a shell. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, isAbsolute, resolve } from "node:path";

/** The full path of a program, or null. A name with a slash is taken as a path. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | null {
  if (isAbsolute(name) || name.includes("/")) return isExecutable(resolve(name)) ? resolve(name) : null;
  for (const folder of (env["PATH"] ?? "").split(delimiter)) {
    // Not joined by node:path: a path has many folders, and owt looks for several programs at each start.
    const path = `${folder}/${name}`;
    if (folder && isExecutable(path)) return resolve(path);
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    // Most folders of the path do not have it: an answer costs less than an error.
    if (!existsSync(path)) return false;
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
