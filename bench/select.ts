// select.ts: What does it cost to receive from whichever of ten channels has a value?
//
// The select is built once and used again. `parked`: it waits on all ten, then one of them gets a value, in turn; the sender yields after each
// so that the receiver waits again (that yield is part of the figure, here and for the peers). `ready`: all ten hold
// a value, and what is taken is put back; `tendril, plain receive` is the same loop over one channel without a select.
//
// How to run: npm run bench -- --only select

import { type Contestant, goPrograms, goSingle, type Outcome, ours, type Row, sumBelow } from './contest.ts';
import { PromiseChannel, selectReceive } from './promise-channel.ts';

type Numbers = import('tendril').Channel<number>;
type EffectQueue = import('effect').Queue.Queue<number>;

const width = 10;

const tendrilParked: Contestant = {
  name: ours,
  async start() {
    const { Channel, run, select, spawn, yieldNow } = await import('tendril');
    function* send(channels: readonly Numbers[], count: number) {
      for (let i = 0; i < count; i += 1) {
        yield* (channels[i % width] as Numbers).send(i);
        yield* yieldNow();
      }
    }
    function* body(count: number) {
      const channels = Array.from({ length: width }, (): Numbers => new Channel<number>());
      const first = select(channels.map((channel) => channel.receive()));
      spawn(send, channels, count);
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += (yield* first).value;
      return sum;
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

const tendrilReady: Contestant = {
  name: ours,
  async start() {
    const { Channel, run, select } = await import('tendril');
    function* body(count: number) {
      const channels = Array.from({ length: width }, (): Numbers => new Channel<number>(1));
      for (const channel of channels) channel.trySend(1);
      const first = select(channels.map((channel) => channel.receive()));
      let sum = 0;
      for (let i = 0; i < count; i += 1) {
        const { key, value } = yield* first;
        (channels[key as number] as Numbers).trySend(value);
        sum += value;
      }
      return sum;
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

const tendrilReceive: Contestant = {
  name: 'tendril, plain receive',
  async start() {
    const { Channel, run } = await import('tendril');
    function* body(count: number) {
      const channel = new Channel<number>(1);
      channel.trySend(1);
      let sum = 0;
      for (let i = 0; i < count; i += 1) {
        const value = yield* channel.receive();
        channel.trySend(value);
        sum += value;
      }
      return sum;
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

const promisesParked: Contestant = {
  name: 'promises',
  async start() {
    async function send(channels: readonly PromiseChannel<number>[], count: number): Promise<void> {
      for (let i = 0; i < count; i += 1) {
        await (channels[i % width] as PromiseChannel<number>).send(i);
        await null;
      }
    }
    return async (count): Promise<Outcome> => {
      const channels = Array.from({ length: width }, () => new PromiseChannel<number>());
      const first = selectReceive(channels);
      const sending = send(channels, count);
      let sum = await first;
      for (let i = 1; i < count; i += 1) sum += await selectReceive(channels);
      await sending;
      return { answer: sum };
    };
  },
};

const effectParked: Contestant = {
  name: 'Effect',
  async start() {
    const { Effect, Queue, Fiber } = await import('effect');
    const send = Effect.fnUntraced(function* (queues: readonly EffectQueue[], count: number) {
      for (let i = 0; i < count; i += 1) {
        yield* Queue.offer(queues[i % width] as EffectQueue, i);
        yield* Effect.yieldNow;
      }
    });
    const body = Effect.fnUntraced(function* (count: number) {
      const queues: EffectQueue[] = [];
      for (let i = 0; i < width; i += 1) queues.push(yield* Queue.bounded<number>(0));
      const first = Effect.raceAllFirst(queues.map((queue) => Queue.take(queue)));
      const fiber = yield* Effect.forkChild(send(queues, count));
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += yield* first;
      yield* Fiber.join(fiber);
      return sum;
    });
    return async (count) => ({ answer: await Effect.runPromise(body(count)) });
  },
};

const noSelect: readonly Contestant[] = [
  { name: 'Effection', absent: 'no select; race() halts its losers, which may have taken a value' },
  { name: 'gevent', absent: 'no select over its queues' },
];

export const rows: readonly Row[] = [
  {
    name: 'select over 10 channels, parked',
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: sumBelow,
    contestants: [tendrilParked, promisesParked, effectParked, ...goPrograms('select-parked'), ...noSelect],
    goals: [{ stage: 'target', against: [goSingle], factor: 0.9 }],
  },
  {
    name: 'select over 10 channels, ready',
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: (count) => count,
    contestants: [
      tendrilReady,
      tendrilReceive,
      { name: 'promises', absent: 'a promise is not looked at, only awaited' },
      { name: 'Effect', absent: 'no select; a race of ready takes loses values' },
      ...goPrograms('select-ready'),
      ...noSelect,
    ],
    goals: [{ stage: 'target', against: ['tendril, plain receive'], factor: 4 }],
  },
];
