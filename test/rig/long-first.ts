/** The order of test files: those first that drive a long harness. vitest goes by size where it has not measured, and such files are small: they would all
 *  come last, wait beside each other, and leave the processors idle. */
import { readFileSync } from "node:fs";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const HARNESS = /from "\.\.\/(?:crash|gauntlet|stress)\//;

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = (file: TestSpecification) => HARNESS.test(readFileSync(file.moduleId, "utf8"));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
