// vitest.long.config.ts: what `npm run test:long` runs: tests/long and other slow files, one file at a time.
//
// These take minutes, or need the machine to themselves to measure memory or time. `.ci/run` runs all of them on one version of Node, and those whose
// outcome may differ by version on each.
import { defineConfig } from 'vitest/config';
import { plugins, server, slow } from './vitest.config.ts';

export default defineConfig({
  plugins,
  test: {
    include: slow,
    globalSetup: 'tests/compile.ts',
    server,
    pool: 'forks',
    isolate: true,
    fileParallelism: false,
    retry: 0,
    testTimeout: 300_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
