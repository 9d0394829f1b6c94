import { expect, test } from "vitest";
import { renderUnit, unitName } from "./batch-unit.ts";

test("a unit says what is run, where, and survives what stands in paths", () => {
  const text = renderUnit({
    command: ["/opt/no de/node", '/home/a"b/100%/$x/owt.js'],
    folder: "/home/me/the shop 50%",
    environment: { PATH: "/usr/bin:/opt/a b" },
  });
  expect(text).toContain('ExecStart="/opt/no de/node" "/home/a\\"b/100%%/$$x/owt.js" "batch" "watch"\n');
  expect(text).toContain("WorkingDirectory=/home/me/the shop 50%%\n");
  expect(text).toContain('Environment="PATH=/usr/bin:/opt/a b"\nRestart=always\n');
  // What it started goes on when it is stopped.
  expect(text).toContain("KillMode=process\n");
});

test("folders of one name have units of their own", () => {
  expect([unitName(null, "1"), unitName("my shop", "ab12")]).toEqual([
    "owt-batch.service",
    "owt-batch-my-shop-ab12.service",
  ]);
});
