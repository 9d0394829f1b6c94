/** The morning: whether owt takes each command that its inbox names. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { owt } from "./night.ts";
import type { Scene } from "./scene.ts";

type Named = { task: string; why: string; command: string };

/** Gives each command of the inbox as it stands there, with words where it asks for words, and once a conflict is resolved. What carries the run on is not
 *  given but held against its own help. Says which were refused. */
export function tryCommands(scene: Scene): string[] {
  const inbox = JSON.parse(readFileSync(join(scene.notes, "inbox.json"), "utf8")) as { data: { waiting: Named[] } };
  return inbox.data.waiting.flatMap((named) => {
    const words = named.command.replace('"…"', "green").split(" ");
    const at = words.indexOf("owt");
    const [settings, args] = [words.slice(0, at), words.slice(at + 1)];
    if (at < 0 || settings.some((each) => !/^OWT_[A-Z_]+=/.test(each)))
      return [`${named.task}: what is ${named.command}?`];
    if (args[0] === "resume") return unknownParts(scene, named, settings, args);
    const conflict = /^conflict in (\S+); to be resolved in (\S+)$/.exec(named.why);
    if (conflict) resolve(scene, conflict[1]!, conflict[2]!);
    const { status, said } = owt(scene, args);
    return status === 0 ? [] : [`${named.task}: owt ${args.join(" ")} ended with ${status}: ${said.trim()}`];
  });
}

/** As a person would, in the worktree that is prepared for that. */
function resolve({ env }: Scene, file: string, worktree: string): void {
  writeFileSync(join(worktree, file), "by both\n");
  execFileSync("git", ["add", "--", file], { cwd: worktree, env, stdio: "pipe" });
}

/** Options that its help does not know, and variables that the configuration does not. */
function unknownParts(scene: Scene, { task }: Named, settings: string[], [name = "", ...args]: string[]): string[] {
  const help = owt(scene, [name, "--help"]).stdout;
  const options = args.filter((arg) => arg.startsWith("--") && !help.includes(arg.split("=", 1)[0]!));
  const env = { ...scene.env, ...Object.fromEntries(settings.map((each) => each.split("=", 2))) };
  const shown = owt({ ...scene, env }, ["config", "show"]).stdout;
  const variables = settings.map((each) => each.split("=", 1)[0]!).filter((each) => !shown.includes(each));
  return [...options, ...variables].map((each) => `${task}: owt ${name} knows no ${each}`);
}
