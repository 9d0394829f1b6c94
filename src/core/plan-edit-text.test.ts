import { expect, test } from "vitest";
import { replaceBody } from "./plan-edit-text.ts";

const FILE = "---\ntitle: Login # the page\nverify: [npm test]\n---\n# Login\n\nOld words.\n";

test("front matter stays to the byte, and so does the heading where the new text has none", () => {
  expect(replaceBody(FILE, "New words.\n\nMore.")).toBe(
    "---\ntitle: Login # the page\nverify: [npm test]\n---\n# Login\n\nNew words.\n\nMore.\n",
  );
  expect(replaceBody(FILE, "# Log in\nNew words.")).toBe(
    "---\ntitle: Login # the page\nverify: [npm test]\n---\n# Log in\nNew words.\n",
  );
});

test("a text with front matter of its own is the whole file", () => {
  expect(replaceBody(FILE, "---\ntitle: Other\n---\nText\n")).toBe("---\ntitle: Other\n---\nText\n");
});

test("line ends, blank lines and a byte order mark are those of the file", () => {
  expect(replaceBody("\uFEFF---\r\npriority: high\r\n---\r\n\r\nOld\r\n", "New\nwords")).toBe(
    "\uFEFF---\r\npriority: high\r\n---\r\n\r\nNew\r\nwords\r\n",
  );
  expect(replaceBody("Old\n", "New")).toBe("New\n");
  expect(replaceBody("", "New")).toBe("New\n");
});

test("a rule is no front matter", () => {
  expect(replaceBody("# A\n\n---\n\nold\n\n---\n", "new")).toBe("# A\n\nnew\n");
});
