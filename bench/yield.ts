// yield.ts: What does it cost to let the others run, with two greenlets taking turns?
//
// Each of the two yields half of `count` times. For promises a yield is `await null` (a microtask: unlike ours it never lets timers and sockets in),
// for Go runtime.Gosched, for gevent sleep(0). Effection has no yield; its sleep(0) is a timer of 1 ms, which measures the timer.
//
// How to run: npm run bench -- --only 'yield, 2'

import { type Contestant, goPrograms, goSingle, type Outcome, ours, type Row } from './contest.ts';

const tendril: Contestant = {
  name: ours,
  async start() {
    const { run, spawn, yieldNow } = await import('tendril');
    let turns = 0;
    function* takeTurns(count: number) {
      for (let i = 0; i < count; i += 1) {
        yield* yieldNow();
        turns += 1;
      }
    }
    function* body(count: number) {
      const [one, other] = [spawn(takeTurns, count / 2), spawn(takeTurns, count / 2)];
      yield* one.join();
      yield* other.join();
    }
    return async (count): Promise<Outcome> => {
      turns = 0;
      await run(body, count);
      return { answer: turns };
    };
  },
};

const promises: Contestant = {
  name: 'promises',
  async start() {
    let turns = 0;
    async function takeTurns(count: number): Promise<void> {
      for (let i = 0; i < count; i += 1) {
        await null;
        turns += 1;
      }
    }
    return async (count): Promise<Outcome> => {
      turns = 0;
      const other = takeTurns(count / 2);
      await takeTurns(count / 2);
      await other;
      return { answer: turns };
    };
  },
};

const effect: Contestant = {
  name: 'Effect',
  async start() {
    const { Effect, Fiber } = await import('effect');
    let turns = 0;
    const takeTurns = Effect.fnUntraced(function* (count: number) {
      for (let i = 0; i < count; i += 1) {
        yield* Effect.yieldNow;
        turns += 1;
      }
    });
    const body = Effect.fnUntraced(function* (count: number) {
      const other = yield* Effect.forkChild(takeTurns(count / 2));
      yield* takeTurns(count / 2);
      yield* Fiber.join(other);
    });
    return async (count): Promise<Outcome> => {
      turns = 0;
      await Effect.runPromise(body(count));
      return { answer: turns };
    };
  },
};

/** A body that gives way in its own way, `count` times. */
type Body = (count: number) => Generator<unknown, void, unknown>;

/** What no scheduler in JavaScript goes below: two generators that are resumed in turn, with no state, no queue and nobody to kill. */
function floor(name: string, body: Body): Contestant {
  return {
    name,
    async start() {
      return async (count): Promise<Outcome> => {
        const [one, other] = [body(count / 2), body(count / 2)];
        let turns = -2;
        for (let open = 2; open > 0; turns += 2) open = Number(!one.next().done) + Number(!other.next().done);
        return { answer: turns };
      };
    },
  };
}

const bareYield = floor('floor: yield, next()', function* (count) {
  for (let i = 0; i < count; i += 1) yield;
});

/** As our leaf: one iterator for all, whose first next() is not done and whose second is. */
class Leaf {
  readonly #pending: IteratorResult<undefined, void> = { done: false, value: undefined };
  readonly #done: IteratorResult<undefined, void> = { done: true, value: undefined };
  #started = false;
  [Symbol.iterator](): this {
    this.#started = false;
    return this;
  }
  next(): IteratorResult<undefined, void> {
    if (this.#started) return this.#done;
    this.#started = true;
    return this.#pending;
  }
}

const bareDelegation = floor('floor: yield* over an iterator, next()', function* (count) {
  const leaf = new Leaf();
  for (let i = 0; i < count; i += 1) yield* leaf;
});

export const rows: readonly Row[] = [
  {
    name: 'yield, 2 greenlets',
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: (count) => count,
    contestants: [
      tendril,
      bareYield,
      bareDelegation,
      promises,
      { name: 'Effection', absent: 'no yield' },
      effect,
      ...goPrograms('yield'),
      { name: 'gevent', python: 'yield' },
    ],
    goals: [
      { stage: 'target', against: ['promises'], factor: 1 },
      { stage: 'stretch', against: [goSingle], factor: 1 },
    ],
  },
];
