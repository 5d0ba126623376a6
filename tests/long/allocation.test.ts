// allocation.test.ts: what waits allocate: nothing for a receive, a yield, a lock; one object for a send; two for a timeout that has to wait.
//
// In bytes, read off the heap around 100,000 operations between which nothing is collected, in a process of its own. The least of many rounds, so that
// what the engine compiles meanwhile does not count; all in one process, so that the code they share has seen them all.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { programFile, root } from '../program-file.ts';

/** Less than this for one operation is a turn of the loop, or a clock reading, once in many: the smallest thing there is takes 16 bytes. */
const nothing = 4;
const slack = 16;
/** An object of two fields. */
const small = 40 + slack;

/** At most so many bytes for one operation. */
const bounds: Readonly<Record<string, number>> = {
  yieldNow: nothing,
  'sleep(0)': nothing,
  'receive, ready': nothing,
  'receive, parks': nothing,
  'Queue.get, ready': nothing,
  'Queue.get, parks': nothing,
  'Mutex, uncontended': nothing,
  'RLock, uncontended': nothing,
  'Semaphore, uncontended': nothing,
  'Event.wait, set': nothing,
  'Event.wait, parks': nothing,
  'send, ready': small,
  'send, parks': small,
  'send to a receiver that waits': small,
  'Queue.put, ready': small,
  'timeout over a receive, ready': 64 + slack,
  'timeout over a receive, parks': 64 + 88 + slack,
};

const bytes: Record<string, number> = {};

function measure(...names: readonly string[]): void {
  const flags = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];
  const program = programFile(readFileSync(new URL('./allocation-program.ts', import.meta.url), 'utf8'), 'allocation');
  const output = execFileSync(process.execPath, [...flags, program, ...names], { cwd: root, encoding: 'utf8' });
  const line = output.trim().split('\n').at(-1) as string;
  console.log(line);
  const seen = (JSON.parse(line) as { bytes: Record<string, number> }).bytes;
  for (const [name, value] of Object.entries(seen))
    bytes[name] = Math.min(value, bytes[name] ?? Number.POSITIVE_INFINITY);
}

function above(): string[] {
  return Object.keys(bounds).filter((name) => (bytes[name] as number) >= (bounds[name] as number));
}

beforeAll(() => {
  measure('all');
  // The engine may leave a loop half compiled for the life of a process; it does not do so every time.
  for (let i = 0; i < 2 && above().length > 0; i += 1) measure(...above());
}, 280_000);

const named = (bound: (value: number) => boolean): string[] =>
  Object.keys(bounds).filter((name) => bound(bounds[name] as number));

describe('The measurement', () => {
  it('finds an object of two fields, and nothing where nothing is done', () => {
    expect(bytes['an object of two fields']).toBeGreaterThan(40 - nothing);
    expect(bytes['an object of two fields']).toBeLessThan(small);
    expect(Math.abs(bytes.nothing as number)).toBeLessThan(nothing);
  });
});

describe('Allocation', () => {
  it.each(named((value) => value === nothing))('is nothing for %s', (name) => {
    expect(bytes[name]).toBeLessThan(bounds[name] as number);
  });

  it.each(named((value) => value === small))('is one small object for %s', (name) => {
    expect(bytes[name]).toBeLessThan(bounds[name] as number);
  });

  it.each(named((value) => value > small))('is one object for a timeout, and a second one if it waits: %s', (name) => {
    expect(bytes[name]).toBeLessThan(bounds[name] as number);
  });
});
