// producer-consumer.ts: What does one message cost from a producer to a consumer over an unbuffered channel?
//
// The values go one way, so one side can complete at once where the other already waits. The consumer adds them all up.
// Effection's queue does not make the producer wait: its consumer would only start when all was produced, so it is left out.
//
// How to run: npm run bench -- --only producer

import { type Contestant, goPrograms, goSingle, type Outcome, ours, type Row, sumBelow } from './contest.ts';
import { PromiseChannel } from './promise-channel.ts';

type Numbers = import('tendril').Channel<number>;
type EffectQueue = import('effect').Queue.Queue<number>;

const tendril: Contestant = {
  name: ours,
  async start() {
    const { Channel, run, spawn } = await import('tendril');
    function* produce(channel: Numbers, count: number) {
      for (let i = 0; i < count; i += 1) yield* channel.send(i);
    }
    function* body(count: number) {
      const channel = new Channel<number>();
      spawn(produce, channel, count);
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += yield* channel.receive();
      return sum;
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

const promises: Contestant = {
  name: 'promises',
  async start() {
    async function produce(channel: PromiseChannel<number>, count: number): Promise<void> {
      for (let i = 0; i < count; i += 1) await channel.send(i);
    }
    return async (count): Promise<Outcome> => {
      const channel = new PromiseChannel<number>();
      const producing = produce(channel, count);
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += await channel.receive();
      await producing;
      return { answer: sum };
    };
  },
};

const effect: Contestant = {
  name: 'Effect',
  async start() {
    const { Effect, Fiber, Queue } = await import('effect');
    const produce = Effect.fnUntraced(function* (queue: EffectQueue, count: number) {
      for (let i = 0; i < count; i += 1) yield* Queue.offer(queue, i);
    });
    const body = Effect.fnUntraced(function* (count: number) {
      const queue = yield* Queue.bounded<number>(0);
      const fiber = yield* Effect.forkChild(produce(queue, count));
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += yield* Queue.take(queue);
      yield* Fiber.join(fiber);
      return sum;
    });
    return async (count) => ({ answer: await Effect.runPromise(body(count)) });
  },
};

export const rows: readonly Row[] = [
  {
    name: 'producer to consumer',
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: sumBelow,
    contestants: [
      tendril,
      promises,
      { name: 'Effection', absent: 'no channel that makes the producer wait' },
      effect,
      ...goPrograms('producer-consumer'),
      { name: 'gevent', python: 'producer-consumer' },
    ],
    goals: [{ stage: 'target', against: [goSingle], factor: 0.8 }],
  },
];
