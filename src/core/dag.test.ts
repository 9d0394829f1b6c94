import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { criticalPath, cyclesIn, downstreamOf, pathsBelow, topologicalOrder, upstreamOf, waves } from "./dag.ts";
import type { DagNode } from "./dag.ts";

const node = (id: string, ...needs: string[]): DagNode => ({ id, needs });
const one = () => 1;
const diamond = [node("a"), node("b", "a"), node("c", "a"), node("d", "b", "c")];

/** Any graph of up to 12 nodes, with or without cycles. */
const anyGraph = fc
  .array(fc.array(fc.nat(11), { maxLength: 4 }), { maxLength: 12 })
  .map((needs) => needs.map((list, at) => node(`n${at}`, ...list.map((need) => `n${need}`))));

/** Edges lead to earlier nodes only; then the nodes are shuffled, so that the input order says nothing. */
const acyclicGraph = fc
  .array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 })
  .map((needs) =>
    needs.map((list, at) => node(`n${at}`, ...list.filter((need) => need < at).map((need) => `n${need}`))),
  )
  .chain((nodes) => fc.shuffledSubarray(nodes, { minLength: nodes.length }));

describe("topologicalOrder", () => {
  test("puts each node behind what it needs, and nothing else moves", () => {
    expect(topologicalOrder([node("d", "b"), node("a"), node("b", "a"), node("c")])).toEqual(["a", "b", "d", "c"]);
    expect(topologicalOrder(diamond)).toEqual(["a", "b", "c", "d"]);
  });

  test("holds every node once and respects every edge", () => {
    fc.assert(
      fc.property(acyclicGraph, (nodes) => {
        const order = topologicalOrder(nodes);
        expect([...order].sort()).toEqual(nodes.map(({ id }) => id).sort());
        for (const { id, needs } of nodes)
          for (const need of needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(id));
        // Stable: what is in order stays as it is.
        const sorted = order.map((id) => nodes.find((candidate) => candidate.id === id)!);
        expect(topologicalOrder(sorted)).toEqual(order);
      }),
    );
  });

  test("ignores needs that name no node, and ends on a cycle", () => {
    expect(topologicalOrder([node("a", "ghost"), node("b", "c"), node("c", "b")])).toEqual(["a", "c", "b"]);
  });
});

describe("cyclesIn", () => {
  test("gives each cycle once, as a path that returns to its start", () => {
    expect(cyclesIn([node("a", "b"), node("b", "a"), node("c", "d"), node("d", "e"), node("e", "c")])).toEqual([
      ["a", "b", "a"],
      ["c", "d", "e", "c"],
    ]);
    expect(cyclesIn([node("a", "b"), node("b", "a", "c"), node("c", "b")])).toEqual([
      ["a", "b", "a"],
      ["b", "c", "b"],
    ]);
    expect(cyclesIn(diamond)).toEqual([]);
  });

  test("reports real edges, and none is left once each reported cycle lost its closing edge", () => {
    fc.assert(
      fc.property(anyGraph, (nodes) => {
        const cut = new Set<string>();
        for (const cycle of cyclesIn(nodes)) {
          for (const [at, id] of cycle.slice(0, -1).entries()) {
            expect(nodes.find((candidate) => candidate.id === id)!.needs).toContain(cycle[at + 1]);
          }
          expect(new Set(cycle).size).toBe(cycle.length - 1);
          cut.add(`${cycle.at(-2)}>${cycle.at(-1)}`);
        }
        const mended = nodes.map(({ id, needs }) => node(id, ...needs.filter((need) => !cut.has(`${id}>${need}`))));
        expect(cyclesIn(mended)).toEqual([]);
      }),
    );
  });
});

describe("reach", () => {
  test("upstream and downstream hold everything through any number of steps, without the start", () => {
    expect(upstreamOf(diamond, ["d"])).toEqual(new Set(["a", "b", "c"]));
    expect(downstreamOf(diamond, ["a"])).toEqual(new Set(["b", "c", "d"]));
    expect(downstreamOf(diamond, ["b", "c"])).toEqual(new Set(["d"]));
    expect(upstreamOf(diamond, ["nobody"])).toEqual(new Set());
  });
});

describe("lengths", () => {
  test("waves are as early as needs allow", () => {
    expect(waves(diamond)).toEqual([["a"], ["b", "c"], ["d"]]);
    expect(waves([])).toEqual([]);
  });

  test("the path below counts the task itself and the heaviest way on", () => {
    const weights: Record<string, number> = { a: 1, b: 5, c: 2, d: 10 };
    const weight = (id: string) => weights[id]!;
    expect(Object.fromEntries(pathsBelow(diamond, weight))).toEqual({ a: 16, b: 15, c: 12, d: 10 });
    expect(criticalPath(diamond, weight)).toEqual({ path: ["a", "b", "d"], length: 16 });
    expect(criticalPath([], weight)).toEqual({ path: [], length: 0 });
  });

  test("the critical path is as long as the longest path below, and as there are waves when all weigh one", () => {
    fc.assert(
      fc.property(acyclicGraph, (nodes) => {
        const { path, length } = criticalPath(nodes, one);
        expect(path.length).toBe(length);
        expect(length).toBe(waves(nodes).length);
        for (const [at, id] of path.slice(1).entries()) {
          expect(nodes.find((candidate) => candidate.id === id)!.needs).toContain(path[at]);
        }
      }),
    );
  });

  test("a cycle does not make a path endless", () => {
    fc.assert(
      fc.property(anyGraph, (nodes) => {
        expect(criticalPath(nodes, one).path.length).toBeLessThanOrEqual(nodes.length);
      }),
    );
  });
});

test("10,000 tasks in one chain or in a mesh: no call is nested so deep", () => {
  const chain = Array.from({ length: 10_000 }, (_, at) => node(`n${at}`, `n${at + 1}`));
  const mesh = chain.map(({ id }, at) => node(id, ...[1, 7, 31].map((step) => `n${at - step}`)));
  for (const nodes of [chain, mesh]) {
    expect(topologicalOrder(nodes)).toHaveLength(10_000);
    expect(cyclesIn(nodes)).toEqual([]);
    expect(waves(nodes).length).toBe(10_000);
    expect(criticalPath(nodes, one).length).toBe(10_000);
  }
});
