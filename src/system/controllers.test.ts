import { expect, test } from "vitest";
import { controllerIn } from "./controllers.ts";

const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw`;
const UNIFIED = `29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate`;
const INSIDE = `29 23 0:26 /docker/abc /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw`;

const has = (path: string, controllers: string) => (asked: string) =>
  asked === `${path}/cgroup.controllers` ? controllers : "";

test("a controller is where the kernel says, in either version", () => {
  const own = "5:memory:/a/b\n3:cpu,cpuacct:/c\n0::/d\n";
  const none = () => "";
  expect(controllerIn("memory", HYBRID, own, none)).toEqual({
    version: 1,
    folder: "/sys/fs/cgroup/memory/a/b",
    mount: "/sys/fs/cgroup/memory",
  });
  expect(controllerIn("cpu", HYBRID, own, none)?.folder).toBe("/sys/fs/cgroup/cpu,cpuacct/c");
  const slice = "/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope";
  const unified = { version: 2, folder: `/sys/fs/cgroup${slice}`, mount: "/sys/fs/cgroup" };
  expect(controllerIn("memory", UNIFIED, `0::${slice}\n`, has(`/sys/fs/cgroup${slice}`, "memory pids\n"))).toEqual(
    unified,
  );
  expect(controllerIn("cpu", UNIFIED, `0::${slice}\n`, has(`/sys/fs/cgroup${slice}`, "memory pids\n"))).toBe(null);
});

test("a cgroup outside of what is mounted is none, and one inside is found below it", () => {
  expect(controllerIn("memory", INSIDE, "0::/docker/abc/x\n", has("/sys/fs/cgroup/x", "memory"))?.folder).toBe(
    "/sys/fs/cgroup/x",
  );
  expect(controllerIn("memory", INSIDE, "0::/../elsewhere\n", () => "memory")).toBe(null);
  expect(controllerIn("memory", "", "", () => "")).toBe(null);
});
