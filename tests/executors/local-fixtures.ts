// local-fixtures.ts: what the tests of the executors over threads and processes share: workers that know their tasks, and modules that cannot be loaded.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { programFile } from '../program-file.ts';

// Node 20 runs no TypeScript, and a loader that does costs each worker a quarter of a second: the tasks come compiled, and are entered under the address that the tests use.
const preload = programFile(
  ['./tasks.ts', './local-tasks.ts']
    .map((name) => {
      const source = new URL(name, import.meta.url);
      const compiled = pathToFileURL(programFile(readFileSync(source, 'utf8'), name.slice(2))).href;
      return `
        await import(${JSON.stringify(compiled)});
        registry = globalThis[Symbol.for('tendril.tasks')];
        registry.set(${JSON.stringify(source.href)}, registry.get(${JSON.stringify(compiled)}));`;
    })
    .reduce((text, part) => text + part, 'let registry;'),
);

/** Options of Node for workers that run tasks.ts and local-tasks.ts. */
export const execArgv: readonly string[] = ['--import', pathToFileURL(preload).href];

const sources = {
  throws: `throw new Error('this module throws');`,
  never: `await new Promise(() => {});`,
  waits: `setInterval(() => {}, 1_000); await new Promise(() => {});`,
  spins: `function spinAtTheTop() { for (;;); }\nspinAtTheTop();`,
  exits: `process.exit(7);`,
};
const files = new Map<string, string>();

/** The URL of a module that throws, spins or exits when it is imported, or that is never there. */
export function brokenModule(kind: keyof typeof sources): string {
  const url = files.get(kind) ?? pathToFileURL(programFile(sources[kind], kind)).href;
  files.set(kind, url);
  return url;
}
