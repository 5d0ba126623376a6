// timeouts.ts: properties of time: sleeps and timeouts are never early, a timeout takes back all or nothing, and belongs to its own boundary.
import {
  Channel,
  deadline,
  isKilled,
  now,
  type Op,
  Semaphore,
  select,
  sleep,
  sleepUntil,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril/core';
import type { World } from 'tendril/testing';
import { codeOf, joinEach, must, type Property, pause, same, sameNumbers, spawnQuietly, thrownBy } from './property.ts';

/** `op` under a limit of `ms`, as a duration or as a point in time. */
function limited<T>(world: World, ms: number, op: Op<T>): Op<T> {
  return world.chance(0.3, 'deadline') ? deadline(now() + ms, op) : timeout(ms, op);
}

/** An Op that takes `ms`, as one wait or as several. */
export function work(world: World, ms: number): Op<void> {
  return world.chance(0.5, 'in parts') ? parts(world, ms) : sleep(ms);
}

function* parts(world: World, ms: number): Op<void> {
  const first = world.choose(ms + 1, 'first part');
  yield* sleep(first);
  yield* yieldNow();
  yield* sleep(ms - first);
}

export const TIMEOUTS: readonly Property[] = [
  {
    name: 'a sleep ends when its time has come: not before, and in the order of the deadlines',
    rules: 'S8 S12',
    *body(world) {
      const woken: number[] = [];
      const nap = function* (): Op<void> {
        for (let i = 0; i < 3; i += 1) {
          const ms = world.pick([1, 2.5, 4, 7]);
          const startedMs = now();
          if (world.chance(0.3, 'until')) yield* sleepUntil(startedMs + ms);
          else yield* sleep(ms);
          same(now(), startedMs + ms, 'it takes as long as it was told');
          woken.push(now());
        }
      };
      const idle = function* (): Op<void> {
        // Timers that are armed and taken out again, near the front and near the end of the line.
        for (let i = 0; i < 4; i += 1)
          yield* timeout(world.pick([3, 30, 0.5]), sleep(world.pick([1, 2])), { else: undefined });
      };
      const sleepers = [spawn(nap), spawn(nap), spawn(idle), spawn(nap), spawn(idle)];
      if (world.chance(0.5, 'kill')) {
        yield* pause(world, 4);
        world.pick(sleepers).kill();
      }
      yield* joinEach(sleepers);
      for (let i = 1; i < woken.length; i += 1)
        must((woken[i - 1] as number) <= (woken[i] as number), 'they wake in the order of their deadlines');
    },
  },
  {
    name: 'a timeout expires when its time is over and its Op is not: not before, not later',
    rules: 'S8',
    *body(world) {
      const attempt = function* (): Op<void> {
        const [limitMs, workMs] = [world.pick([2, 1, 3, 5]), world.pick([1, 2, 3, 4])];
        yield* pause(world, 2);
        const startedMs = now();
        const op = limited(world, limitMs, work(world, workMs));
        const error = yield* thrownBy(op);
        // What can commit by the deadline has: a tie is no timeout.
        same(codeOf(error), workMs <= limitMs ? undefined : 'ERR_TIMEOUT', 'it expires if the work takes longer');
        if (error !== undefined) must((error as TimeoutError).timeout === op, 'the error knows its timeout');
        same(now() - startedMs, Math.min(limitMs, workMs), 'it takes as long as the shorter of both');
      };
      yield* joinEach([spawnQuietly(attempt), spawnQuietly(attempt), spawnQuietly(attempt), spawnQuietly(attempt)]);
    },
  },
  {
    name: 'what happens by the deadline is in time, however many steps it takes then',
    rules: 'S8',
    *body(world) {
      const channel = new Channel<number>();
      const limitMs = world.pick([1, 2]);
      const receiver = spawn(() =>
        limited(world, limitMs, world.chance(0.5, 'composite') ? receiveIn(channel) : channel.receive()),
      );
      const sender = spawn(function* () {
        yield* sleep(limitMs);
        for (let i = world.choose(4, 'steps'); i > 0; i -= 1) yield* yieldNow();
        yield* channel.send(7);
      });
      const noise = spawn(function* () {
        yield* sleep(limitMs);
        for (let i = 0; i < 3; i += 1) yield* yieldNow();
      });
      same(yield* receiver.get(), 7, 'a value that comes at the moment of the deadline is received');
      yield* joinEach([sender, noise]);
    },
  },
  {
    name: 'a timeout around a send or a receive has happened or has not, and loses nothing',
    rules: 'S6 S8',
    *body(world) {
      const channel = new Channel<number>(world.pick([0, 1]));
      world.always(() => channel.check());
      const sent: number[] = [];
      const received: number[] = [];
      const send = function* (first: number): Op<void> {
        for (let value = first; value < first + 4; value += 1) {
          if (world.chance(0.5, 'pause')) yield* pause(world, 2);
          const late = yield* timeout(world.choose(3, 'limit'), channel.send(value), { else: 'late' as const });
          if (late !== 'late') sent.push(value);
        }
      };
      const receive = function* (): Op<void> {
        for (let i = 0; i < 5; i += 1) {
          if (world.chance(0.5, 'pause')) yield* pause(world, 2);
          const value = yield* timeout(world.choose(3, 'limit'), channel.receive(), { else: undefined });
          if (value !== undefined) received.push(value);
        }
      };
      const everybody = [spawn(send, 0), spawn(receive), spawn(send, 10), spawn(receive)];
      if (world.chance(0.3, 'kill')) world.pick(everybody).kill();
      yield* joinEach(everybody);
      const rest = channel.tryReceive();
      sameNumbers([...received, ...(rest === undefined ? [] : [rest.value])], sent, 'each value is in one place');
    },
  },
  {
    name: 'of nested timeouts the one whose time is over expires, at its own boundary, and the outer one wins a tie',
    rules: 'S8',
    times: 3,
    *body(world) {
      const [outerMs, innerMs, workMs] = [world.pick([2, 3, 4]), world.pick([2, 3, 4]), world.pick([1, 2, 3, 5])];
      let innerOp: Op<void> | undefined;
      const outerOp = timeout(
        outerMs,
        (function* () {
          innerOp = timeout(innerMs, work(world, workMs));
          const error = yield* thrownBy(innerOp);
          if (error === undefined) return 'done';
          if (error instanceof TimeoutError) {
            must(error.timeout === innerOp, 'an inner boundary sees its own timeout only');
            return 'inner';
          }
          must(isKilled(error), 'an outer timeout goes through as a kill');
          throw error;
        })(),
      );
      let outcome: string;
      try {
        outcome = yield* outerOp;
      } catch (error) {
        must(error instanceof TimeoutError && error.timeout === outerOp, 'the outer boundary sees its own timeout');
        outcome = 'outer';
      }
      const limitMs = Math.min(outerMs, innerMs);
      if (workMs <= limitMs) same(outcome, 'done', 'work that is done in time is done');
      else same(outcome, outerMs <= innerMs ? 'outer' : 'inner', 'the timeout that is over first expires');
      same(now(), Math.min(limitMs, workMs), 'at its moment');
    },
  },
  {
    name: 'no catch inside a timeout steals it: once it has expired every Op in it throws',
    rules: 'S3 S8',
    *body(world) {
      const channel = new Channel<number>(9);
      const semaphore = new Semaphore(9);
      let expired = false;
      const anything = (): Op<unknown> =>
        world.pick<() => Op<unknown>>([
          () => sleep(1),
          () => channel.send(1),
          () => select({ receive: channel.receive(), time: sleep(1) }),
          () => timeout(1, parts(world, 1), { else: undefined }),
          () => semaphore.acquire(),
          () => yieldNow(),
        ])();
      const stubborn = function* (): Op<string> {
        for (let i = 0; i < 8; i += 1) {
          try {
            yield* anything();
            must(!expired, 'an Op in a timeout that has expired returned');
          } catch (error) {
            must(isKilled(error), 'it is a kill that goes through');
            must(now() >= 3, 'not before its time');
            expired = true;
          }
        }
        return 'stubborn';
      };
      const limited = spawnQuietly(() => timeout(3, stubborn()));
      const bystander = spawn(function* () {
        for (let i = 0; i < 4; i += 1) yield* sleep(1);
      });
      yield* joinEach([limited, bystander]);
      const ok = limited.outcome?.ok === true;
      must(ok, 'a body that returns all the same wins');
    },
  },
];

function* receiveIn(channel: Channel<number>): Op<number> {
  return yield* channel.receive();
}
