import { expect, test } from "vitest";
import { placeOf, placesOf } from "./toml-places.ts";

const text = `# run.a = 1
top = "x # no remark"
[run] # [not.a.table]
verify = [
  "a", # ]
  'b,]',
  { deep = [1, 2] },
]
  "quoted key" = """
retries = 1
""""
retries = 2
[agent . "my agent"]
command.first = "x"
[[hook]]
on = 1
[[hook]]
on = 2
[late]
t = { a = 1, b = { c = '}' }, d = 3 }
date = 1979-05-27 07:32:00
end = true
`;

test.each<[key: string, line: number, column: number]>([
  ["top", 2, 1],
  ["run", 3, 2],
  ["run.verify", 4, 1],
  ["run.verify.0", 5, 3],
  ["run.verify.1", 6, 3],
  ["run.verify.2.deep", 7, 5],
  ["run.verify.2.deep.1", 7, 16],
  ["run.quoted key", 9, 3],
  ["run.retries", 12, 1],
  ["agent.my agent.command.first", 14, 9],
  ["hook.0.on", 16, 1],
  ["hook.1.on", 18, 1],
  ["late.t.b.c", 20, 20],
  ["late.t.d", 20, 31],
  ["late.end", 22, 1],
])("%s stands at %i:%i", (key, line, column) => {
  expect(placesOf(text).get(key)).toEqual({ line, column });
});

test("a key that is not there stands where the nearest table around it does", () => {
  expect(placeOf(placesOf(text), "run.verify.0.x")).toEqual({ line: 5, column: 3 });
  expect(placeOf(placesOf(text), "nothing.like.it")).toEqual({ line: 1, column: 1 });
});

test.each(["", "#", "a", "a =", '[x\ny = "', "a = [1, {b", "\r\n[run]\r\n"])("%j comes to an end", (odd) => {
  expect(placesOf(odd)).toBeInstanceOf(Map);
});
