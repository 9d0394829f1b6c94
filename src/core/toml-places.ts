/** Where each key of a TOML text stands. The parser in use tells values only, and a message without a place makes people search.
 *  The text is one that has been parsed: what follows trusts its syntax and only finds its way through it. */

/** Both count from 1. */
export type Place = { line: number; column: number };

/** The place of each key and list item by its dotted path (`agent.mine.command.0`), the first time it is named. */
export function placesOf(text: string): Map<string, Place> {
  return new Scan(text).document();
}

/** The place of a key, or of the nearest table around it; the file's first line where nothing of it is named. */
export function placeOf(places: ReadonlyMap<string, Place>, key: string): Place {
  for (let path = key; path !== ""; path = path.slice(0, Math.max(0, path.lastIndexOf(".")))) {
    const place = places.get(path);
    if (place) return place;
  }
  return { line: 1, column: 1 };
}

class Scan {
  readonly #text: string;
  readonly #places = new Map<string, Place>();
  readonly #lineStarts: number[];
  /** How many items each list of tables has so far. */
  readonly #items = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  }

  document(): Map<string, Place> {
    let table: string[] = [];
    for (this.#blanks(); this.#at < this.#text.length; this.#blanks()) {
      if (this.#next("[")) table = this.#header();
      else this.#pair(table);
    }
    return this.#places;
  }

  /** `[table]` or `[[list of tables]]`: the path of what follows. */
  #header(): string[] {
    const isList = this.#text.startsWith("[[", this.#at);
    this.#at += isList ? 2 : 1;
    const start = this.#at;
    const path = this.#key([]);
    this.#at += isList ? 2 : 1;
    if (!isList) return path;
    const name = path.join(".");
    const item = this.#items.get(name) ?? 0;
    this.#items.set(name, item + 1);
    this.#note([...path, String(item)], start);
    return [...path, String(item)];
  }

  #pair(table: string[]): void {
    const path = this.#key(table);
    this.#at += 1; // the =
    this.#value(path);
  }

  /** Reads a dotted key up to what ends it, and notes where each part of it stands. */
  #key(table: string[]): string[] {
    const path = [...table];
    for (;;) {
      this.#blanks();
      const start = this.#at;
      path.push(this.#part());
      this.#note(path, start);
      this.#blanks();
      if (!this.#next(".")) return path;
      this.#at += 1;
      // Behind the name of a list of tables, its newest item is meant.
      const items = this.#items.get(path.join("."));
      if (items !== undefined) path.push(String(items - 1));
    }
  }

  #part(): string {
    const quote = this.#text[this.#at];
    if (quote === '"' || quote === "'") {
      const start = this.#at;
      this.#string();
      return this.#text.slice(start + 1, this.#at - 1);
    }
    const bare = /[^\s.=\]"'#]*/y;
    return this.#take(bare);
  }

  #value(path: string[]): void {
    this.#blanks();
    const first = this.#text[this.#at];
    if (first === '"' || first === "'") this.#string();
    else if (first === "[") this.#list(path);
    else if (first === "{") this.#table(path);
    else this.#take(/[^,\]}#\n]*/y);
  }

  #list(path: string[]): void {
    this.#at += 1;
    for (let item = 0; ; item++) {
      this.#blanks();
      if (this.#ends("]")) return;
      const here = [...path, String(item)];
      this.#note(here, this.#at);
      this.#value(here);
      this.#blanks();
      if (this.#next(",")) this.#at += 1;
    }
  }

  #table(path: string[]): void {
    this.#at += 1;
    for (;;) {
      this.#blanks();
      if (this.#ends("}")) return;
      this.#pair(path);
      this.#blanks();
      if (this.#next(",")) this.#at += 1;
    }
  }

  /** Passes a text in any of TOML's four kinds of quotes. */
  #string(): void {
    const quote = this.#text[this.#at]!;
    const isLong = this.#text.startsWith(quote.repeat(3), this.#at);
    const end = isLong ? quote.repeat(3) : quote;
    this.#at += end.length;
    while (this.#at < this.#text.length && !this.#text.startsWith(end, this.#at))
      this.#at += quote === '"' && this.#next("\\") ? 2 : 1;
    this.#at += end.length;
    // A long text may end in up to two quotes of its own.
    while (isLong && this.#next(quote)) this.#at += 1;
  }

  /** Passes white space, line ends and remarks. */
  #blanks(): void {
    this.#take(/(?:\s|#[^\n]*)*/y);
  }

  #ends(mark: string): boolean {
    if (this.#at < this.#text.length && !this.#next(mark)) return false;
    this.#at += 1;
    return true;
  }

  #next(mark: string): boolean {
    return this.#text[this.#at] === mark;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += taken.length;
    return taken;
  }

  #note(path: readonly string[], at: number): void {
    const name = path.join(".");
    if (this.#places.has(name)) return;
    const line = this.#lineStarts.findLastIndex((start) => start <= at);
    this.#places.set(name, { line: line + 1, column: at - this.#lineStarts[line]! + 1 });
  }
}
