/** How the panes of a session are laid out: built-in layouts, those of the configuration, and the splits that make each of them. */
import { OwtError } from "./errors.ts";
import { nearestHint } from "./names.ts";

/** Layouts that are there without any configuration. */
export const BUILT_IN_LAYOUTS = ["main-vertical", "three-pane", "quad", "even-horizontal", "even-vertical"] as const;

type BuiltIn = (typeof BUILT_IN_LAYOUTS)[number];

/** Makes one more pane: of the pane with that number (the first is 0) the part `share`, 0 to 1, on that side. */
export type Split = { of: number; direction: "right" | "below"; share: number };

/** Pane by pane: where it comes from, the first one aside, and what runs in it. */
export type Layout = {
  name: string;
  /** One less than there are panes: split N makes pane N + 1. */
  splits: readonly Split[];
  /** What each pane runs, as an argument array; null is the user's shell, or the agent in the first one. */
  commands: readonly (readonly string[] | null)[];
};

/** A pane of `[tmux.layouts.NAME]`. */
type ConfiguredPane = {
  split?: "right" | "below" | undefined;
  of?: number | undefined;
  size?: string | undefined;
  command?: readonly string[] | undefined;
};

/** `[tmux.layouts.NAME]`: the panes, placed by a built-in layout or each by a split of an earlier one. */
export type ConfiguredLayout = { layout?: BuiltIn | undefined; panes: readonly ConfiguredPane[] };

type ConfiguredLayouts = Readonly<Record<string, ConfiguredLayout>>;

const MOST_PANES = 16;
/** Panes of the layouts that have a number of their own. */
const FIXED: Partial<Record<BuiltIn, number>> = { "three-pane": 3, quad: 4 };
/** Smaller ones show nothing. */
const LEAST = { columns: 10, rows: 2 };

/** The layout of that name. `panes` are those that were asked for; layouts that have their own number refuse another one, `usually` is for
 *  those that have none. Throws `unknown-name` and `usage`. */
export function chooseLayout(
  name: string,
  layouts: ConfiguredLayouts,
  { panes, usually }: { panes: number | null; usually: number },
): Layout {
  const configured = Object.hasOwn(layouts, name) ? layouts[name] : undefined;
  const builtIn = BUILT_IN_LAYOUTS.find((each) => each === name);
  if (configured === undefined && builtIn === undefined) {
    const known = [...BUILT_IN_LAYOUTS, ...Object.keys(layouts)];
    throw new OwtError("unknown-name", `there is no layout ${name}`, {
      hint: nearestHint(name, known, `there are ${known.join(", ")}; see: owt config show tmux`),
    });
  }
  const own = ownPanes(name, layouts);
  if (own !== null && panes !== null && panes !== own)
    throw new OwtError("usage", `the layout ${name} has ${own === 1 ? "one pane" : `${own} panes`}, not ${panes}`, {
      hint: `leave --panes out, or name another layout with it (--layout main-vertical); see: owt tmux create --help`,
    });
  const count = own ?? panes ?? usually;
  if (count > MOST_PANES)
    throw new OwtError("usage", `${count} panes are more than a screen shows`, {
      hint: `at most --panes ${MOST_PANES}; see: owt tmux create --help`,
    });
  return {
    name,
    splits: configured ? configuredSplits(configured) : builtInSplits(builtIn!, count),
    commands: Array.from({ length: count }, (_, at) => configured?.panes[at]?.command ?? null),
  };
}

/** What is wished of a layout; null leaves it to the configuration. */
export type LayoutWish = { layout: string | null; panes: number | null };

/** What is wished now, and where nothing is, what was wished `before`, as far as it is still there and goes together; `usual` is the layout of the
 *  configuration. */
export function wishedLayout(
  now: LayoutWish,
  before: LayoutWish,
  { usual, layouts }: { usual: string; layouts: ConfiguredLayouts },
): LayoutWish {
  if (now.layout !== null) return now;
  const isKnown = before.layout !== null && (isBuiltIn(before.layout) || Object.hasOwn(layouts, before.layout));
  const layout = isKnown ? before.layout : null;
  const own = ownPanes(layout ?? usual, layouts);
  if (now.panes !== null) return { layout: own === null || own === now.panes ? layout : null, panes: now.panes };
  return { layout, panes: own === null && before.layout === layout ? before.panes : null };
}

function isBuiltIn(name: string): name is BuiltIn {
  return BUILT_IN_LAYOUTS.some((each) => each === name);
}

/** How many panes a layout always has; null where that is for whoever makes it to say. */
function ownPanes(name: string, layouts: ConfiguredLayouts): number | null {
  if (Object.hasOwn(layouts, name)) return layouts[name]!.panes.length;
  return isBuiltIn(name) ? (FIXED[name] ?? null) : null;
}

function configuredSplits({ layout, panes }: ConfiguredLayout): Split[] {
  if (layout !== undefined) return builtInSplits(layout, panes.length);
  return panes.slice(1).map(({ split, of, size }, at) => ({
    of: of === undefined ? at : of - 1,
    direction: split ?? "right",
    share: size === undefined ? 0.5 : Number.parseInt(size, 10) / 100,
  }));
}

function builtInSplits(name: BuiltIn, count: number): Split[] {
  switch (name) {
    case "main-vertical":
      return count === 1 ? [] : [{ of: 0, direction: "right", share: 0.4 }, ...evenly("below", 1, count)];
    case "even-horizontal":
      return evenly("right", 0, count);
    case "even-vertical":
      return evenly("below", 0, count);
    case "three-pane":
      return [
        { of: 0, direction: "below", share: 0.5 },
        { of: 1, direction: "right", share: 0.5 },
      ];
    case "quad":
      return [
        { of: 0, direction: "right", share: 0.5 },
        { of: 0, direction: "below", share: 0.5 },
        { of: 1, direction: "below", share: 0.5 },
      ];
    default: {
      const never: never = name;
      return never;
    }
  }
}

/** Cuts the pane `first` so that it and those up to `count` are of one size: each cut leaves one part to the pane that is cut. */
function evenly(direction: Split["direction"], first: number, count: number): Split[] {
  return Array.from({ length: count - 1 - first }, (_, at) => {
    const parts = count - first - at;
    return { of: first + at, direction, share: (parts - 1) / parts };
  });
}

/** A split as tmux is told it: how many cells the new pane gets, and how far the pane that is cut stands, in the window's own order of panes,
 *  from the one that was made last. tmux puts each new pane right behind the one that it was cut from. */
export type Cut = { direction: Split["direction"]; cells: number; offset: number };

/** The splits of a layout on a screen of that size; `home` is how far the first pane stands from the last one, `order` the numbers of the panes in
 *  the window's order. Throws `usage` where a pane would show nothing. */
export function planCuts(
  { name, splits }: Layout,
  size: { columns: number; rows: number },
): { cuts: Cut[]; home: number; order: number[] } {
  const sizes = [size];
  const order = [0];
  let active = 0;
  const cuts = splits.map(({ of, direction, share }, at): Cut => {
    const [kept, made, cells] = divide(sizes[of]!, direction, share);
    for (const part of [kept, made]) {
      if (part.columns < LEAST.columns || part.rows < LEAST.rows)
        throw new OwtError("usage", `the layout ${name} does not fit on ${size.columns}×${size.rows}`, {
          hint: "fewer panes do: owt tmux create --panes 1",
        });
    }
    sizes[of] = kept;
    sizes.push(made);
    const offset = order.indexOf(of) - order.indexOf(active);
    active = at + 1;
    order.splice(order.indexOf(of) + 1, 0, active);
    return { direction, cells, offset };
  });
  return { cuts, home: order.indexOf(0) - order.indexOf(active), order };
}

type Size = { columns: number; rows: number };

/** Each pane counts with the line beside it, so that even parts come out even; what is left over goes to the older one. */
function divide(whole: Size, direction: Split["direction"], share: number): [kept: Size, made: Size, cells: number] {
  const side = direction === "right" ? "columns" : "rows";
  const cells = Math.floor(share * (whole[side] + 1) + 1e-6) - 1;
  return [{ ...whole, [side]: whole[side] - 1 - cells }, { ...whole, [side]: cells }, cells];
}

/** What is wrong with the layouts of a file beyond the form of each key: its place, and the words. */
export function layoutProblems(layouts: ConfiguredLayouts): { key: string; message: string; hint: string }[] {
  return Object.entries(layouts).flatMap(([name, layout]) => {
    const key = `tmux.layouts.${name}`;
    const builtIn = isBuiltIn(name)
      ? [{ key, message: `${name} is a layout of owt's own`, hint: "choose another name" }]
      : [];
    return [...builtIn, ...problemsOf(key, layout)];
  });
}

function problemsOf(
  key: string,
  { layout, panes }: ConfiguredLayout,
): { key: string; message: string; hint: string }[] {
  const count = layout === undefined ? undefined : FIXED[layout];
  const wrongCount =
    count !== undefined && panes.length !== count
      ? [{ key: `${key}.panes`, message: `${layout} has ${count} panes, not ${panes.length}`, hint: "{} is a shell" }]
      : panes.length > MOST_PANES
        ? [{ key: `${key}.panes`, message: `more than ${MOST_PANES} panes`, hint: "no screen shows so many" }]
        : [];
  const inPanes = panes.flatMap((pane, at) => {
    const where = `${key}.panes.${at}`;
    const placed = (["split", "of", "size"] as const).filter((word) => pane[word] !== undefined);
    if (layout !== undefined || at === 0) {
      const why = layout === undefined ? "the first pane is cut from none" : `${layout} places the panes`;
      return placed.map((word) => ({ key: `${where}.${word}`, message: why, hint: `leave ${word} out` }));
    }
    if (pane.split === undefined)
      return [{ key: where, message: "does not say where it stands", hint: 'split = "right" or "below"' }];
    if (pane.of !== undefined && pane.of > at)
      return [{ key: `${where}.of`, message: `there is no pane ${pane.of} before it`, hint: `1 to ${at}` }];
    return [];
  });
  return [...wrongCount, ...inPanes];
}
