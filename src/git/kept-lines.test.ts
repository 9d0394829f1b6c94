/** When a line that was made into another one counts as kept. */
import { expect, test } from "vitest";
import { isAnyKept } from "./kept-lines.ts";

const kept = (added: string[], beside: string[], now: string[]) =>
  isAnyKept(new Set(added), { beside: new Set(beside), now: new Set(now) });

test("a line that got a comma, other quotes, another number, a word that was renamed is kept", () => {
  const pairs = [
    ['"zod": "3"', '"react": "18"', ['"zod": "3",', '"react": "18"']],
    ["a()", "b();", ["a();", "b();"]],
    ["go('2')", 'go("3")', ['go("2")', 'go("3")']],
    ["2. from a", "2. from b", ["2. from b", "3. from a"]],
    ["y = old() + 1", "z = new()", ["z = new()", "y = new() + 1"]],
    ["total = a * 2", "amount = a", ["amount = a * 2"]],
    ["getUser(id, true)", "const account = getAccount(id)", ["const account = getAccount(id, true)"]],
    ["x = f(1, a)", "x = f(1, b)", ["x = f(1, a, b)"]],
    ["const readFile = 1", "const b = 2", ["const read_file = 1", "const b = 2"]],
    ["保存文件", "删除目录", ["删除目录", "保存文档"]],
  ] as const;
  for (const [mine, other, now] of pairs) expect([mine, kept([mine], [other], [...now])]).toEqual([mine, true]);
});

test("a line of the other side that was changed, and one that is like neither, keep nothing", () => {
  expect(kept(['"zod": "3.0"'], ['"react": "18.0"'], ['"react": "19.0"'])).toBe(false);
  expect(kept(["2. from a"], ["2. from b"], ["3. from b"])).toBe(false);
  expect(kept(["const a = need('a')"], ["const b = need('b')"], ['const b = need("b");'])).toBe(false);
  expect(kept(["mine"], ["yours"], ["yours", "// resolved"])).toBe(false);
  expect(kept(["mine"], ["yours"], ["yours"])).toBe(false);
  expect(kept(["b(2)"], ["a()", "b(1)"], ["a();", "b(1);"])).toBe(false);
});

test("a file of many lines that are all alike is compared, too", () => {
  const lines = (from: string) => Array.from({ length: 20_000 }, (_, n) => `${from} value_${n} = call(${n})`);
  expect(kept(["const gone = call(x)"], lines("let"), lines("var").slice(0, 2_000))).toBe(false);
});
