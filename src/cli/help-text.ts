/** Text behind the options of a command's help: prose as wide as the terminal is, examples as they stand. */
import type { AddHelpTextContext } from "commander";

/** A paragraph begins behind an empty line. One whose first line is indented, or that begins with `Examples:`, stands as it is. */
export function helpText(...paragraphs: string[]): (context: AddHelpTextContext) => string {
  return ({ command }) => {
    const width = command.configureOutput().getOutHelpWidth?.() ?? 80;
    const help = command.createHelp();
    const shown = paragraphs.map((text) => (text.startsWith("Examples:") ? text : help.boxWrap(text, width)));
    return `\n${shown.join("\n\n")}`;
  };
}
