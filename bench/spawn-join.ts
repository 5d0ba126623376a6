// spawn-join.ts: What does it cost to start a greenlet and wait for its end, one after the other?
//
// The body returns its argument; the answer is the sum of what came back. A spawned greenlet starts when its parent waits, so the promise
// peer starts its async function in a microtask of its own and awaits the result: `Promise.resolve(i).then(body)`.
//
// How to run: npm run bench -- --only spawn

import { type Contestant, goPrograms, goSingle, type Outcome, ours, type Row, sumBelow } from './contest.ts';

const tendril: Contestant = {
  name: ours,
  async start() {
    const { run, spawn } = await import('tendril');
    function* child(i: number) {
      return i;
    }
    function* body(count: number) {
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += yield* spawn(child, i).get();
      return sum;
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

const promises: Contestant = {
  name: 'promises',
  async start() {
    async function child(i: number): Promise<number> {
      return i;
    }
    return async (count): Promise<Outcome> => {
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += await Promise.resolve(i).then(child);
      return { answer: sum };
    };
  },
};

const effection: Contestant = {
  name: 'Effection',
  async start() {
    const { run, spawn } = await import('effection');
    function* child(i: number) {
      return i;
    }
    function* body(count: number) {
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += yield* yield* spawn(() => child(i));
      return sum;
    }
    return async (count) => ({ answer: await run(() => body(count)) });
  },
};

const effect: Contestant = {
  name: 'Effect',
  async start() {
    const { Effect, Fiber } = await import('effect');
    const child = Effect.fnUntraced(function* (i: number) {
      return i;
    });
    const body = Effect.fnUntraced(function* (count: number) {
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += yield* Fiber.join(yield* Effect.forkChild(child(i)));
      return sum;
    });
    return async (count) => ({ answer: await Effect.runPromise(body(count)) });
  },
};

export const rows: readonly Row[] = [
  {
    name: 'spawn + join',
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: sumBelow,
    contestants: [
      tendril,
      promises,
      effection,
      effect,
      ...goPrograms('spawn-join'),
      { name: 'gevent', python: 'spawn-join' },
    ],
    goals: [
      { stage: 'first', against: [goSingle], factor: 1 },
      { stage: 'target', against: [goSingle], factor: 0.65 },
    ],
  },
];
