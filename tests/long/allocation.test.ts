// allocation.test.ts: what waits allocate: nothing for a receive, a yield, a lock; one object for a send; two for a timeout that has to wait.
//
// In bytes, read off the heap around 100,000 operations between which nothing is collected, in a process of its own. The least of many rounds, so that
// what the engine compiles meanwhile does not count; all in one process, so that the code they share has seen them all.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { programFile, root } from '../program-file.ts';

/** More than once in so many operations something may be allocated for all of them: a turn of the loop, a clock reading. */
const perTurn = 4;
/** The smallest thing there is takes 16 bytes; an object of two fields 40. */
const smallest = 16;
const small = 64;

let bytes: Readonly<Record<string, number>> = {};

beforeAll(() => {
  const source = readFileSync(new URL('./allocation-program.ts', import.meta.url), 'utf8');
  const flags = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];
  const output = execFileSync(process.execPath, [...flags, programFile(source, 'allocation'), 'all'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 20,
  });
  const line = output.trim().split('\n').at(-1) as string;
  console.log(line);
  ({ bytes } = JSON.parse(line) as { bytes: Record<string, number> });
}, 280_000);

describe('The measurement', () => {
  it('finds an object of two fields, and nothing where nothing is done', () => {
    expect(bytes['an object of two fields']).toBeGreaterThan(2 * smallest - perTurn);
    expect(bytes['an object of two fields']).toBeLessThan(small);
    expect(Math.abs(bytes.nothing as number)).toBeLessThan(perTurn);
  });
});

describe('Allocation', () => {
  it.each([
    'yieldNow',
    'sleep(0)',
    'receive, ready',
    'receive, parks',
    'Queue.get, ready',
    'Queue.get, parks',
    'Mutex, uncontended',
    'RLock, uncontended',
    'Semaphore, uncontended',
    'Event.wait, set',
    'Event.wait, parks',
  ])('is nothing for %s', (name) => {
    expect(bytes[name]).toBeLessThan(perTurn);
  });

  it.each(['send, ready', 'send, parks', 'send to a receiver that waits', 'Queue.put, ready'])(
    'is one small object for %s',
    (name) => {
      expect(bytes[name]).toBeLessThan(40 + smallest);
    },
  );

  it('is one object for a timeout over a receive that is ready, and a second one if it parks', () => {
    expect(bytes['timeout over a receive, ready']).toBeLessThan(64 + smallest);
    expect(bytes['timeout over a receive, parks']).toBeLessThan(64 + 88 + smallest);
  });
});
