/** What is generated from the configuration's definitions is what they say now. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { generatedFiles } from "../scripts/config-reference.ts";

test.each(Object.entries(generatedFiles()))(
  "%s is up to date (else: node scripts/config-reference.ts)",
  (name, text) => {
    expect(readFileSync(new URL(`../${name}`, import.meta.url), "utf8")).toBe(text);
  },
);
