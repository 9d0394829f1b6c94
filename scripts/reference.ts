/** Writes what the program says of itself: schemas of its answers, reference, man page. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generatedFiles } from "./generated.ts";

const root = new URL("..", import.meta.url).pathname;
const files = await generatedFiles();

for (const name of readdirSync(join(root, "docs/schemas")))
  if (!files.has(`docs/schemas/${name}`)) rmSync(join(root, "docs/schemas", name));

for (const [path, text] of files) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
