import { expect, test } from "vitest";
import { OwtError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import { refusalOf } from "./refusal.ts";

const ioWith = (isTTY: boolean) =>
  ({ stdin: { isTTY }, stderr: { isTTY }, signal: new AbortController().signal }) as unknown as Io;

test.each([
  ["read them, then: owt config approve", "read them, then: owt config approve --yes"],
  ["read them, then: owt config approve --profile night", "read them, then: owt config approve --profile night --yes"],
  ["read them, then: owt config approve --yes", "read them, then: owt config approve --yes"],
  [undefined, "read and approve them: owt config approve --yes"],
])("off a terminal the line that approves is one that works: %s", (hint, expected) => {
  const error = new OwtError("not-approved", "not approved", hint === undefined ? {} : { hint });
  expect(refusalOf(ioWith(false), error).hint).toBe(expected);
  expect(refusalOf(ioWith(true), error)).toBe(error);
});

test.each([
  ["EACCES", "no leave to read or write here: /srv/my shop/.git/owt"],
  ["EPERM", "no leave to change this: /srv/my shop/.git/owt"],
  ["EROFS", "this is on a disk that is read-only: /srv/my shop/.git/owt"],
  ["ENAMETOOLONG", "this path is too long for the system: /srv/my shop/.git/owt"],
])("what the file system forbids is a matter of the place: %s", (code, message) => {
  const error = Object.assign(new Error(`${code}: mkdir`), { code, syscall: "mkdir", path: "/srv/my shop/.git/owt" });
  const refusal = refusalOf(ioWith(true), error);
  expect(refusal).toMatchObject({ code: "environment", message });
  expect(refusal.hint).toContain("ls -ld '/srv/my shop/.git/owt' '/srv/my shop/.git'; what is wrong here: owt doctor");
});

test("a file that is missing where none may be missing is a mistake of ours", () => {
  const error = Object.assign(new Error("ENOENT: open"), { code: "ENOENT", syscall: "open", path: "/x" });
  expect(refusalOf(ioWith(true), error).code).toBe("internal");
});

test.each([
  ["EMFILE", "open"],
  ["EMFILE", "spawn git"],
  ["EINVAL", "spawn git"],
])("where too few files may be open that is said, with the command that helps: %s at %s", (code, syscall) => {
  const error = Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
  const refusal = refusalOf(ioWith(true), error);
  expect(refusal).toMatchObject({
    code: "environment",
    message: `too few files may be open at once: ${syscall} ${code}`,
  });
  expect(refusal.hint).toContain("ulimit -n 1024");
});
