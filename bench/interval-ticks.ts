// interval-ticks.ts: How often does a 1 ms interval fire while greenlets play ping-pong for one second?
//
// A scheduler that never gives the event loop a turn starves timers and sockets: promises alone do not fire a single tick. The ideal is 1,000.
// The exchange is that of channel-round-trip.ts, over the queue where a peer has no channel.
//
// How to run: npm run bench -- --only interval

import { performance } from 'node:perf_hooks';
import { type Contestant, goPrograms, type Outcome, ours, type Row } from './contest.ts';
import { PromiseChannel } from './promise-channel.ts';

type Numbers = import('tendril').Channel<number>;
type EffectQueue = import('effect').Queue.Queue<number>;
type EffectionQueue = ReturnType<typeof import('effection').createQueue<number, never>>;

const durationMs = 1000;
/** Round trips between two looks at the clock. */
const stride = 64;

/** Count the ticks of a 1 ms interval while `play` goes on. */
async function ticksDuring(play: (deadlineMs: number) => Promise<unknown>): Promise<Outcome> {
  let ticks = 0;
  const interval = setInterval(() => {
    ticks += 1;
  }, 1);
  await play(performance.now() + durationMs);
  clearInterval(interval);
  return { total: ticks };
}

const tendril: Contestant = {
  name: ours,
  async start() {
    const { Channel, run, spawn } = await import('tendril');
    function* echo(there: Numbers, back: Numbers) {
      for (;;) {
        const value = yield* there.receive();
        if (value < 0) return;
        yield* back.send(value + 1);
      }
    }
    function* body(deadlineMs: number) {
      const there: Numbers = new Channel<number>();
      const back: Numbers = new Channel<number>();
      const echoing = spawn(echo, there, back);
      let value = 0;
      while (value % stride !== 0 || performance.now() < deadlineMs) {
        yield* there.send(value);
        value = yield* back.receive();
      }
      yield* there.send(-1);
      yield* echoing.join();
    }
    return () => ticksDuring((deadlineMs) => run(body, deadlineMs));
  },
};

const promises: Contestant = {
  name: 'promises',
  async start() {
    async function echo(there: PromiseChannel<number>, back: PromiseChannel<number>): Promise<void> {
      for (;;) {
        const value = await there.receive();
        if (value < 0) return;
        await back.send(value + 1);
      }
    }
    return () =>
      ticksDuring(async (deadlineMs) => {
        const there = new PromiseChannel<number>();
        const back = new PromiseChannel<number>();
        const echoing = echo(there, back);
        let value = 0;
        while (value % stride !== 0 || performance.now() < deadlineMs) {
          await there.send(value);
          value = await back.receive();
        }
        await there.send(-1);
        await echoing;
      });
  },
};

const effection: Contestant = {
  name: 'Effection',
  async start() {
    const { createQueue, run, spawn } = await import('effection');
    function* echo(there: EffectionQueue, back: EffectionQueue) {
      for (;;) back.add((yield* there.next()).value + 1);
    }
    function* body(deadlineMs: number) {
      const there = createQueue<number, never>();
      const back = createQueue<number, never>();
      yield* spawn(() => echo(there, back));
      let value = 0;
      while (value % stride !== 0 || performance.now() < deadlineMs) {
        there.add(value);
        value = (yield* back.next()).value;
      }
    }
    return () => ticksDuring((deadlineMs) => run(() => body(deadlineMs)));
  },
};

const effect: Contestant = {
  name: 'Effect',
  async start() {
    const { Effect, Fiber, Queue } = await import('effect');
    const echo = Effect.fnUntraced(function* (there: EffectQueue, back: EffectQueue) {
      for (;;) {
        const value = yield* Queue.take(there);
        if (value < 0) return;
        yield* Queue.offer(back, value + 1);
      }
    });
    const body = Effect.fnUntraced(function* (deadlineMs: number) {
      const there = yield* Queue.bounded<number>(0);
      const back = yield* Queue.bounded<number>(0);
      const echoing = yield* Effect.forkChild(echo(there, back));
      let value = 0;
      while (value % stride !== 0 || performance.now() < deadlineMs) {
        yield* Queue.offer(there, value);
        value = yield* Queue.take(back);
      }
      yield* Queue.offer(there, -1);
      yield* Fiber.join(echoing);
    });
    return () => ticksDuring((deadlineMs) => Effect.runPromise(body(deadlineMs)));
  },
};

export const rows: readonly Row[] = [
  {
    name: 'interval ticks in 1 s of ping-pong',
    unit: 'ticks',
    measure: 'whole',
    better: 'higher',
    count: 1,
    contestants: [
      tendril,
      promises,
      effection,
      effect,
      ...goPrograms('interval-ticks'),
      { name: 'gevent', python: 'interval-ticks' },
    ],
    goals: [{ stage: 'first', limit: 300 }],
  },
];
