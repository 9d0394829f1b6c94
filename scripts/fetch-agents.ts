/** Fetches the real agents for the end-to-end tests into the user's cache, and prints where they are. Repeatable and safe to run twice
 *  at once. Whatever goes wrong it says so and ends well: the tests that need one are then skipped, with the reason. */
import { chmodSync, existsSync } from "node:fs";
import { CLAUDE_VERSIONS, claudeBinary, claudeFolder, claudePackage } from "../test/rig/claude-binary.ts";
import { codexBinary, codexFolder, codexPackage } from "../test/rig/codex-binary.ts";
import { fetchPackage } from "./fetch-package.ts";

const agents = [
  ...CLAUDE_VERSIONS.map((version) => ({
    what: `${claudePackage()}@${version}`,
    folder: claudeFolder(version),
    binary: () => claudeBinary(version),
  })),
  { what: codexPackage(), folder: codexFolder(), binary: codexBinary },
];

for (const { what, folder, binary } of agents) {
  try {
    if (!existsSync(binary())) fetchPackage(what, folder, () => existsSync(binary()));
    chmodSync(binary(), 0o755);
    console.log(binary());
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).trim();
    console.error(`${what} could not be fetched; the tests that drive it will be skipped\n${why}`);
  }
}
