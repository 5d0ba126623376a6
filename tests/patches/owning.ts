// owning.ts: what the tests of ownership share: applying patches for one test, hearing of leaks, code that is a package's.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
