/** The line that installs a program on this system, by the package manager that is there. */
import { findProgram } from "./programs.ts";

type PackageManager = { program: string; install: string; needsRoot: boolean };

const MANAGERS: readonly PackageManager[] = [
  { program: "apt-get", install: "apt-get install", needsRoot: true },
  { program: "dnf", install: "dnf install", needsRoot: true },
  { program: "pacman", install: "pacman -S", needsRoot: true },
  { program: "zypper", install: "zypper install", needsRoot: true },
  { program: "apk", install: "apk add", needsRoot: true },
  { program: "brew", install: "brew install", needsRoot: false },
];

/** Packages that are not called as their program is. */
const PACKAGES: Record<string, string> = { unshare: "util-linux" };

/** The line for a program; words where no package manager is known here. */
export function installLine(program: string, env: NodeJS.ProcessEnv): string {
  const name = PACKAGES[program] ?? program;
  const manager = MANAGERS.find((each) => findProgram(each.program, env) !== null);
  if (manager === undefined) return `install ${name} with this system's package manager`;
  return `${manager.needsRoot ? asRoot(env) : ""}${manager.install} ${name}`;
}

/** What stands before a line that only root may run. */
export function asRoot(env: NodeJS.ProcessEnv): string {
  return process.geteuid?.() === 0 || findProgram("sudo", env) === null ? "" : "sudo ";
}
