/** Directed graphs of "needs": order, cycles, reach, waves and longest paths. Everything is iterative and linear in nodes plus
 *  edges, so that a plan of 10,000 tasks costs milliseconds and a deep chain cannot overflow the stack.
 *
 *  In every function a need that names no node is ignored, and the first of two nodes with one id counts. */

/** A node, and the ids that must come before it. */
export type DagNode = { id: string; needs: readonly string[] };

/** All ids, each after everything it needs. Stable: input that is already in order comes back unchanged, and otherwise a node moves
 *  only behind what it needs. A cycle does not stop it: the edge that closes the cycle is ignored (see {@link cyclesIn}). */
export function topologicalOrder(nodes: readonly DagNode[]): string[] {
  const graph = graphOf(nodes);
  return depthFirst(graph).map((at) => graph.ids[at]!);
}

/** Cycles as paths `[a, b, a]`, in which each id needs the next. Every edge that closes a cycle is reported once, so that mending all
 *  reported cycles leaves none; at most `limit` of them, because a tangle of n nodes can close n² times. */
export function cyclesIn(nodes: readonly DagNode[], limit = 100): string[][] {
  const graph = graphOf(nodes);
  const cycles: string[][] = [];
  depthFirst(graph, (path) => {
    if (cycles.length < limit) cycles.push([...path, path[0]!].map((at) => graph.ids[at]!));
  });
  return cycles;
}

/** Everything that must come before any of `starts`, through any number of steps; `starts` themselves are not in it. */
export function upstreamOf(nodes: readonly DagNode[], starts: Iterable<string>): Set<string> {
  const graph = graphOf(nodes);
  return reach(graph, graph.needs, starts);
}

/** Everything that waits for any of `starts`, through any number of steps; `starts` themselves are not in it. */
export function downstreamOf(nodes: readonly DagNode[], starts: Iterable<string>): Set<string> {
  const graph = graphOf(nodes);
  const neededBy: number[][] = graph.ids.map(() => []);
  for (const [at, needs] of graph.needs.entries()) for (const need of needs) neededBy[need]!.push(at);
  return reach(graph, neededBy, starts);
}

/** Groups for a preview: wave 1 needs nothing, each later wave needs something of the wave before. Input order inside a wave.
 *  (Execution never waits for a wave: a task starts as soon as its own needs are met.) */
export function waves(nodes: readonly DagNode[]): string[][] {
  const graph = graphOf(nodes);
  const level = graph.ids.map(() => 0);
  for (const at of depthFirst(graph)) {
    for (const need of graph.needs[at]!) level[at] = Math.max(level[at]!, level[need]! + 1);
  }
  const groups: string[][] = [];
  for (const [at, id] of graph.ids.entries()) (groups[level[at]!] ??= []).push(id);
  return groups;
}

/** For each id the length of the longest path that begins with it and runs downstream, its own weight included: what is at least
 *  left to do once it starts. Weights are not negative; their unit is the caller's (minutes, tokens, 1). */
export function pathsBelow(nodes: readonly DagNode[], weight: (id: string) => number): Map<string, number> {
  const graph = graphOf(nodes);
  const { below } = measure(graph, weight);
  return new Map(graph.ids.map((id, at) => [id, below[at]!]));
}

/** The longest path by weight, first task first, and its length: with any number of agents no run is shorter. */
export function criticalPath(
  nodes: readonly DagNode[],
  weight: (id: string) => number,
): { path: string[]; length: number } {
  const graph = graphOf(nodes);
  const { below, next } = measure(graph, weight);
  let at = -1;
  for (const [candidate, length] of below.entries()) if (at < 0 || length > below[at]!) at = candidate;
  const length = below[at] ?? 0;
  const path: string[] = [];
  for (; at >= 0; at = next[at]!) path.push(graph.ids[at]!);
  return { path, length };
}

/** Ids and needs as positions: the walks below compare numbers, never strings. */
type Graph = { ids: string[]; positions: Map<string, number>; needs: number[][] };

function graphOf(nodes: readonly DagNode[]): Graph {
  const positions = new Map<string, number>();
  const firsts: DagNode[] = [];
  for (const node of nodes) {
    if (positions.has(node.id)) continue;
    positions.set(node.id, firsts.length);
    firsts.push(node);
  }
  const needs = firsts.map((node) => {
    const found = new Set<number>();
    for (const need of node.needs) {
      const at = positions.get(need);
      if (at !== undefined) found.add(at);
    }
    return [...found];
  });
  return { ids: firsts.map((node) => node.id), positions, needs };
}

const NEW = 0;
const ON_PATH = 1;
const DONE = 2;

/** Post-order along the needs, so each position comes after what it needs. Calls `onCycle` with the path that an edge closed. */
function depthFirst(graph: Graph, onCycle?: (path: number[]) => void): number[] {
  const state = new Uint8Array(graph.ids.length);
  const tried = new Uint32Array(graph.ids.length);
  const order: number[] = [];
  const path: number[] = [];
  for (const root of graph.ids.keys()) {
    if (state[root] !== NEW) continue;
    state[root] = ON_PATH;
    path.push(root);
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const need = graph.needs[at]![tried[at]!];
      tried[at] = tried[at]! + 1;
      if (need === undefined) {
        state[at] = DONE;
        order.push(at);
        path.pop();
      } else if (state[need] === NEW) {
        state[need] = ON_PATH;
        path.push(need);
      } else if (state[need] === ON_PATH) {
        onCycle?.(path.slice(path.indexOf(need)));
      }
    }
  }
  return order;
}

function reach(graph: Graph, edges: readonly number[][], starts: Iterable<string>): Set<string> {
  const seen = new Set<number>();
  for (const id of starts) {
    const at = graph.positions.get(id);
    if (at !== undefined) seen.add(at);
  }
  const given = new Set(seen);
  // A Set hands out what is added while it is being walked: it is its own queue.
  for (const at of seen) for (const other of edges[at]!) seen.add(other);
  const found = new Set<string>();
  for (const at of seen) if (!given.has(at)) found.add(graph.ids[at]!);
  return found;
}

/** Longest path below each position, and the downstream position it goes on with (-1 at the end). */
function measure(graph: Graph, weight: (id: string) => number): { below: number[]; next: number[] } {
  const below = graph.ids.map(() => 0);
  const next = graph.ids.map(() => -1);
  const measured = new Uint8Array(graph.ids.length);
  for (const at of depthFirst(graph).reverse()) {
    below[at] = below[at]! + weight(graph.ids[at]!);
    measured[at] = 1;
    for (const need of graph.needs[at]!) {
      // A need that was measured before closes a cycle: that edge is ignored, or the path would never end.
      if (measured[need] === 1 || (next[need] !== -1 && below[need]! >= below[at]!)) continue;
      below[need] = below[at]!;
      next[need] = at;
    }
  }
  return { below, next };
}
