// timeout.ts: How much does a timeout add to a receive, when it is armed and cancelled and never fires?
//
// Each round does the same receives with and without the timeout, in turns, and reports the difference for one receive. `ready`: the value
// is there, so tendril looks first and arms nothing. `parking`: the receive waits for another greenlet. Peers arm and cancel what
// their users would: setTimeout + clearTimeout or AbortSignal.timeout with a listener, Effect.timeout, time.NewTimer, gevent.Timeout.
//
// How to run: npm run bench -- --only timeout

import { type Contestant, goPrograms, goSingle, type Outcome, ours, type Round, type Row } from './contest.ts';
import { PromiseQueue } from './promise-channel.ts';

type Numbers = import('tendril').Channel<number>;
type EffectQueue = import('effect').Queue.Queue<number>;

/** Long enough to never fire in a round. */
const limitMs = 60_000;
const turns = 8;

/** Run both in turns, a part of the round each, so that a disturbance hits both; the difference is the total. */
function difference(bare: (count: number) => Promise<number>, limited: (count: number) => Promise<number>): Round {
  return async (count): Promise<Outcome> => {
    let total = 0;
    let answer = 0;
    for (let turn = 0; turn < turns; turn += 1) {
      const start = process.hrtime.bigint();
      await bare(count / turns);
      const middle = process.hrtime.bigint();
      answer += await limited(count / turns);
      total += Number(process.hrtime.bigint() - middle) - Number(middle - start);
    }
    return { total, answer };
  };
}

type Kind = 'ready' | 'parking';

function tendril(kind: Kind): Contestant {
  return {
    name: ours,
    async start() {
      const { Channel, run, spawn, timeout } = await import('tendril');
      function* readyBare(count: number) {
        const channel: Numbers = new Channel<number>(Infinity);
        let sum = 0;
        for (let i = 0; i < count; i += 1) {
          channel.trySend(1);
          sum += yield* channel.receive();
        }
        return sum;
      }
      function* readyLimited(count: number) {
        const channel: Numbers = new Channel<number>(Infinity);
        let sum = 0;
        for (let i = 0; i < count; i += 1) {
          channel.trySend(1);
          sum += yield* timeout(limitMs, channel.receive());
        }
        return sum;
      }
      function* produce(channel: Numbers, credit: Numbers, count: number) {
        for (let i = 0; i < count; i += 1) {
          yield* credit.receive();
          channel.trySend(1);
        }
      }
      function* parkingBare(count: number) {
        const channel: Numbers = new Channel<number>(Infinity);
        const credit: Numbers = new Channel<number>(Infinity);
        spawn(produce, channel, credit, count);
        let sum = 0;
        for (let i = 0; i < count; i += 1) {
          credit.trySend(1);
          sum += yield* channel.receive();
        }
        return sum;
      }
      function* parkingLimited(count: number) {
        const channel: Numbers = new Channel<number>(Infinity);
        const credit: Numbers = new Channel<number>(Infinity);
        spawn(produce, channel, credit, count);
        let sum = 0;
        for (let i = 0; i < count; i += 1) {
          credit.trySend(1);
          sum += yield* timeout(limitMs, channel.receive());
        }
        return sum;
      }
      return kind === 'ready'
        ? difference(
            (count) => run(readyBare, count),
            (count) => run(readyLimited, count),
          )
        : difference(
            (count) => run(parkingBare, count),
            (count) => run(parkingLimited, count),
          );
    },
  };
}

/** Receives over promises; `arm` and `cancel` stand around each. */
function promiseReceives<T>(kind: Kind, arm: () => T, cancel: (armed: T) => void) {
  async function produce(queue: PromiseQueue<number>, credit: PromiseQueue<number>, count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      await credit.take();
      queue.push(1);
    }
  }
  return async (count: number): Promise<number> => {
    const queue = new PromiseQueue<number>();
    const credit = new PromiseQueue<number>();
    const producing = kind === 'parking' ? produce(queue, credit, count) : undefined;
    let sum = 0;
    for (let i = 0; i < count; i += 1) {
      if (kind === 'parking') credit.push(1);
      else queue.push(1);
      const armed = arm();
      sum += await queue.take();
      cancel(armed);
    }
    await producing;
    return sum;
  };
}

function expire(): void {
  throw new Error('a timeout of this benchmark fired');
}

function setTimeoutPeer(kind: Kind): Contestant {
  return {
    name: 'setTimeout',
    start: async () =>
      difference(
        promiseReceives(
          kind,
          () => undefined,
          () => {},
        ),
        promiseReceives(kind, () => setTimeout(expire, limitMs), clearTimeout),
      ),
  };
}

function abortSignalPeer(kind: Kind): Contestant {
  function arm(): AbortSignal {
    const signal = AbortSignal.timeout(limitMs);
    signal.addEventListener('abort', expire);
    return signal;
  }
  return {
    name: 'AbortSignal.timeout',
    start: async () =>
      difference(
        promiseReceives(
          kind,
          () => undefined,
          () => {},
        ),
        promiseReceives(kind, arm, (signal) => signal.removeEventListener('abort', expire)),
      ),
  };
}

function effect(kind: Kind): Contestant {
  return {
    name: 'Effect',
    async start() {
      const { Effect, Fiber, Queue } = await import('effect');
      const produce = Effect.fnUntraced(function* (queue: EffectQueue, credit: EffectQueue, count: number) {
        for (let i = 0; i < count; i += 1) {
          yield* Queue.take(credit);
          Queue.offerUnsafe(queue, 1);
        }
      });
      const receives = Effect.fnUntraced(function* (count: number, limited: boolean) {
        const queue = yield* Queue.unbounded<number>();
        const credit = yield* Queue.unbounded<number>();
        const fiber = yield* Effect.forkChild(produce(queue, credit, kind === 'parking' ? count : 0));
        let sum = 0;
        for (let i = 0; i < count; i += 1) {
          Queue.offerUnsafe(kind === 'parking' ? credit : queue, 1);
          sum += yield* limited ? Effect.timeout(Queue.take(queue), limitMs) : Queue.take(queue);
        }
        yield* Fiber.join(fiber);
        return sum;
      });
      return difference(
        (count) => Effect.runPromise(receives(count, false)),
        (count) => Effect.runPromise(receives(count, true)),
      );
    },
  };
}

function row(kind: Kind): Row {
  return {
    name: `timeout over a ${kind} receive, added`,
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: (count) => count,
    contestants: [
      tendril(kind),
      setTimeoutPeer(kind),
      abortSignalPeer(kind),
      { name: 'Effection', absent: 'no timeout; a race with sleep() spawns two tasks' },
      effect(kind),
      ...goPrograms(`timeout-${kind}`),
      { name: 'gevent', python: `timeout-${kind}` },
    ],
    goals: [
      { stage: 'target', against: ['setTimeout'], factor: 0.2 },
      { stage: 'stretch', against: [goSingle], factor: 1 },
    ],
  };
}

export const rows: readonly Row[] = [row('ready'), row('parking')];
