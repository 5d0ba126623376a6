// queue-round-trip.ts: How long does a round trip take over two queues without a bound, where only the receiving side waits?
//
// The same exchange as channel-round-trip.ts over Channel(Infinity): a send completes at once, so each round trip parks twice and not four times.
// Go has no channel without a bound: its program uses a buffer of 1,024, which is never full here.
//
// How to run: npm run bench -- --only 'queue round trip'

import { type Contestant, goPrograms, type Outcome, ours, type Row } from './contest.ts';
import { PromiseQueue } from './promise-channel.ts';

type Numbers = import('tendril').Channel<number>;
type EffectQueue = import('effect').Queue.Queue<number>;

const tendril: Contestant = {
  name: ours,
  async start() {
    const { Channel, run, spawn } = await import('tendril');
    function* echo(there: Numbers, back: Numbers, count: number) {
      for (let i = 0; i < count; i += 1) yield* back.send((yield* there.receive()) + 1);
    }
    function* body(count: number) {
      const there = new Channel<number>(Infinity);
      const back = new Channel<number>(Infinity);
      spawn(echo, there, back, count);
      let value = 0;
      for (let i = 0; i < count; i += 1) {
        yield* there.send(value);
        value = yield* back.receive();
      }
      return value;
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

/** As promises do it: what cannot wait is a call, not an Op. */
const tendrilTrySend: Contestant = {
  name: 'tendril, trySend',
  async start() {
    const { Channel, run, spawn } = await import('tendril');
    function* echo(there: Numbers, back: Numbers, count: number) {
      for (let i = 0; i < count; i += 1) back.trySend((yield* there.receive()) + 1);
    }
    function* body(count: number) {
      const there = new Channel<number>(Infinity);
      const back = new Channel<number>(Infinity);
      spawn(echo, there, back, count);
      let value = 0;
      for (let i = 0; i < count; i += 1) {
        there.trySend(value);
        value = yield* back.receive();
      }
      return value;
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

const promises: Contestant = {
  name: 'promises',
  async start() {
    async function echo(there: PromiseQueue<number>, back: PromiseQueue<number>, count: number): Promise<void> {
      for (let i = 0; i < count; i += 1) back.push((await there.take()) + 1);
    }
    return async (count): Promise<Outcome> => {
      const there = new PromiseQueue<number>();
      const back = new PromiseQueue<number>();
      const echoing = echo(there, back, count);
      let value = 0;
      for (let i = 0; i < count; i += 1) {
        there.push(value);
        value = await back.take();
      }
      await echoing;
      return { answer: value };
    };
  },
};

const effection: Contestant = {
  name: 'Effection',
  absent: 'its only queue has no bound and stands in the row "channel round trip"',
};

const effect: Contestant = {
  name: 'Effect',
  async start() {
    const { Effect, Fiber, Queue } = await import('effect');
    const echo = Effect.fnUntraced(function* (there: EffectQueue, back: EffectQueue, count: number) {
      for (let i = 0; i < count; i += 1) yield* Queue.offer(back, (yield* Queue.take(there)) + 1);
    });
    const body = Effect.fnUntraced(function* (count: number) {
      const there = yield* Queue.unbounded<number>();
      const back = yield* Queue.unbounded<number>();
      const fiber = yield* Effect.forkChild(echo(there, back, count));
      let value = 0;
      for (let i = 0; i < count; i += 1) {
        yield* Queue.offer(there, value);
        value = yield* Queue.take(back);
      }
      yield* Fiber.join(fiber);
      return value;
    });
    return async (count) => ({ answer: await Effect.runPromise(body(count)) });
  },
};

export const rows: readonly Row[] = [
  {
    name: 'unbounded queue round trip',
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: (count) => count,
    contestants: [
      tendril,
      tendrilTrySend,
      promises,
      effection,
      effect,
      ...goPrograms('queue-round-trip'),
      { name: 'gevent', python: 'queue-round-trip' },
    ],
    goals: [
      { stage: 'first', against: ['promises'], factor: 1 },
      { stage: 'target', against: ['promises'], factor: 0.7 },
    ],
  },
];
