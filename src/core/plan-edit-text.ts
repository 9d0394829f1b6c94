/** Changes what a task asks for in the text of its markdown file. Front matter, line ends and a byte order mark stay. */

const MATTER =
  /^\uFEFF?---[ \t]*(?:ya?ml)?[ \t]*(?:\r\n|\r|\n)(?:[\s\S]*?(?:\r\n|\r|\n))??(?:---|\.\.\.)[ \t]*(?:\r\n|\r|\n|$)/i;

/** The file with another text below its front matter. A text that brings front matter of its own is the whole file. Without a heading of its own
 *  it comes below the one that is there, for that is the task's title. */
export function replaceBody(file: string, text: string): string {
  const lineEnd = /\r\n|\r|\n/.exec(file)?.[0] ?? "\n";
  const asWritten = (lines: string) => lines.split(/\r\n|\r|\n/).join(lineEnd);
  if (/^\uFEFF?---[ \t]*(?:ya?ml)?[ \t]*(\r\n|\r|\n)/i.test(text)) return asWritten(text);
  const matter = MATTER.exec(file)?.[0] ?? (file.startsWith("\uFEFF") ? "\uFEFF" : "");
  const body = file.slice(matter.length);
  const heading = /^\s*(#[ \t]+[^\r\n]+)/.exec(body)?.[1];
  const own = /^\s*#[ \t]/.test(text) || heading === undefined ? "" : `${heading}\n\n`;
  // Between front matter and text stands what stood there.
  const between = /^\s*/.exec(body)![0];
  return matter + between + asWritten(`${own}${text.trim()}\n`);
}
