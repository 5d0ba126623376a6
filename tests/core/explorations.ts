// explorations.ts: small programs of three greenlets, with what must hold after each under every schedule.
//
// The short suite explores them with one preemption, the long one with two.
import {
  all,
  Channel,
  Event,
  isKilled,
  Mutex,
  type Op,
  RLock,
  Semaphore,
  scope,
  select,
  sleep,
  spawn,
  timeout,
  yieldNow,
} from 'tendril';
import { expect } from 'vitest';
import { exploreAll } from './interleavings.ts';

/** A program and what to expect of its result. */
export interface Exploration {
  readonly title: string;
  /** Run it under every schedule with at most so many preemptions; returns how many schedules that were. */
  explore(preemptions: number): Promise<number>;
}

function exploration<T>(title: string, program: () => Op<T>, verify: (value: T) => void): Exploration {
  return { title, explore: (preemptions) => exploreAll(program, verify, preemptions) };
}

export const PROGRAMS: readonly Exploration[] = [
  ...[0, 1, Number.POSITIVE_INFINITY].map((capacity) =>
    exploration(
      `S7: two senders and a receiver lose, double and reorder nothing (capacity ${capacity})`,
      function* () {
        const channel = new Channel<string>(capacity);
        const send = function* (name: string) {
          for (let i = 1; i <= 2; i += 1) yield* channel.send(`${name}${i}`);
        };
        const senders = [spawn(send, 'a'), spawn(send, 'b')];
        const seen: string[] = [];
        const receiver = spawn(function* () {
          for (let i = 0; i < 4; i += 1) seen.push(yield* channel.receive());
        });
        for (const greenlet of [...senders, receiver]) yield* greenlet.join();
        return seen;
      },
      (seen) => {
        expect([...seen].sort()).toEqual(['a1', 'a2', 'b1', 'b2']);
        expect(seen.filter((value) => value[0] === 'a')).toEqual(['a1', 'a2']);
        expect(seen.filter((value) => value[0] === 'b')).toEqual(['b1', 'b2']);
      },
    ),
  ),

  exploration(
    'S6: a killed sender or receiver either happened or did not: every value is delivered once or still with its sender',
    function* () {
      const channel = new Channel<number>();
      const received: number[] = [];
      const sent: number[] = [];
      const sender = spawn(function* () {
        for (let i = 0; i < 2; i += 1) {
          yield* channel.send(i);
          sent.push(i);
        }
      });
      const receiver = spawn(function* () {
        for (;;) received.push(yield* channel.receive());
      });
      const killer = spawn(function* () {
        yield* yieldNow();
        receiver.kill();
        yield* yieldNow();
        sender.kill();
      });
      yield* killer.join();
      yield* receiver.join();
      yield* sender.join();
      return { received, sent, left: channel.balance };
    },
    ({ received, sent, left }) => {
      // A kill that comes after the hand-over lets send and receive return: the two sides never disagree.
      expect(received).toEqual(sent);
      expect(left).toBe(0);
    },
  ),

  exploration(
    'S12: a mutex is held by one, handed over in order, and never lost to a kill',
    function* () {
      const mutex = new Mutex();
      let inside = 0;
      let worst = 0;
      const work = function* () {
        yield* mutex.acquire();
        try {
          inside += 1;
          worst = Math.max(worst, inside);
          yield* yieldNow();
        } finally {
          inside -= 1;
          mutex.release();
        }
      };
      const workers = [spawn(work), spawn(work)];
      const killer = spawn(function* () {
        yield* yieldNow();
        workers[1]?.kill();
      });
      for (const greenlet of [...workers, killer]) yield* greenlet.join();
      return { worst, locked: mutex.locked };
    },
    (result) => expect(result).toEqual({ worst: 1, locked: false }),
  ),

  exploration(
    'a semaphore keeps its permits through kills and timeouts',
    function* () {
      const semaphore = new Semaphore(1);
      const work = function* (limitMs: number) {
        try {
          yield* timeout(limitMs, semaphore.acquire());
        } catch (error) {
          if (isKilled(error)) throw error;
          return;
        }
        try {
          yield* sleep(1);
        } finally {
          semaphore.release();
        }
      };
      const workers = [spawn(work, 10), spawn(work, 1), spawn(work, 10)];
      yield* yieldNow();
      workers[2]?.kill();
      for (const worker of workers) yield* worker.join();
      return semaphore.permits;
    },
    (permits) => expect(permits).toBe(1),
  ),

  exploration(
    'S8a: select takes exactly one arm, and the others have not happened',
    function* () {
      const left = new Channel<string>();
      const right = new Channel<string>();
      const sent: string[] = [];
      const send = function* (channel: Channel<string>, value: string) {
        yield* channel.send(value);
        sent.push(value);
      };
      const senders = [spawn(send, left, 'left'), spawn(send, right, 'right')];
      const chooser = spawn(() => select({ left: left.receive(), right: right.receive() }));
      const { value } = yield* chooser.get();
      yield* yieldNow();
      yield* yieldNow();
      for (const sender of senders) sender.kill();
      for (const sender of senders) yield* sender.join();
      return { value, sent };
    },
    ({ value, sent }) => expect(sent).toEqual([value]),
  ),

  exploration(
    'S8a: two selects that offer both directions meet exactly once',
    function* () {
      const a = new Channel<string>();
      const b = new Channel<string>();
      const log: string[] = [];
      const meet = function* (name: string) {
        const { key } = yield* select({ give: a.send(name), take: b.receive() });
        log.push(`${name} ${key}`);
      };
      const other = function* (name: string) {
        const { key } = yield* select({ give: b.send(name), take: a.receive() });
        log.push(`${name} ${key}`);
      };
      const pair = [spawn(meet, 'one'), spawn(other, 'two')];
      const killer = spawn(function* () {
        yield* yieldNow();
        for (const greenlet of pair) greenlet.kill();
      });
      for (const greenlet of [...pair, killer]) yield* greenlet.join();
      return { log: log.sort(), waiting: a.balance + b.balance };
    },
    ({ log, waiting }) => {
      expect(waiting).toBe(0);
      // Both, in opposite directions, or neither.
      if (log.length > 0)
        expect([
          ['one give', 'two take'],
          ['one take', 'two give'],
        ]).toContainEqual(log);
    },
  ),

  exploration(
    'S9: a scope ends after all its children, with the first error in time, whoever is killed',
    function* () {
      let alive = 0;
      const child = function* (fail: boolean) {
        alive += 1;
        try {
          if (fail) throw new Error('child');
          yield* sleep(5);
        } finally {
          alive -= 1;
        }
      };
      const owner = spawn(() =>
        scope(function* (s) {
          s.spawn(child, true);
          s.spawn(child, false);
        }),
      );
      const killer = spawn(function* () {
        owner.kill();
      });
      yield* killer.join();
      yield* owner.join();
      const { outcome } = owner;
      return { alive, ended: outcome?.ok === false && (outcome.error as Error).name };
    },
    ({ alive, ended }) => {
      expect(alive).toBe(0);
      expect(['Error', 'GreenletKilledError']).toContain(ended);
    },
  ),

  exploration(
    'a timeout over a receive either has the value or leaves it in the channel',
    function* () {
      const channel = new Channel<number>(1);
      const sender = spawn(function* () {
        yield* sleep(1);
        yield* channel.send(7);
      });
      const receiver = spawn(() => timeout(1, channel.receive(), { else: 'late' as const }));
      const bystander = spawn(function* () {
        yield* sleep(1);
        yield* yieldNow();
      });
      yield* sender.join();
      yield* bystander.join();
      return [yield* receiver.get(), channel.length];
    },
    // What can commit at the instant of the deadline does.
    (result) => expect(result).toEqual([7, 0]),
  ),

  exploration(
    'all() waits for all of its Ops and an event wakes all of its waiters',
    function* () {
      const event = new Event();
      const wait = function* (n: number) {
        yield* event.wait();
        return n;
      };
      const setter = spawn(function* () {
        yield* yieldNow();
        event.set();
        event.clear();
      });
      const waiters = spawn(() => timeout(5, all([wait(1), wait(2)]), { else: 'missed' as const }));
      const result = yield* waiters.get();
      yield* setter.join();
      return result;
    },
    // Whoever waits at `set` is woken; whoever comes after it is not.
    (result) => expect([[1, 2], 'missed']).toContainEqual(result),
  ),

  exploration(
    'an RLock is free when all have left, at whatever depth they were killed',
    function* () {
      const lock = new RLock();
      const twice = function* () {
        yield* lock.use(lock.use(yieldNow()));
      };
      const workers = [spawn(twice), spawn(twice)];
      const killer = spawn(function* () {
        yield* yieldNow();
        workers[0]?.kill();
      });
      for (const greenlet of [...workers, killer]) yield* greenlet.join();
      const free = lock.tryAcquire();
      if (free) lock.release();
      return free;
    },
    (free) => expect(free).toBe(true),
  ),
];
