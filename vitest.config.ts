// vitest.config.ts: what `npm test` runs: everything under tests/ but tests/long and what is as slow as that.
//
// Every run compiles the library once (tests/compile.ts), and the public names, and paths into core/ and io/, lead there: Node loads it as it loads any
// package, many times faster than vitest would transform it for each file. `npm run coverage` takes the sources. Each test file gets a process of its
// own, because the kernel is one per realm. No retries: a test that passes the second time is a bug that we do not know yet.
import path from 'node:path';
import { defineConfig, type Plugin } from 'vitest/config';
import { libraryFolder, root } from './tests/compile.ts';

/** Where the public names lead, as paths into the sources. */
export const entries: Readonly<Record<string, string>> = {
  tendril: 'io/index.ts',
  'tendril/core': 'core/index.ts',
  'tendril/testing': 'io/testing/index.ts',
  'tendril/patches': 'patches/index.ts',
  'tendril/patches/promise': 'patches/promise-iterable.ts',
  'tendril/patches/register': 'patches/register.ts',
  'tendril/patches/fs': 'patches/twins/fs.ts',
  'tendril/patches/net': 'patches/twins/net.ts',
  'tendril/patches/dns': 'patches/twins/dns.ts',
  'tendril/patches/timers': 'patches/twins/timers.ts',
  'tendril/patches/child_process': 'patches/twins/child-process.ts',
  'tendril/patches/http': 'patches/twins/http.ts',
  'tendril/patches/stream': 'patches/twins/stream.ts',
  'tendril/patches/readline': 'patches/twins/readline.ts',
  'tendril/patches/zlib': 'patches/twins/zlib.ts',
  'tendril/patches/crypto': 'patches/twins/crypto.ts',
  'tendril/websocket': 'io/websocket/index.ts',
  'tendril/executors': 'executors/index.ts',
  'tendril/executors/threads': 'executors/threads/index.ts',
  'tendril/executors/processes': 'executors/processes/index.ts',
  'tendril/executors/nats': 'executors/nats/index.ts',
  'tendril/executors/channels': 'executors/channels/index.ts',
  'tendril/executors/shared': 'executors/shared/index.ts',
  'tendril/executors/manager': 'executors/manager/index.ts',
  'tendril/components': 'components/index.ts',
  'tendril/eslint': 'eslint/index.ts',
};

const fromSources = process.argv.includes('--coverage');
const library = libraryFolder();
const ours = /^(core|io|patches|executors|components|eslint)\//;

/** Leads public names, and relative paths into the library as tests of its inside have them, to the compiled files: one kernel, not two. */
export const plugins: Plugin[] = [
  {
    name: 'library',
    enforce: 'pre',
    resolveId(source, importer) {
      let target = entries[source];
      if (target === undefined && source.startsWith('.') && importer !== undefined)
        target = path.relative(root, path.resolve(path.dirname(importer), source));
      if (target === undefined || !ours.test(target)) return null;
      return fromSources ? path.join(root, target) : path.join(library, target.replace(/\.ts$/, '.js'));
    },
  },
];

/** Not to be transformed. */
export const server = { deps: { external: [/\/tests\/\.tmp\/library-/] } };

/** What `npm run test:long` runs instead: together they would not fit into two minutes. */
export const slow = [
  'tests/long/**/*.test.ts',
  'tests/eslint/**/*.test.ts',
  'tests/io/fuzz-*.test.ts',
  'tests/io/stdio-terminal.test.ts',
  'tests/conformance/**/*.test.ts',
  'tests/io/streams-{duplex,memory}.test.ts',
  // Many programs in processes of their own.
  'tests/patches/{undo,register,child-process,twin-child-process,events-failures,events-callbacks,twins-fs,twin-net-programs}.test.ts',
  'tests/io/{stdio,process-faults,program,overloaded-server}.test.ts',
  // Threads and processes that have a library to load each, and servers.
  'tests/executors/{thread-executor,thread-workers,process-workers,process-executor,manager,channels-processes,channels-threads}.test.ts',
  'tests/executors/{shared-threads,across-tasks,keeps-alive,nesting,nats-*}.test.ts',
  'tests/components/{bridge-across,bridge-nats,executors-across,model}.test.ts',
  // Against servers of their own, which take a while to start; many seeds.
  'tests/samples/{programs,word-count,parallel-hash,job-queue,log-tailer,http-websocket,postgres,mqtt,nats,memcached,smtp,dns-over-tcp,port-scanner,redis-simulated}.test.ts',
];

export default defineConfig({
  plugins,
  test: {
    include: ['tests/**/*.test.ts'],
    // tests/libraries has a configuration of its own: it needs packages, and servers, of its own.
    exclude: [...slow, 'tests/libraries/**', 'tests/.tmp/**', '**/node_modules/**'],
    globalSetup: 'tests/compile.ts',
    server,
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
