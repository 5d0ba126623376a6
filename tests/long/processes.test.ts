// processes.test.ts: F90: many children at once, again and again, of which some end well and some do not: afterwards everything is as it was.
import { readdirSync, readFileSync } from 'node:fs';
import {
  GreenletKilledError,
  hub,
  MaxBufferError,
  type Op,
  openHandles,
  process as proc,
  run,
  scope,
  sleep,
  spawn,
  TimeoutError,
} from 'tendril';
import { describe, expect, it } from 'vitest';

const CHILDREN = 200;
const ROUNDS = 20;

/** What one child is for; each returns a word that says how it went. */
const kinds: readonly ((index: number) => Op<string>)[] = [
  function* echo(index) {
    const { stdout } = yield* proc.exec('echo', [String(index)]);
    return stdout === `${index}\n` ? 'ok' : 'wrong';
  },
  function* filter(index) {
    const input = Buffer.alloc(100_000, index);
    const { stdout } = yield* proc.exec('cat', [], { input, encoding: 'buffer' });
    return stdout.equals(input) ? 'ok' : 'wrong';
  },
  function* killed() {
    const victim = spawn(() => proc.exec('sleep', ['1000']));
    yield* sleep(20);
    victim.kill();
    try {
      yield* victim.get();
    } catch (error) {
      return error instanceof GreenletKilledError ? 'ok' : 'wrong';
    }
    return 'wrong';
  },
  function* abandoned() {
    const child = yield* proc.spawn('sleep', ['1000']);
    const victim = spawn(() => child.wait());
    yield* sleep(20);
    victim.kill();
    const { signal } = yield* child.wait();
    child.close();
    return signal === 'SIGTERM' ? 'ok' : 'wrong';
  },
  function* tooMuch() {
    try {
      yield* proc.exec('yes', [], { maxBuffer: 1000 });
    } catch (error) {
      return error instanceof MaxBufferError && error.stdout.length === 1000 ? 'ok' : 'wrong';
    }
    return 'wrong';
  },
  function* tooSlow() {
    try {
      yield* proc.exec('sleep', ['1000'], { timeoutMs: 20 });
    } catch (error) {
      return error instanceof TimeoutError ? 'ok' : 'wrong';
    }
    return 'wrong';
  },
  function* closed() {
    const child = yield* proc.spawn('cat');
    yield* child.stdin.write('x'.repeat(300_000));
    child.close();
    yield* child.wait();
    return 'ok';
  },
];

/** Our children, zombies among them; only Linux tells. */
function children(): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === process.pid;
    } catch {
      return false;
    }
  });
}

function* left() {
  // Node closes a handle a turn after it was given up.
  yield* sleep(50);
  const { greenlets, daemons, externalWaits, orphans, timers } = hub.stats();
  return {
    descriptors: readdirSync('/dev/fd').length,
    resources: process.getActiveResourcesInfo().filter((name) => /Pipe|Process/.test(name)),
    handles: openHandles().total,
    children: children(),
    greenlets,
    daemons,
    externalWaits,
    orphans,
    timers,
  };
}

function* round() {
  const results: string[] = [];
  yield* scope(function* (s) {
    for (let i = 0; i < CHILDREN; i += 1) {
      s.spawn(function* () {
        const kind = kinds[i % kinds.length] as (index: number) => Op<string>;
        results.push(yield* kind(i));
      });
    }
  });
  return results.filter((result) => result === 'ok').length;
}

describe('Child processes', () => {
  it(`F90: ${CHILDREN} children, ${ROUNDS} times, leave nothing behind`, async () => {
    await run(function* () {
      yield* round();
      const before = yield* left();
      for (let i = 0; i < ROUNDS; i += 1) expect(yield* round()).toBe(CHILDREN);
      expect(yield* left()).toEqual(before);
      expect(before).toMatchObject({ handles: 0, greenlets: 1, orphans: 0 });
    });
  });
});
