// skynet.ts: How long does it take to start a million greenlets as a tree and to add up their numbers through channels?
//
// The program known as skynet: each node makes a channel, starts ten children and sends the sum of what they sent to its own parent; a leaf
// sends its number. The program is the same for all. Peers that would take minutes or gigabytes for a million run a smaller tree;
// the figure is milliseconds per million, scaled up from it, and the report names the size.
//
// How to run: npm run bench -- --only skynet

import { type Contestant, goPrograms, goSingle, type Outcome, ours, type Row, sumBelow } from './contest.ts';
import { PromiseChannel } from './promise-channel.ts';

type Op<T> = import('tendril').Op<T>;
type Numbers = import('tendril').Channel<number>;
type EffectOf<T> = import('effect').Effect.Effect<T>;
type EffectQueue = import('effect').Queue.Queue<number>;
type EffectionQueue = ReturnType<typeof import('effection').createQueue<number, never>>;

const tendril: Contestant = {
  name: ours,
  async start() {
    const { Channel, run, spawn } = await import('tendril');
    function* node(parent: Numbers, number: number, size: number): Op<void> {
      if (size === 1) {
        yield* parent.send(number);
        return;
      }
      const children: Numbers = new Channel<number>();
      for (let i = 0; i < 10; i += 1) spawn(node, children, number + (i * size) / 10, size / 10);
      let sum = 0;
      for (let i = 0; i < 10; i += 1) sum += yield* children.receive();
      yield* parent.send(sum);
    }
    function* body(count: number) {
      const top: Numbers = new Channel<number>();
      spawn(node, top, 0, count);
      return yield* top.receive();
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

const promises: Contestant = {
  name: 'promises',
  async start() {
    async function node(parent: PromiseChannel<number>, number: number, size: number): Promise<void> {
      if (size === 1) {
        await parent.send(number);
        return;
      }
      const children = new PromiseChannel<number>();
      for (let i = 0; i < 10; i += 1) void node(children, number + (i * size) / 10, size / 10);
      let sum = 0;
      for (let i = 0; i < 10; i += 1) sum += await children.receive();
      await parent.send(sum);
    }
    return async (count): Promise<Outcome> => {
      const top = new PromiseChannel<number>();
      void node(top, 0, count);
      return { answer: await top.receive() };
    };
  },
};

const effection: Contestant = {
  name: 'Effection',
  count: 10_000,
  async start() {
    const { createQueue, run, spawn } = await import('effection');
    function* node(parent: EffectionQueue, number: number, size: number): import('effection').Operation<void> {
      if (size === 1) {
        parent.add(number);
        return;
      }
      const children = createQueue<number, never>();
      for (let i = 0; i < 10; i += 1) {
        const first = number + (i * size) / 10;
        yield* spawn(() => node(children, first, size / 10));
      }
      let sum = 0;
      for (let i = 0; i < 10; i += 1) sum += (yield* children.next()).value;
      parent.add(sum);
    }
    function* body(count: number) {
      const top = createQueue<number, never>();
      yield* spawn(() => node(top, 0, count));
      return (yield* top.next()).value;
    }
    return async (count) => ({ answer: await run(() => body(count)) });
  },
};

const effect: Contestant = {
  name: 'Effect',
  count: 100_000,
  async start() {
    const { Effect, Queue } = await import('effect');
    function node(parent: EffectQueue, number: number, size: number): EffectOf<void> {
      return size === 1 ? Effect.asVoid(Queue.offer(parent, number)) : branch(parent, number, size);
    }
    const branch = Effect.fnUntraced(function* (parent: EffectQueue, number: number, size: number) {
      const children = yield* Queue.bounded<number>(0);
      for (let i = 0; i < 10; i += 1) yield* Effect.forkChild(node(children, number + (i * size) / 10, size / 10));
      let sum = 0;
      for (let i = 0; i < 10; i += 1) sum += yield* Queue.take(children);
      yield* Queue.offer(parent, sum);
    });
    const body = Effect.fnUntraced(function* (count: number) {
      const top = yield* Queue.bounded<number>(0);
      yield* Effect.forkChild(node(top, 0, count));
      return yield* Queue.take(top);
    });
    return async (count) => ({ answer: await Effect.runPromise(body(count)) });
  },
};

export const rows: readonly Row[] = [
  {
    name: 'skynet, 1,000,000 greenlets',
    // Nanoseconds per greenlet are milliseconds per million.
    unit: 'ms',
    measure: 'each',
    better: 'lower',
    count: 1_000_000,
    answer: sumBelow,
    contestants: [
      tendril,
      promises,
      effection,
      effect,
      ...goPrograms('skynet'),
      { name: 'gevent', python: 'skynet', count: 100_000 },
    ],
    goals: [
      { stage: 'first', against: [goSingle], factor: 2 },
      { stage: 'target', against: [goSingle], factor: 1.3 },
      { stage: 'target', against: ['promises'], factor: 1 },
    ],
  },
];
