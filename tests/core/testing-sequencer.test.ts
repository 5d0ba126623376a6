// testing-sequencer.test.ts: an order that is forced on code in different greenlets.
import {
  Channel,
  DeadlockError,
  isKilled,
  type Op,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril';
import { explore, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { waitAllBlocked } from '../../core/testing/blocked.ts';
import { Sequencer, SequencerBrokenError } from '../../core/testing/sequencer.ts';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, thrownAtCall, watch } from './world.ts';

function sequencer(name?: string): Sequencer {
  return watch(new Sequencer({ name }));
}

describe('Sequencer.step', () => {
  it('runs steps in the order of their numbers, whoever comes first', () =>
    play(function* () {
      const seq = sequencer();
      const order: number[] = [];
      const greenlets = [4, 1, 3, 0, 2].map((n) =>
        spawn(function* () {
          yield* seq.step(n);
          order.push(n);
        }),
      );
      for (const greenlet of greenlets) yield* greenlet.join();
      expect(order).toEqual([0, 1, 2, 3, 4]);
      expect(seq.turn).toBe(5);
    }));

  it('lasts until its greenlet begins its next step: the others run in between, not before', () =>
    play(function* () {
      const seq = sequencer();
      const order: string[] = [];
      const a = spawn(function* () {
        yield* seq.step(0);
        order.push('a begins');
        yield* sleep(10);
        order.push('a ends its step');
        yield* seq.step(2);
        order.push('a again');
      });
      const b = spawn(function* () {
        yield* seq.step(1);
        order.push('b');
        yield* seq.step(3);
        order.push('b again');
      });
      yield* a.join();
      yield* b.join();
      expect(order).toEqual(['a begins', 'a ends its step', 'b', 'a again', 'b again']);
    }));

  it('does not switch if its turn has come, also from one step to the next', () =>
    play(function* () {
      const seq = sequencer();
      const order: string[] = [];
      spawn(function* () {
        order.push('other');
      });
      yield* seq.step(0);
      yield* seq.step(1);
      order.push('me');
      yield* yieldNow();
      expect(order).toEqual(['me', 'other']);
    }));

  it('ends with release()', () =>
    play(function* () {
      const seq = sequencer();
      const order: string[] = [];
      const other = spawn(function* () {
        yield* seq.step(1);
        order.push('other');
      });
      yield* seq.step(0);
      yield* sleep(10);
      expect(order).toEqual([]);
      seq.release();
      yield* sleep(10);
      expect(order).toEqual(['other']);
      yield* other.join();
    }));

  it.each(['returns', 'throws', 'is killed'] as const)('ends with its greenlet, which %s', (how) =>
    play(function* () {
      const seq = sequencer();
      const first = spawnQuietly(function* () {
        yield* seq.step(0);
        if (how === 'throws') throw new Error('in the step');
        if (how === 'is killed') yield* sleep(1000);
      });
      const second = spawn(function* () {
        yield* seq.step(1);
        return 'second';
      });
      yield* sleep(1);
      first.kill();
      expect(yield* second.get()).toBe('second');
    }),
  );

  it('runs an Op as the step and returns its value; the step is finished however the Op ends', () =>
    play(function* () {
      const seq = sequencer();
      const order: string[] = [];
      function* work(name: string, error?: Error): Op<string> {
        order.push(`${name} begins`);
        yield* sleep(5);
        order.push(`${name} ends`);
        if (error !== undefined) throw error;
        return name;
      }
      const values = [2, 1, 0].map((n) => spawn(() => seq.step(n, work(`step ${n}`))));
      const error = new Error('in step 3');
      const failing = spawn(() => thrownBy(seq.step(3, work('step 3', error))));
      const last = spawn(() => seq.step(4, work('step 4')));
      const got: unknown[] = [];
      for (const value of values) got.push(yield* value.get());
      expect(got).toEqual(['step 2', 'step 1', 'step 0']);
      expect(yield* failing.get()).toBe(error);
      yield* last.get();
      expect(order).toEqual([0, 1, 2, 3, 4].flatMap((n) => [`step ${n} begins`, `step ${n} ends`]));
    }));

  it('may be finished early, inside its Op, by the next step of the same greenlet', () =>
    play(function* () {
      const seq = sequencer();
      const order: string[] = [];
      const other = spawn(function* () {
        yield* seq.step(1);
        order.push('other');
      });
      yield* seq.step(
        0,
        (function* () {
          yield* seq.step(2);
          order.push('inner');
        })(),
      );
      order.push('outer');
      expect([order, seq.turn]).toEqual([['other', 'inner', 'outer'], 2]);
      seq.release();
      yield* other.join();
    }));

  it('leaves the next one its turn when its greenlet is killed after its turn has come and before it runs', () =>
    play(function* () {
      const seq = sequencer();
      const victim = spawnQuietly(function* () {
        yield* seq.step(1);
        yield* sleep(1000);
      });
      const next = spawn(() => seq.step(2));
      yield* seq.step(0);
      yield* yieldNow();
      seq.release();
      victim.kill(); // it has its step; the kill comes out at the sleep
      yield* next.join();
      expect(seq.broken).toBe(false);
    }));

  it('can be kept and is refused the second time, because its number is taken', () =>
    play(function* () {
      const seq = sequencer('twice');
      const op = seq.step(0);
      yield* op;
      expect(String(yield* thrownBy(op))).toBe(
        'UsageError: step 0 of sequencer twice is taken by greenlet-1: a number is given once; make a new Sequencer to repeat',
      );
      seq.release();
      expect(String(yield* thrownBy(op))).toContain('step 0 of sequencer twice is over');
    }));
});

describe('A greenlet that gives up while it waits for its step', () => {
  const why = (n: number) => `SequencerBrokenError: sequencer s is broken: greenlet-2 gave up waiting for step ${n}`;

  it('by a kill breaks the sequence for all who wait and all who come', () =>
    play(function* () {
      const seq = sequencer('s');
      const victim = spawnQuietly(() => seq.step(1));
      const waiting = [3, 2].map((n) => spawn(() => thrownBy(seq.step(n))));
      yield* seq.step(0);
      yield* yieldNow();
      victim.kill();
      const errors: unknown[] = [];
      for (const greenlet of waiting) errors.push(yield* greenlet.get());
      expect(errors.map(String)).toEqual([why(1), why(1)]);
      expect(errors.every((error) => error instanceof SequencerBrokenError)).toBe(true);
      expect((errors[0] as SequencerBrokenError).code).toBe('ERR_SEQUENCER_BROKEN');
      expect((errors[0] as Error).stack).toMatch(/at thrownBy \(/);
      expect(victim.outcome?.ok === false && victim.killed).toBe(true);
      expect(String(yield* thrownBy(seq.step(4)))).toBe(why(1));
      expect(seq.broken).toBe(true);
      seq.release(); // whoever is in a step may finish it
    }));

  it('by a timeout gets its TimeoutError, and breaks it too', () =>
    play(function* () {
      const seq = sequencer('s');
      const giving = spawn(() => thrownBy(timeout(5, seq.step(1))));
      const waiting = spawn(() => thrownBy(seq.step(2)));
      yield* seq.step(0);
      const error = yield* giving.get();
      expect(error).toBeInstanceOf(TimeoutError);
      expect(String(error)).toContain('step 1 on sequencer s (greenlet-1 is in step 0)');
      expect(String(yield* waiting.get())).toBe(why(1));
    }));

  it('by another arm of a select breaks it too, also for its own other arms', () =>
    play(function* () {
      const seq = sequencer('s');
      const jobs = new Channel<number>();
      const choosing = spawn(() => select({ job: jobs.receive(), first: seq.step(1), second: seq.step(3) }));
      const waiting = spawn(() => thrownBy(seq.step(2)));
      yield* seq.step(0);
      yield* yieldNow();
      yield* jobs.send(7);
      expect(yield* choosing.get()).toEqual({ key: 'job', value: 7 });
      expect(String(yield* waiting.get())).toMatch(/greenlet-2 gave up waiting for step [13]/);
    }));

  it('leaves a selecting waiter whole: one that breaks is chosen once', () =>
    play(function* () {
      const [one, two] = [sequencer('one'), sequencer('two')];
      const victim = spawnQuietly(() => select([one.step(1), two.step(1)]));
      const selecting = spawn(() => thrownBy(select([one.step(2), two.step(2)])));
      const both = spawn(() => thrownBy(select([one.step(3), one.step(4)])));
      const last = spawn(() => thrownBy(two.step(3)));
      yield* one.step(0);
      yield* two.step(0);
      yield* yieldNow();
      victim.kill();
      expect(yield* selecting.get()).toBeInstanceOf(SequencerBrokenError);
      expect(yield* both.get()).toBeInstanceOf(SequencerBrokenError);
      expect(yield* last.get()).toBeInstanceOf(SequencerBrokenError);
    }));

  it('passes a kill on as a kill', () =>
    play(function* () {
      const seq = sequencer();
      const errors: unknown[] = [];
      const victim = spawnQuietly(function* () {
        errors.push(yield* thrownBy(seq.step(1, sleep(5))));
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(errors.map(isKilled)).toEqual([true]);
    }));
});

describe('Misuse of a Sequencer', () => {
  it('is named: a number that is waited for, under way or over', () =>
    play(function* () {
      const seq = sequencer('s');
      const waiting = spawn(() => seq.step(2));
      yield* seq.step(0);
      yield* yieldNow();
      const errors: string[] = [];
      for (const n of [2, 0]) errors.push(String(yield* thrownBy(seq.step(n))));
      errors.push(String(yield* spawn(() => thrownBy(seq.step(0))).get()));
      yield* seq.step(1);
      errors.push(String(yield* thrownBy(seq.step(0))));
      const end = ': a number is given once; make a new Sequencer to repeat';
      expect(errors).toEqual([
        `UsageError: step 2 of sequencer s is taken by greenlet-2, which waits for it${end}`,
        `UsageError: step 0 of sequencer s is taken by greenlet-1${end}`,
        `UsageError: step 0 of sequencer s is taken by greenlet-1${end}`,
        `UsageError: step 0 of sequencer s is over${end}`,
      ]);
      seq.release();
      yield* waiting.join();
    }));

  it('is named: twice the same step in one select', () =>
    play(function* () {
      const seq = sequencer('s');
      const error = yield* thrownBy(select([seq.step(1), seq.step(1)]));
      expect(String(error)).toContain('step 1 of sequencer s is taken by greenlet-1, which waits for it');
    }));

  it('is named: release() by one who is in no step', () =>
    play(function* () {
      const seq = sequencer();
      const holder = spawn(function* () {
        yield* seq.step(0);
        yield* sleep(5);
      });
      yield* yieldNow();
      expect(String(thrownAtCall(() => seq.release()))).toBe(
        'UsageError: greenlet-1 is in no step of a sequencer: greenlet-2 is in step 0',
      );
      yield* holder.join();
    }));

  it('is named: release() outside greenlets, numbers that are none, what is no Op', () => {
    const seq = new Sequencer({ name: 's' });
    const step = seq.step.bind(seq) as (...args: unknown[]) => unknown;
    const calls = [
      () => seq.release(),
      () => step(-1),
      () => step(1.5),
      () => step('1'),
      () => step(1, () => sleep(1)),
      () => step(1, undefined),
    ];
    expect(calls.map((call) => String(thrownAtCall(call)))).toEqual([
      'NotInGreenletError: release was started outside a greenlet: put it in a generator function and use run(), spawn() or main()',
      'RangeError: a step of sequencer s is a whole number from 0 on, not the number -1',
      'RangeError: a step of sequencer s is a whole number from 0 on, not the number 1.5',
      'RangeError: a step of sequencer s is a whole number from 0 on, not the string "1"',
      'TypeError: step takes an Op, not a function: call it',
      'TypeError: step takes an Op, not undefined',
    ]);
  });

  it('that leaves a number out is a deadlock whose report says what is missing', async () => {
    const seq = new Sequencer({ name: 'login' });
    const error = await simulate(function* () {
      yield* seq.step(0, yieldNow());
      yield* seq.step(2);
    }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DeadlockError);
    expect(String(error)).toContain('greenlet-1 waits: step 2 on sequencer login (nobody is in step 1)');
  });

  it('is found by check(): an order that does not hold', () => {
    const waiter = { owner: () => ({ name: 'nobody' }), fire: () => {} } as never;
    const late = new Sequencer();
    late.check();
    late.enlist(waiter, 0);
    const broken = new Sequencer();
    broken.enlist(waiter, 1);
    broken.retract(waiter, 1);
    broken.enlist(waiter, 2);
    const ended = new Sequencer();
    ended.begin({ state: 'done', onEnd: () => {} } as never, 0);
    expect([late, broken, ended].map((seq) => String(thrownAtCall(() => seq.check())))).toEqual([
      'Error: a sequencer: step 0 is waited for at step 0',
      'Error: a sequencer: somebody waits though it is broken',
      'Error: a sequencer: the greenlet in step 0 has ended',
    ]);
  });
});

describe('A Sequencer under any schedule', () => {
  it('gives one order, with steps that end in every way', () =>
    explore(
      function* (world) {
        const seq = new Sequencer();
        world.always(() => seq.check());
        const order: number[] = [];
        function* work(n: number): Op<void> {
          order.push(n);
          yield* yieldNow();
          order.push(n);
          if (n % 3 === 0) throw new Error('a step may fail');
        }
        const greenlets = [5, 2, 0, 4].map((n) =>
          spawnQuietly(function* () {
            yield* n % 2 === 0 ? seq.step(n, work(n)) : stepsInARow(n);
          }),
        );
        function* stepsInARow(n: number): Op<void> {
          yield* seq.step(n);
          yield* work(n);
          yield* seq.step(n + 1);
          yield* work(n + 1);
        }
        greenlets.push(
          spawnQuietly(function* () {
            yield* seq.step(1);
            yield* work(1);
            yield* seq.step(3);
            yield* work(3);
          }),
        );
        for (const greenlet of greenlets) yield* greenlet.join();
        const expected = [0, 1, 2, 3, 4, 5, 6].flatMap((n) => [n, n]);
        if (String(order) !== String(expected)) throw new Error(`the order was ${order}`);
      },
      { seeds: 300 },
    ));

  it('is broken by a kill if and only if the victim waits for its step; then nobody waits for ever', () =>
    explore(
      function* (world) {
        const seq = new Sequencer();
        world.always(() => seq.check());
        const ended: string[] = [];
        const greenlets = [2, 1, 0, 3].map((n) =>
          spawnQuietly(function* () {
            try {
              yield* seq.step(n, sleep(2));
              ended.push('did it');
            } catch (error) {
              ended.push((error as { code: string }).code);
              throw error;
            }
          }),
        );
        yield* waitAllBlocked();
        yield* sleep(world.pick([1, 2, 3, 4]));
        const victim = world.pick(greenlets);
        const waited = /^step/.test(victim.waitingOn?.describe().op ?? '');
        victim.kill();
        for (const greenlet of greenlets) yield* greenlet.join();
        if (seq.broken !== waited) throw new Error(`broken: ${seq.broken}, but the victim waited: ${waited}`);
        if (ended.includes('ERR_SEQUENCER_BROKEN') && !waited) throw new Error(`refused for no reason: ${ended}`);
        if (ended.length !== 4 || (!waited && seq.turn !== 4)) throw new Error(`it stands at ${seq.turn}: ${ended}`);
      },
      { seeds: 300 },
    ));
});

describe('A Sequencer outside a simulation', () => {
  it('orders greenlets of the process', async () => {
    const seq = new Sequencer();
    const order: number[] = [];
    await run(function* () {
      const greenlets = [2, 0, 1].map((n) =>
        spawn(() =>
          seq.step(
            n,
            (function* () {
              yield* sleep(1);
              order.push(n);
            })(),
          ),
        ),
      );
      for (const greenlet of greenlets) yield* greenlet.join();
    });
    expect(order).toEqual([0, 1, 2]);
  });
});
