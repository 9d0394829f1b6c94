import { expect, test } from "vitest";
import { seededChance } from "./chance.ts";
import { Gathered } from "./gathered.ts";

test("is what joining all pieces gives, after each of them, and what was given before stays", () => {
  const chance = seededChance(7);
  const gathered = new Gathered();
  let joined = Buffer.alloc(0);
  const given: [Buffer, Buffer][] = [];
  for (let n = 0; n < 200; n++) {
    const piece = Buffer.alloc(Math.floor(chance() * 300), n);
    joined = Buffer.concat([joined, piece]);
    given.push([gathered.add(piece), joined]);
  }
  for (const [was, should] of given) expect(was.equals(should)).toBe(true);
});
