/** Where our own cgroup is to be found, from what real kernels write; and that a machine which has one is seen to have one. */
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cgroupFolders, findCgroupParent, killCgroup, membersOf, removeCgroup } from "./cgroup.ts";
import { probeLaunchMode } from "./launch.ts";

const UNIFIED = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate";
const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw`;
const CONTAINER = "612 600 0:26 /docker/4f2a /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw";

test.each([
  [
    "unified",
    UNIFIED,
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope\n",
    "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope",
  ],
  ["at its root", UNIFIED, "0::/\n", "/sys/fs/cgroup"],
  ["beside the old hierarchies", HYBRID, "9:name=systemd:/\n5:devices:/x\n0::/a b\n", "/sys/fs/cgroup/unified/a b"],
  ["a part that a container was given", CONTAINER, "0::/docker/4f2a/inner\n", "/sys/fs/cgroup/inner"],
  ["the very part", CONTAINER, "0::/docker/4f2a\n", "/sys/fs/cgroup"],
  ["a place with a blank", UNIFIED.replace("/sys/fs/cgroup", "/my\\040cgroups"), "0::/a\n", "/my cgroups/a"],
])("our own cgroup: %s", (_, mountInfo, own, folder) => {
  expect(cgroupFolders(mountInfo, own)).toEqual([folder]);
});

test.each([
  ["the old hierarchies only", HYBRID.split("\n").slice(0, 2).join("\n"), "5:devices:/\n"],
  ["no cgroup2 mounted", HYBRID.split("\n").slice(0, 2).join("\n"), "0::/\n"],
  ["outside of our cgroup namespace", UNIFIED, "0::/../other\n"],
  ["another part than was mounted", CONTAINER, "0::/docker/4f2abc\n"],
  ["no /proc at all", "", ""],
])("no folder of ours: %s", (_, mountInfo, own) => {
  expect(cgroupFolders(mountInfo, own)).toEqual([]);
});

test("root with a cgroup2 to write in gets launch mode cgroup", async ({ skip }) => {
  const mount = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].find((path) =>
    existsSync(join(path, "cgroup.controllers")),
  );
  const probe = join(mount ?? "", `owt-test-${process.pid}`);
  if (process.getuid?.() !== 0 || !mount) skip("needs root and a mounted cgroup2");
  try {
    mkdirSync(probe);
  } catch {
    skip("cgroup2 is not writable here");
  }
  const kills = existsSync(join(probe, "cgroup.kill"));
  rmdirSync(probe);
  if (!kills) skip("this kernel has no cgroup.kill");
  expect(findCgroupParent()?.startsWith(mount!)).toBe(true);
  expect(await probeLaunchMode("cgroup")).toBe("cgroup");
});

test("what is no cgroup is left alone", () => {
  const folder = join(import.meta.dirname, "no-such-cgroup");
  killCgroup(folder);
  killCgroup(import.meta.dirname);
  expect(existsSync(join(import.meta.dirname, "cgroup.kill"))).toBe(false);
  expect(membersOf(folder)).toEqual([]);
  expect(removeCgroup(folder)).toBe(true);
  expect(removeCgroup(import.meta.dirname)).toBe(true);
  expect(existsSync(import.meta.dirname)).toBe(true);
});
