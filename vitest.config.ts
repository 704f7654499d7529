import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  ssr: { resolve: { conditions: ['@quern/source'] } },
  test: {
    execArgv: ['--conditions=@quern/source'],
    setupFiles: ['test/setup/property-tests.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts'],
          // One more at a time than by default: most files wait for processes that they start.
          maxWorkers: availableParallelism(),
          // Ends what hangs. Above the 10 s of `eventually`, which says what it has waited for.
          testTimeout: 20_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        // Whole processes on two cores: one file at a time, or they starve each other.
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          fileParallelism: false,
          // After the unit tests, for the same reason.
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
