// local-tasks.ts: what workers of this machine are made to run by the tests that are theirs alone.
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { parentPort, threadId } from 'node:worker_threads';
import type { Op } from 'tendril';
import { defineTasks, move } from 'tendril/executors';

export const localTasks = defineTasks(import.meta.url, {
  where: (): string => `${process.pid}:${threadId}`,
  /** Leaves a line for each time that it runs. */
  mark: (file: string): void => {
    appendFileSync(file, 'ran\n');
    process.exit(1);
  },
  reject: (): Promise<never> => {
    Promise.reject(new Error('nobody awaits this'));
    return new Promise(() => {});
  },
  exhaust: (): never => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(100_000).fill(kept.length));
  },
  /** Sends messages of its own the way that the worker sends its. */
  says: (messages: readonly unknown[]): string => {
    for (const message of messages) {
      if (parentPort !== null) parentPort.postMessage(message);
      else process.send?.(message);
    }
    return 'said';
  },
  nested: (depth: number): unknown => {
    let value: unknown = 'inner';
    for (let i = 0; i < depth; i += 1) value = { value };
    return value;
  },
  readOnce: (): object => ({
    get value(): never {
      throw new Error('cannot be read');
    },
  }),
  *spinSlowly(): Op<never> {
    yield* spinBelow();
    throw new Error('not reached');
  },
  fill: (bytes: Uint8Array): Uint8Array => move(bytes.fill(7)),
  set: (shared: SharedArrayBuffer): void => {
    new Int32Array(shared)[0] = 42;
  },
  /** Computes for a while, and says when. */
  hashed: (text: string, rounds: number): { startMs: number; endMs: number } => {
    const startMs = performance.timeOrigin + performance.now();
    let digest = text;
    for (let round = 0; round < rounds; round += 1) digest = createHash('sha256').update(digest).digest('hex');
    return { startMs, endMs: performance.timeOrigin + performance.now() };
  },
  size: (a: Uint8Array, b: Uint8Array): number => a.length + b.length,
  strings: (count: number): string[] => Array.from({ length: count }, () => 'x'.repeat(100)),
});

function* spinBelow(): Op<void> {
  for (;;);
}
