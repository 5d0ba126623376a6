// parked-bytes.ts: How much memory does a greenlet take that does nothing but wait on a channel?
//
// The body is `function* () { yield* channel.receive(); }`, hoisted. For JavaScript the figure is the growth of heapUsed after a full collection,
// divided by the number of waiters; for Go the growth of heap and stacks in use; for gevent, which has its stacks outside any
// heap that could be asked, the growth of the resident set. Every round is a new process. Bigger peers park fewer.
//
// How to run: npm run bench -- --only bytes

import { setTimeout as sleep } from 'node:timers/promises';
import { type Contestant, goPrograms, type Outcome, ours, type Row } from './contest.ts';
import { PromiseChannel } from './promise-channel.ts';

/** What must outlive the second measurement. */
const kept: unknown[] = [];

function heapUsed(): number {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('this row needs node --expose-gc');
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Wait until `started()` waiters have begun, and a little longer, so that the last of them waits too. */
async function settle(started: () => number, count: number): Promise<void> {
  do await sleep(50);
  while (started() < count);
  await sleep(50);
}

const tendril: Contestant = {
  name: ours,
  async start() {
    const { Channel, run, spawn } = await import('tendril');
    const channel = new Channel<number>();
    let started = 0;
    function* parked() {
      started += 1;
      yield* channel.receive();
    }
    function* body(count: number) {
      for (let i = 0; i < count; i += 1) spawn(parked);
    }
    return async (count): Promise<Outcome> => {
      await run(body, 1);
      await settle(() => started, 1);
      started = 0;
      const before = heapUsed();
      await run(body, count);
      await settle(() => started, count);
      const total = heapUsed() - before;
      kept.push(channel);
      return { total, answer: started };
    };
  },
};

const promises: Contestant = {
  name: 'promises',
  async start() {
    const channel = new PromiseChannel<number>();
    let started = 0;
    async function parked(): Promise<void> {
      started += 1;
      await channel.receive();
    }
    return async (count): Promise<Outcome> => {
      void parked();
      started = 0;
      const before = heapUsed();
      for (let i = 0; i < count; i += 1) void parked();
      await settle(() => started, count);
      const total = heapUsed() - before;
      kept.push(channel);
      return { total, answer: started };
    };
  },
};

const effection: Contestant = {
  name: 'Effection',
  count: 20_000,
  async start() {
    const { createQueue, run, spawn, suspend } = await import('effection');
    const queue = createQueue<number, never>();
    let started = 0;
    function* parked() {
      started += 1;
      yield* queue.next();
    }
    function* body(count: number) {
      for (let i = 0; i < count; i += 1) yield* spawn(parked);
      yield* suspend();
    }
    return async (count): Promise<Outcome> => {
      kept.push(run(() => body(1)));
      await settle(() => started, 1);
      started = 0;
      const before = heapUsed();
      kept.push(run(() => body(count)));
      await settle(() => started, count);
      const total = heapUsed() - before;
      kept.push(queue);
      return { total, answer: started };
    };
  },
};

const effect: Contestant = {
  name: 'Effect',
  count: 100_000,
  async start() {
    const { Effect, Queue } = await import('effect');
    const queue = Effect.runSync(Queue.bounded<number>(0));
    let started = 0;
    const parked = Effect.fnUntraced(function* () {
      started += 1;
      yield* Queue.take(queue);
    });
    const body = Effect.fnUntraced(function* (count: number) {
      for (let i = 0; i < count; i += 1) yield* Effect.forkDetach(parked());
    });
    return async (count): Promise<Outcome> => {
      await Effect.runPromise(body(1));
      await settle(() => started, 1);
      started = 0;
      const before = heapUsed();
      await Effect.runPromise(body(count));
      await settle(() => started, count);
      const total = heapUsed() - before;
      kept.push(queue);
      return { total, answer: started };
    };
  },
};

export const rows: readonly Row[] = [
  {
    name: 'bytes per parked greenlet',
    unit: 'B',
    measure: 'each',
    better: 'lower',
    count: 500_000,
    fresh: true,
    answer: (count) => count,
    contestants: [
      tendril,
      promises,
      effection,
      effect,
      ...goPrograms('parked-bytes'),
      { name: 'gevent', python: 'parked-bytes', count: 50_000 },
    ],
    goals: [
      { stage: 'first', limit: 480 },
      { stage: 'target', limit: 320 },
    ],
  },
];
