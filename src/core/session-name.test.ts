import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sessionNames } from "./session-name.ts";

const at = (folder: string, path = `/home/me/${folder}`) => ({ prefix: "owt", project: "shop", folder, path });

test("a name that tmux leaves alone stays as it is", () => {
  expect(sessionNames(at("shop-login"))[0]).toBe("owt-shop-login");
  expect(sessionNames(at("shop"))[0]).toBe("owt-shop");
  expect(sessionNames(at("login"))[0]).toBe("owt-shop-login");
});

test("one that would have to be changed gets its hash at once, so that fix.1 and fix_1 are two", () => {
  expect(sessionNames(at("shop-fix.1"))).toEqual([expect.stringMatching(/^owt-shop-fix-1-[0-9a-f]{8}$/)]);
  expect(sessionNames(at("shop-fix:1"))).not.toEqual(sessionNames(at("shop-fix.1")));
  expect(sessionNames(at("日本語"))).toEqual([expect.stringMatching(/^owt-shop-[0-9a-f]{8}$/)]);
});

test("the same folder name elsewhere has another last name", () => {
  expect(sessionNames(at("shop-a", "/x/shop-a")).at(-1)).not.toBe(sessionNames(at("shop-a", "/y/shop-a")).at(-1));
});

test("whatever the folder: short, and only of characters that tmux does not read anything into", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (folder) => {
      for (const name of sessionNames(at(folder))) {
        expect(name).toMatch(/^owt[A-Za-z0-9_-]*$/);
        expect(name.length).toBeLessThan(100);
      }
    }),
  );
});
