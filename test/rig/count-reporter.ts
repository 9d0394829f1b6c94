/** Ends a test run with each test that passed at its second try only, each skip's reason and one line that counts: `N passed, N failed, N skipped`. */
import type { Reporter, TestCase, TestModule } from "vitest/node";

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const skipped = tests.filter((test) => test.result().state === "skipped");
    const brokenFiles = modules.filter((module) => module.state() === "failed" && module.errors().length > 0).length;
    for (const test of skipped)
      console.log(`SKIPPED ${test.module.relativeModuleId} > ${test.fullName}: ${reasonOf(test)}`);
    const flaky = tests.filter((test) => test.diagnostic()?.flaky === true);
    for (const test of flaky)
      console.log(
        `FLAKY ${test.module.relativeModuleId} > ${test.fullName}: passed at its second try; at its first: ${firstError(test)}`,
      );
    console.log(
      `${count("passed")} passed, ${count("failed") + brokenFiles + errors.length} failed, ${skipped.length} skipped`,
    );
  }
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  return (result.state === "skipped" && result.note) || "no reason given";
}

/** What the first try failed with, and what differed, in a few lines. */
function firstError(test: TestCase): string {
  const [error] = test.result().errors ?? [];
  const told = [error?.message, error?.diff].filter(Boolean).join("\n") || "nothing said";
  return told.split("\n").slice(0, SHOWN_LINES).join("\n    ");
}

const SHOWN_LINES = 30;
