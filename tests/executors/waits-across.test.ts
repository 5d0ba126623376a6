// waits-across.test.ts: what kill, throw, timeout and select do to each wait for another thread or process, state by state, as the kill table has it for the kernel.
//
// The other side is made of what it would send, so that a wake comes at a moment of the test's choosing.
import {
  type Greenlet,
  isKilled,
  type Op,
  run,
  select,
  shield,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  type Waitable,
  yieldNow,
} from 'tendril';
import { ChannelEnd } from 'tendril/executors/channels';
import { SharedCounter, SharedMutex, SharedSemaphore } from 'tendril/executors/shared';
import { describe, expect, it } from 'vitest';
import { FakeLink } from './fake-link.ts';

interface Case {
  readonly wait: Waitable<unknown>;
  /** Let it commit now. */
  offer(): void;
  /** What can be seen of the object: it has not happened  if and only if  this has not changed. */
  look(): unknown;
  readonly value: unknown;
  /** Given back by whoever has it. */
  undo(): void;
}

function end(capacity: number): { link: FakeLink; ch: ChannelEnd<number> } {
  const link = new FakeLink();
  return { link, ch: new ChannelEnd<number>(link, { capacity, name: 'jobs', agreed: true }) };
}

const nothing = (): void => {};

const cases: Readonly<Record<string, () => Op<Case>>> = {
  *send() {
    const { link, ch } = end(1);
    ch.trySend(0);
    yield* yieldNow();
    const values = (): unknown => link.posted.flat();
    return { wait: ch.send(1), offer: () => link.sink?.message(1), look: values, value: undefined, undo: nothing };
  },
  *'send, capacity 0'() {
    const { link, ch } = end(0);
    const values = (): unknown => link.posted.flat();
    return { wait: ch.send(1), offer: () => link.sink?.message(1), look: values, value: undefined, undo: nothing };
  },
  *receive() {
    const { link, ch } = end(2);
    return { wait: ch.receive(), offer: () => link.sink?.message([7]), look: () => ch.length, value: 7, undo: nothing };
  },
  *'receive, capacity 0'() {
    const { link, ch } = end(0);
    return { wait: ch.receive(), offer: () => link.sink?.message([7]), look: () => ch.length, value: 7, undo: nothing };
  },
  *next() {
    const { link, ch } = end(2);
    const value = { done: false, value: 7 };
    return { wait: ch.next(), offer: () => link.sink?.message([7]), look: () => ch.length, value, undo: nothing };
  },
  *'acquire of a SharedSemaphore'() {
    const gate = new SharedSemaphore(0);
    return {
      wait: gate.acquire(),
      offer: () => gate.release(),
      look: () => gate.permits,
      value: undefined,
      undo: () => gate.release(),
    };
  },
  *'acquire of a SharedMutex'() {
    const lock = new SharedMutex();
    yield* lock.acquire();
    return {
      wait: lock.acquire(),
      offer: () => lock.release(),
      look: () => lock.locked,
      value: undefined,
      undo: () => lock.release(),
    };
  },
};

type Outcome = { value: unknown } | { error: unknown };

/** A greenlet that starts the wait and writes down what came of it, and what its next wait did. */
function victimOf({ wait, undo }: Case, around: (wait: Waitable<unknown>) => Op<unknown> = (op) => op) {
  const seen: { outcome?: Outcome; next?: Outcome } = {};
  const greenlet = spawn(function* () {
    seen.outcome = yield* outcomeOf(around(wait));
    if ('value' in seen.outcome) undo();
    seen.next = yield* outcomeOf(sleep(0));
  });
  return { greenlet: greenlet as Greenlet<unknown>, seen };
}

function* outcomeOf(op: Op<unknown>): Op<Outcome> {
  try {
    return { value: yield* op };
  } catch (error) {
    return { error };
  }
}

const thrown = new Error('thrown in');
const acts = [
  { act: 'kill', on: (victim: Greenlet<unknown>) => void victim.kill(), matches: isKilled },
  {
    act: 'throw',
    on: (victim: Greenlet<unknown>) => victim.throw(thrown),
    matches: (error: unknown) => error === thrown,
  },
] as const;

describe.each(Object.entries(cases))('%s', (_name, make) => {
  describe.each(acts)('$act', ({ act, on, matches }) => {
    const errorOf = (outcome: Outcome | undefined): unknown => (outcome as { error?: unknown }).error;

    it('parked: it did not happen, and the next one gets what comes', () =>
      run(function* () {
        const made = yield* make();
        const before = made.look();
        const { greenlet, seen } = victimOf(made);
        yield* yieldNow();
        on(greenlet);
        expect([greenlet.state, made.look()]).toEqual(['ready', before]);
        yield* greenlet.join();
        expect(matches(errorOf(seen.outcome))).toBe(true);
        const next = victimOf(made);
        yield* yieldNow();
        made.offer();
        yield* next.greenlet.join();
        expect(next.seen.outcome).toEqual({ value: made.value });
      }));

    it('parked as an arm of a select, under a timeout', () =>
      run(function* () {
        const made = yield* make();
        const before = made.look();
        const { greenlet, seen } = victimOf(made, (wait) => timeout(1e6, select([sleep(1e6), wait])));
        yield* yieldNow();
        on(greenlet);
        yield* greenlet.join();
        expect([matches(errorOf(seen.outcome)), made.look()]).toEqual([true, before]);
        made.offer();
      }));

    it('ready with a committed wake: it returns its value, and the next wait throws', () =>
      run(function* () {
        const made = yield* make();
        const { greenlet, seen } = victimOf(made);
        yield* yieldNow();
        made.offer();
        expect(greenlet.state).toBe('ready');
        on(greenlet);
        yield* greenlet.join();
        expect([seen.outcome, matches(errorOf(seen.next))]).toEqual([{ value: made.value }, true]);
      }));

    it('in a shield: a kill waits for its end', () =>
      run(function* () {
        const made = yield* make();
        const { greenlet, seen } = victimOf(made, (wait) => shield(wait));
        yield* yieldNow();
        on(greenlet);
        yield* yieldNow();
        made.offer();
        yield* greenlet.join();
        if (act === 'kill') expect([seen.outcome, isKilled(errorOf(seen.next))]).toEqual([{ value: made.value }, true]);
        else expect(errorOf(seen.outcome)).toBe(thrown);
      }));
  });

  it('times out, or loses a select: it did not happen', () =>
    run(function* () {
      const made = yield* make();
      const before = made.look();
      const other = spawn(function* () {
        const late = yield* outcomeOf(timeout(1, made.wait));
        const lost = yield* select({ wait: made.wait, time: sleep(1) });
        const none = yield* select({ wait: made.wait }, { else: 'none' });
        return [late, lost.key, none.key, made.look()];
      });
      expect(yield* other.get()).toEqual([{ error: expect.any(TimeoutError) }, 'time', 'else', before]);
      made.offer();
    }));

  it('could complete, and the greenlet is being killed: it does not happen', () =>
    run(function* () {
      const made = yield* make();
      const { greenlet, seen } = victimOf(made);
      greenlet.kill();
      expect([greenlet.state, seen]).toEqual(['done', {}]);
      made.offer();
    }));
});

describe('waitFor of a SharedCounter', () => {
  it.each(acts)('$act while it is parked leaves the counter as it was', ({ on, matches }) =>
    run(function* () {
      const counter = new SharedCounter(1);
      const { greenlet, seen } = victimOf({
        wait: counter.waitFor(2),
        offer: nothing,
        look: nothing,
        value: 2,
        undo: nothing,
      });
      yield* yieldNow();
      on(greenlet);
      yield* greenlet.join();
      const next = spawn(() => counter.waitFor(2));
      yield* yieldNow();
      counter.add();
      expect([matches((seen.outcome as { error: unknown }).error), yield* next.get()]).toEqual([true, 2]);
    }),
  );
});
