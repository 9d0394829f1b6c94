import { defineConfig } from "vitest/config";
import { LongFirst } from "./test/rig/long-first.ts";

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    reporters: ["default", "./test/rig/count-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          setupFiles: ["test/rig/seed.ts"],
          include: ["src/**/*.test.ts", "test/*.test.ts"],
          isolate: false,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
          testTimeout: 60_000,
          // As below.
          retry: 1,
        },
      },
      {
        test: {
          name: "e2e",
          setupFiles: ["test/rig/seed.ts"],
          include: ["test/e2e/**/*.test.ts"],
          pool: "forks",
          sequence: { groupOrder: 1 },
          testTimeout: 240_000,
          hookTimeout: 240_000,
          // Told and counted where the second try passes: a machine that is busy with other things is no defect, and no secret.
          retry: 1,
          maxWorkers: 3,
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.test.ts"],
      reporter: ["text-summary", "html"],
    },
  },
});
