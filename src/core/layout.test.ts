import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  BUILT_IN_LAYOUTS,
  chooseLayout,
  type ConfiguredLayout,
  layoutProblems,
  type LayoutWish,
  planCuts,
  wishedLayout,
} from "./layout.ts";

const SCREEN = { columns: 200, rows: 50 };
const choose = (name: string, panes: number | null, layouts: Record<string, ConfiguredLayout> = {}) =>
  chooseLayout(name, layouts, { panes, usually: 2 });

describe("built-in layouts", () => {
  test("main-vertical: 60 % on the left, the others evenly on the right", () => {
    expect(planCuts(choose("main-vertical", 3), SCREEN)).toEqual({
      cuts: [
        { direction: "right", cells: 79, offset: 0 },
        { direction: "below", cells: 24, offset: 0 },
      ],
      home: -2,
      order: [0, 1, 2],
    });
  });

  test("the usual number of panes is for layouts without their own", () => {
    expect(choose("main-vertical", null).splits).toHaveLength(1);
    expect(choose("quad", null).splits).toHaveLength(3);
    expect(choose("three-pane", 3).splits).toHaveLength(2);
    expect(() => choose("quad", 3)).toThrow("the layout quad has 4 panes, not 3");
    const mine = { mine: { layout: "even-vertical", panes: [{}] } } as const;
    expect(() => choose("mine", 3, mine as never)).toThrow("the layout mine has one pane, not 3");
  });

  test("one pane is one pane", () => {
    for (const name of ["main-vertical", "even-horizontal", "even-vertical"])
      expect(choose(name, 1)).toMatchObject({ splits: [], commands: [null] });
  });

  test("a quad's panes are addressed where they stand", () => {
    const { cuts, home, order } = planCuts(choose("quad", null), SCREEN);
    expect(cuts.map(({ direction, offset }) => [direction, offset])).toEqual([
      ["right", 0],
      ["below", -1],
      ["below", 1],
    ]);
    expect([home, order]).toEqual([-3, [0, 2, 1, 3]]);
  });

  test("what does not fit is refused", () => {
    expect(() => planCuts(choose("even-horizontal", 9), { columns: 80, rows: 24 })).toThrow("does not fit on 80×24");
    expect(() => choose("even-horizontal", 17)).toThrow("more than a screen shows");
  });

  test("an unknown one gets the nearest", () => {
    expect(() => choose("main-verticle", null)).toThrow("there is no layout main-verticle");
    try {
      choose("main-verticle", null);
    } catch (error) {
      expect((error as { hint: string }).hint).toContain("did you mean main-vertical?");
    }
  });

  test("whatever the layout and the screen: nothing overlaps, nothing is lost, even is even", () => {
    const wish = fc.record({
      name: fc.constantFrom(...BUILT_IN_LAYOUTS),
      count: fc.integer({ min: 1, max: 6 }),
      columns: fc.integer({ min: 120, max: 400 }),
      rows: fc.integer({ min: 40, max: 120 }),
    });
    fc.assert(
      fc.property(wish, ({ name, count, columns, rows }) => {
        const layout = choose(name, name === "quad" || name === "three-pane" ? null : count);
        const { cuts, order } = planCuts(layout, { columns, rows });
        expect(order.toSorted((a, b) => a - b)).toEqual(layout.commands.map((_, at) => at));
        const sizes = [{ columns, rows }];
        layout.splits.forEach(({ of, direction }, at) => {
          const side = direction === "right" ? "columns" : "rows";
          const whole = sizes[of]!;
          sizes.push({ ...whole, [side]: cuts[at]!.cells });
          sizes[of] = { ...whole, [side]: whole[side] - 1 - cuts[at]!.cells };
        });
        if (name.startsWith("even")) {
          const lengths = sizes.map((size) => (name === "even-vertical" ? size.rows : size.columns));
          expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(2);
        }
        for (const size of sizes) expect(Math.min(size.columns, size.rows)).toBeGreaterThan(1);
      }),
    );
  });
});

describe("layouts of the configuration", () => {
  const review: ConfiguredLayout = {
    panes: [{}, { split: "right", size: "35%", command: ["npm", "run", "dev"] }, { split: "below", of: 1 }],
  };

  test("each pane is cut from an earlier one", () => {
    expect(choose("review", null, { review })).toEqual({
      name: "review",
      splits: [
        { of: 0, direction: "right", share: 0.35 },
        { of: 0, direction: "below", share: 0.5 },
      ],
      commands: [null, ["npm", "run", "dev"], null],
    });
  });

  test("or placed by a built-in layout", () => {
    const wide: ConfiguredLayout = { layout: "even-horizontal", panes: [{}, { command: ["lazygit"] }] };
    expect(choose("wide", null, { wide })).toMatchObject({
      splits: [{ of: 0, direction: "right", share: 0.5 }],
      commands: [null, ["lazygit"]],
    });
  });

  test("everything that is wrong is told, with its key", () => {
    expect(layoutProblems({ review })).toEqual([]);
    const problems = layoutProblems({
      quad: { panes: [{}] },
      a: { layout: "quad", panes: [{}, { split: "right" }] },
      b: { panes: [{ size: "10%" }, {}, { split: "below", of: 3 }] },
    });
    expect(problems.map(({ key, message }) => `${key}: ${message}`)).toEqual([
      "tmux.layouts.quad: quad is a layout of owt's own",
      "tmux.layouts.a.panes: quad has 4 panes, not 2",
      "tmux.layouts.a.panes.1.split: quad places the panes",
      "tmux.layouts.b.panes.0.size: the first pane is cut from none",
      "tmux.layouts.b.panes.1: does not say where it stands",
      "tmux.layouts.b.panes.2.of: there is no pane 3 before it",
    ]);
  });
});

describe("what was wished before", () => {
  const wish = (layout: string | null, panes: number | null): LayoutWish => ({ layout, panes });
  const none = wish(null, null);
  const wished = (now: LayoutWish, before: LayoutWish, usual = "main-vertical") =>
    wishedLayout(now, before, { usual, layouts: { web: { panes: [{}, { split: "right" }] } } });

  test("holds where nothing is wished now", () => {
    expect(wished(none, none)).toEqual(none);
    expect(wished(none, wish("quad", null))).toEqual(wish("quad", null));
    expect(wished(none, wish("even-vertical", 3))).toEqual(wish("even-vertical", 3));
    expect(wished(none, wish(null, 3))).toEqual(wish(null, 3));
    expect(wished(none, wish("web", null))).toEqual(wish("web", null));
  });

  test("gives way to what is wished now", () => {
    expect(wished(wish("quad", null), wish("even-vertical", 3))).toEqual(wish("quad", null));
    expect(wished(wish(null, 2), wish("even-vertical", 3))).toEqual(wish("even-vertical", 2));
    expect(wished(wish(null, 3), wish("quad", null))).toEqual(wish(null, 3));
  });

  test("is let go of where the configuration has moved on", () => {
    expect(wished(none, wish("gone", 3))).toEqual(none);
    expect(wished(none, wish(null, 3), "quad")).toEqual(none);
  });
});
