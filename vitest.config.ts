// vitest.config.ts: what `npm test` runs: everything under tests/ but tests/long.
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
  { find: /^tendril\/eslint$/, replacement: source('./eslint/index.ts') },
];

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/long/**', 'tests/.tmp/**', '**/node_modules/**'],
    pool: 'forks',
    isolate: true,
    retry: 0,
    testTimeout: 10_000,
    hookTimeout: 10_000,
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
