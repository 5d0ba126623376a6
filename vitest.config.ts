// vitest.config.ts: what `npm test` runs: everything under tests/ but tests/long and what is as slow as that.
//
// The public names lead to the sources, so that no test needs a build. Each test file gets a process of its own, because the kernel is
// one per realm. No retries: a test that passes the second time is a bug that we do not know yet.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const alias = [
  { find: /^tendril$/, replacement: source('./io/index.ts') },
  { find: /^tendril\/core$/, replacement: source('./core/index.ts') },
  { find: /^tendril\/testing$/, replacement: source('./io/testing/index.ts') },
  { find: /^tendril\/patches$/, replacement: source('./patches/index.ts') },
  { find: /^tendril\/websocket$/, replacement: source('./io/websocket/index.ts') },
  { find: /^tendril\/eslint$/, replacement: source('./eslint/index.ts') },
];

/** What `npm run test:long` runs instead: together they would not fit into two minutes. */
export const slow = [
  'tests/long/**/*.test.ts',
  'tests/eslint/**/*.test.ts',
  'tests/io/fuzz-*.test.ts',
  'tests/io/stdio-terminal.test.ts',
];

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: [...slow, 'tests/.tmp/**', '**/node_modules/**'],
    globalSetup: 'tests/compile.ts',
    pool: 'forks',
    isolate: true,
    // One for each core: the default leaves one idle, which is half of a small machine.
    maxWorkers: '100%',
    retry: 0,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 5_000,
    // `npm run coverage`. Types only, or re-exports only: nothing in them runs.
    coverage: {
      provider: 'v8',
      include: ['core/**/*.ts'],
      exclude: ['tests/**'],
      reporter: [['text', { skipFull: true }]],
      reportsDirectory: 'coverage',
      thresholds: { lines: 100, branches: 100, functions: 100, statements: 100 },
    },
  },
});
