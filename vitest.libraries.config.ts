// vitest.libraries.config.ts: tests/libraries: libraries of others, unmodified, in greenlets: `npm ci --prefix tests/libraries` installs them first.
//
// Most need servers (tests/services.ts tells which and where), so nothing else needs these files.
import { defineConfig } from 'vitest/config';
import { plugins, server } from './vitest.config.ts';

export default defineConfig({
  plugins,
  test: {
    include: ['tests/libraries/*.test.ts'],
    globalSetup: 'tests/compile.ts',
    server,
    pool: 'forks',
    isolate: true,
    fileParallelism: false,
    retry: 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
