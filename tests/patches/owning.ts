// owning.ts: what the tests of ownership share: applying patches for one test, hearing of leaks, code that is a package's.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { current, type Greenlet } from 'tendril';
import { type Leak, onLeak, type Patch } from 'tendril/patches';
import { ownedNow } from '../../patches/ownership.ts';

/** How many handles the greenlet that asks, and its innermost scope, own. */
export const owned = (): number => ownedNow(current() as Greenlet);

export interface SeenLeak {
  readonly kind: string;
  readonly owner: string;
  /** Does the place that opened it lie in the test that is named? */
  readonly here: boolean;
}

/** Apply `patch`, run `body`, undo it; returns the leaks that were told of. `file` is the test's own. */
export async function leaksWith(patch: () => Patch, file: string, body: () => Promise<unknown>): Promise<SeenLeak[]> {
  const leaks: SeenLeak[] = [];
  const unlink = onLeak(({ kind, owner, opened }: Leak) => {
    leaks.push({ kind, owner: owner.replace(/\d+/, 'n'), here: firstLine(opened).includes(file) });
  });
  const applied = patch();
  try {
    await body();
    // Leaks are told of at the end of the turn.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  } finally {
    applied.undo();
    unlink();
  }
  return leaks;
}

const firstLine = (stack: string): string => stack.split('\n').find((line) => /^\s+at /.test(line)) ?? '';

/** The exports of a package whose only file is `code`. */
export function packageOf(code: string): {
  readonly exports: Record<string, (...args: never[]) => unknown>;
  remove(): void;
} {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
  const file = join(folder, 'node_modules', 'opener', 'index.cjs');
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, code);
  const exports = createRequire(import.meta.url)(file) as Record<string, (...args: never[]) => unknown>;
  return { exports, remove: () => rmSync(folder, { recursive: true }) };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** How many bytes of heap `work` leaves behind, done `times` times after it was done as often to warm up. */
export function growthOf(times: number, work: () => void): number {
  for (let time = 0; time < times; time += 1) work();
  collect();
  const { heapUsed } = process.memoryUsage();
  for (let time = 0; time < times; time += 1) work();
  collect();
  return process.memoryUsage().heapUsed - heapUsed;
}
