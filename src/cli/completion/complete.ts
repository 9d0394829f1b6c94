/** `owt __complete WORD…`: what the last of these words may become, one offer a line with what it means behind a tab, for the scripts
 *  of the shells. It asks nothing, changes nothing, says nothing wrong and never fails: no answer is an answer. */
import type { Command, Option } from "commander";
import { type Io, withEngine } from "../io.ts";
import { printable } from "../text.ts";
import { calledCommand, fullName, visibleCommands } from "../usage.ts";
import { type Offer, valuesOf } from "./values.ts";

/** The line that tells the script to offer files, too. */
const FILES = ":files";

/** Places in which a path may stand. */
const PATHS = new Set(["--config", "--path", "file", "plan-or-task", "plan-or-task-or-text"]);

/** Options whose value is several, separated by commas. */
const LISTS = new Set(["--agents"]);

/** Prints the offers for the last word. */
export async function complete(io: Io, program: Command, words: readonly string[]): Promise<void> {
  try {
    const lines = await offerLines(io, program, words);
    io.stdout.write(lines.map((line) => `${line}\n`).join(""));
  } catch {
    // Whatever is wrong here is told by the command itself.
  }
}

async function offerLines(io: Io, program: Command, words: readonly string[]): Promise<string[]> {
  const { before, current, prefix } = split(words);
  if (before.includes("--")) return [];
  const called = calledCommand(program, before);
  if (before[0] === "help") return show(commands(calledCommand(program, before.slice(1))), current, prefix);
  const option = optionBefore(called, before);
  if (option) {
    const list = LISTS.has(`${option.long}`) ? current.slice(0, current.lastIndexOf(",") + 1) : "";
    const offers = await valuesAt(io, called, { place: `${option.long}`, before }, option);
    const left = offers.filter(({ word }) => !list.split(",").includes(word));
    return show(left, current.slice(list.length), prefix + list, `${option.long}`);
  }
  if (current.startsWith("-")) return show(options(called), current, prefix);
  const place = argumentAt(called, before);
  const names = positionals(called, before).length === 0 ? commands(called) : [];
  return show([...names, ...(place ? await valuesAt(io, called, { place, before }) : [])], current, prefix, place);
}

/** The word that is typed, those before it, and what stands before the word in its own one: `--agent=` of `--agent=cl`. bash cuts such a
 *  word in three. */
function split(words: readonly string[]): { before: string[]; current: string; prefix: string } {
  const isCut = (word: string, at: number) => word === "=" && words[at - 1]!.startsWith("--");
  const before = words.slice(0, -1).filter((word, at) => at === 0 || !isCut(word, at));
  const current = words.at(-1) ?? "";
  const glued = /^(--[\w-]+)=(.*)$/s.exec(current);
  if (glued) return { before: [...before, glued[1]!], current: glued[2]!, prefix: `${glued[1]}=` };
  if (current === "=") return { before, current: "", prefix: "" };
  return { before, current, prefix: "" };
}

function allOptions(command: Command): Option[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
}

/** The option whose value is to come. */
function optionBefore(command: Command, before: readonly string[]): Option | undefined {
  const last = before.at(-1) ?? "";
  return allOptions(command).find((each) => (each.required || each.optional) && [each.long, each.short].includes(last));
}

function options(command: Command): Offer[] {
  return allOptions(command).flatMap(({ long, description }) => (long ? [{ word: long, about: description }] : []));
}

function commands(command: Command): Offer[] {
  const names = new Set(visibleCommands(command));
  return command.commands
    .filter((each) => names.has(each.name()))
    .map((each) => ({ word: each.name(), about: each.description() }));
}

/** Words behind the command that are neither options nor their values. */
function positionals(command: Command, before: readonly string[]): string[] {
  const depth = fullName(command).split(" ").length - 1;
  const known = allOptions(command);
  const found: string[] = [];
  for (let at = 0; at < before.length; at++) {
    const word = before[at]!;
    const option = known.find(({ long, short }) => word === long || word === short);
    if (option?.required) at++;
    else if (!word.startsWith("-")) found.push(word);
  }
  return found.slice(depth);
}

function argumentAt(command: Command, before: readonly string[]): string | undefined {
  const at = positionals(command, before).length;
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[at] ?? (last?.variadic ? last : undefined);
  return argument?.name();
}

async function valuesAt(
  io: Io,
  command: Command,
  { place, before }: { place: string; before: readonly string[] },
  option?: Option,
): Promise<Offer[]> {
  if (option?.argChoices) return option.argChoices.map((word) => ({ word, about: "" }));
  const values = valuesOf(place, { command: fullName(command), run: valueOf("--run", before) });
  return values === null ? [] : withEngine({ ...io, looks: true }, values).catch(() => []);
}

/** What an option of the command was given. */
function valueOf(option: string, before: readonly string[]): string | null {
  const at = before.indexOf(option);
  const glued = before.find((word) => word.startsWith(`${option}=`));
  return (at === -1 ? glued?.slice(option.length + 1) : before[at + 1]) ?? null;
}

/** Words of plain letters alone: a shell must not read anything else into what a repository brings. */
function show(offers: readonly Offer[], current: string, prefix: string, place?: string): string[] {
  const seen = new Set<string>();
  const lines = offers.flatMap(({ word, about }) => {
    if (!word.startsWith(current) || seen.has(word) || !/^[\w./:@+-]+$/.test(word)) return [];
    seen.add(word);
    return [`${prefix}${word}\t${printable(about).replaceAll(/\s+/g, " ").slice(0, 80)}`];
  });
  return place !== undefined && PATHS.has(place) ? [...lines, FILES] : lines;
}
