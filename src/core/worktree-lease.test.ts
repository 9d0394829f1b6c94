import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseNames, choosePorts, fillTemplate, leaseVariables } from "./worktree-lease.ts";

const none = new Set<number>();

describe("a block of ports", () => {
  test("is the first that nobody has, and on which nobody listens", () => {
    expect(choosePorts(10, [], none)).toBe(20_000);
    expect(choosePorts(10, [{ first: 20_000, count: 10 }], new Set([20_015]))).toBe(20_020);
    expect(choosePorts(4, [{ first: 20_000, count: 10 }], none)).toBe(20_012);
    expect(choosePorts(0, [], none)).toBeNull();
  });
  test("is none where all are given out", () => {
    expect(choosePorts(1_000, [{ first: 20_000, count: 12_000 }], none)).toBeNull();
  });
  test("never overlaps another, whatever their sizes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 25 }),
        fc.array(fc.integer({ min: 20_000, max: 20_500 })),
        (sizes, busy) => {
          const taken: { first: number; count: number }[] = [];
          for (const count of sizes) {
            const first = choosePorts(count, taken, new Set(busy));
            if (first === null) continue;
            const ports = Array.from({ length: count }, (_, at) => first + at);
            expect(ports.filter((port) => busy.includes(port))).toEqual([]);
            expect(taken.filter((other) => first < other.first + other.count && other.first < first + count)).toEqual(
              [],
            );
            taken.push({ first, count });
          }
        },
      ),
    );
  });
});

describe("names for a database and a compose project", () => {
  const free = () => false;
  test.each([
    ["shop", "one-e01-1", "shop-one-e01-1"],
    ["shop", "shop-feature-x", "shop-feature-x"],
    ["Grösse & Söhne", "Ünicode/Zweig", "grosse-sohne-unicode-zweig"],
    ["2024", "x", "owt-2024-x"],
  ])("%s, %s", (project, worktree, compose) => {
    expect(chooseNames(project, worktree, free)).toEqual({ compose, database: compose.replaceAll("-", "_") });
  });
  test("get a number where somebody has them, and are never too long for a database", () => {
    const taken = new Set(["shop-x", "shop-x-2"]);
    expect(chooseNames("shop", "x", ({ compose }) => taken.has(compose)).compose).toBe("shop-x-3");
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(2_000), (project, worktree, others) => {
        let asked = 0;
        const { database, compose } = chooseNames(project, worktree, () => asked++ < others);
        expect(database).toMatch(/^[a-z][a-z0-9_]{0,62}$/);
        expect(compose).toMatch(/^[a-z][a-z0-9-]*$/);
      }),
    );
  });
});

test("variables, and templates filled with them; what is somebody else's stays", () => {
  const variables = leaseVariables({ firstPort: 20_010, ports: 2, database: "shop_x", compose: "shop-x" });
  expect(variables).toEqual({
    OWT_PORT: "20010",
    OWT_PORT_0: "20010",
    OWT_PORT_1: "20011",
    OWT_DATABASE: "shop_x",
    COMPOSE_PROJECT_NAME: "shop-x",
  });
  const filled = fillTemplate(
    "A=${OWT_PORT_1} $OWT_PORT ${HOME} ${OWT_PORT_2} ${toString} ${OWT_DATABASE:-x}",
    variables,
  );
  expect(filled).toBe("A=20011 $OWT_PORT ${HOME} ${OWT_PORT_2} ${toString} ${OWT_DATABASE:-x}");
  expect(leaseVariables({ firstPort: null, ports: 0, database: "d", compose: "c" })).toEqual({
    OWT_DATABASE: "d",
    COMPOSE_PROJECT_NAME: "c",
  });
});
