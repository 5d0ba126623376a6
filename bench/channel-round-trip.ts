// channel-round-trip.ts: How long does it take to hand a value to another greenlet and get an answer, over two unbuffered channels?
//
// Two messages are one round trip, and each side waits each time. The answer is the value plus one, sent back as the next value.
// Peers without an unbuffered channel use the nearest thing they have: Effection its queue, which does not make the sender wait;
// gevent a channel-like Queue(0). Effect's Queue.bounded(0) is a rendezvous.
//
// How to run: npm run bench -- --only 'channel round trip'

import { type Contestant, goPrograms, goSingle, type Outcome, ours, type Row } from './contest.ts';
import { PromiseChannel } from './promise-channel.ts';

type Numbers = import('tendril').Channel<number>;
type EffectQueue = import('effect').Queue.Queue<number>;
type EffectionQueue = ReturnType<typeof import('effection').createQueue<number, never>>;

async function exchange() {
  const { Channel, run, spawn } = await import('tendril');
  function* echo(there: Numbers, back: Numbers, count: number) {
    for (let i = 0; i < count; i += 1) yield* back.send((yield* there.receive()) + 1);
  }
  function* body(count: number) {
    const there = new Channel<number>();
    const back = new Channel<number>();
    spawn(echo, there, back, count);
    let value = 0;
    for (let i = 0; i < count; i += 1) {
      yield* there.send(value);
      value = yield* back.receive();
    }
    return value;
  }
  return async (count: number): Promise<Outcome> => ({ answer: await run(body, count) });
}

const tendril: Contestant = { name: ours, start: exchange };

/** As in a program that also waits for much else: by then V8 has met many kinds of Ops at each place of the kernel that all of them pass. */
const tendrilOfManyOps: Contestant = {
  name: 'tendril, after many kinds of Ops',
  async start() {
    const { AsyncResult, Event, Queue, RLock, run, Semaphore, select, sleep, spawn, timeout, yieldNow } = await import(
      'tendril'
    );
    await run(function* () {
      const [queue, lock, semaphore] = [new Queue<number>(1), new RLock(), new Semaphore(1)];
      for (let i = 0; i < 20_000; i += 1) {
        const [event, result] = [new Event(), new AsyncResult<number>()];
        const other = spawn(function* () {
          yield* queue.put(i);
          yield* lock.acquire();
          yield* semaphore.acquire();
          event.set();
          result.set(i);
          yield* yieldNow();
          semaphore.release();
          lock.release();
        });
        yield* queue.get();
        yield* timeout(1_000, event.wait());
        yield* result.get();
        yield* lock.acquire();
        yield* select({ semaphore: semaphore.acquire(), late: sleep(1_000) });
        semaphore.release();
        lock.release();
        yield* other.join();
      }
    });
    return exchange();
  },
};

const promises: Contestant = {
  name: 'promises',
  async start() {
    async function echo(there: PromiseChannel<number>, back: PromiseChannel<number>, count: number): Promise<void> {
      for (let i = 0; i < count; i += 1) await back.send((await there.receive()) + 1);
    }
    return async (count): Promise<Outcome> => {
      const there = new PromiseChannel<number>();
      const back = new PromiseChannel<number>();
      const echoing = echo(there, back, count);
      let value = 0;
      for (let i = 0; i < count; i += 1) {
        await there.send(value);
        value = await back.receive();
      }
      await echoing;
      return { answer: value };
    };
  },
};

const effection: Contestant = {
  name: 'Effection',
  async start() {
    const { createQueue, run, spawn } = await import('effection');
    function* echo(there: EffectionQueue, back: EffectionQueue, count: number) {
      for (let i = 0; i < count; i += 1) back.add((yield* there.next()).value + 1);
    }
    function* body(count: number) {
      const there = createQueue<number, never>();
      const back = createQueue<number, never>();
      yield* spawn(() => echo(there, back, count));
      let value = 0;
      for (let i = 0; i < count; i += 1) {
        there.add(value);
        value = (yield* back.next()).value;
      }
      return value;
    }
    return async (count) => ({ answer: await run(() => body(count)) });
  },
};

const effect: Contestant = {
  name: 'Effect',
  async start() {
    const { Effect, Fiber, Queue } = await import('effect');
    const echo = Effect.fnUntraced(function* (there: EffectQueue, back: EffectQueue, count: number) {
      for (let i = 0; i < count; i += 1) yield* Queue.offer(back, (yield* Queue.take(there)) + 1);
    });
    const body = Effect.fnUntraced(function* (count: number) {
      const there = yield* Queue.bounded<number>(0);
      const back = yield* Queue.bounded<number>(0);
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
    name: 'channel round trip',
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: (count) => count,
    contestants: [
      tendril,
      tendrilOfManyOps,
      promises,
      effection,
      effect,
      ...goPrograms('channel-round-trip'),
      { name: 'gevent', python: 'channel-round-trip' },
    ],
    goals: [
      { stage: 'first', against: [goSingle], factor: 0.9 },
      { stage: 'target', against: [goSingle], factor: 0.65 },
      { stage: 'target', against: ['promises'], factor: 0.4 },
      { stage: 'stretch', against: [goSingle], factor: 0.5 },
    ],
  },
];
