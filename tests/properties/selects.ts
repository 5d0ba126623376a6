// selects.ts: properties of select: exactly one arm happens, and the others have not happened and leave nothing behind.
import { Channel, current, Event, type Greenlet, Mutex, type Op, Semaphore, select, sleep, spawn } from 'tendril/core';
import type { World } from 'tendril/testing';
import { endAll, joinEach, killSome, must, type Property, pause, same, sameNumbers } from './property.ts';

/** Two channels that are checked after every step. */
function twoChannels(world: World, capacity: number): [Channel<number>, Channel<number>] {
  const channels: [Channel<number>, Channel<number>] = [new Channel<number>(capacity), new Channel<number>(capacity)];
  world.always(() => {
    channels[0].check();
    channels[1].check();
  });
  return channels;
}

function* sendAll(channel: Channel<number>, values: readonly number[], sent: number[]): Op<void> {
  for (const value of values) {
    yield* channel.send(value);
    sent.push(value);
  }
}

function takeRest(channels: readonly Channel<number>[]): number[] {
  const rest: number[] = [];
  for (const channel of channels)
    for (let taken = channel.tryReceive(); taken !== undefined; taken = channel.tryReceive()) rest.push(taken.value);
  return rest;
}

export const SELECTS: readonly Property[] = [
  {
    name: 'a select that receives takes one value, and the other channel keeps its own',
    rules: 'S6 S8a',
    *body(world) {
      const [a, b] = twoChannels(world, world.pick([0, 1]));
      const sent: number[] = [];
      const received: number[] = [];
      const choose = function* (): Op<void> {
        for (;;) {
          const { key, value } = yield* select({ a: a.receive(), b: b.receive() });
          must(key === 'a' ? value < 10 : value >= 10, 'the value is of the arm that happened');
          received.push(value);
        }
      };
      const everybody = [
        spawn(choose),
        spawn(sendAll, a, [0, 1, 2], sent),
        spawn(choose),
        spawn(sendAll, b, [10, 11, 12], sent),
      ];
      yield* killSome(world, everybody, 4);
      yield* endAll(everybody);
      sameNumbers([...received, ...takeRest([a, b])], sent, 'what was sent is received, or still there, once');
    },
  },
  {
    name: 'a select that sends sends its value on one channel only',
    rules: 'S6 S8a',
    *body(world) {
      const [a, b] = twoChannels(world, world.pick([0, 1]));
      const sent: number[] = [];
      const received: number[] = [];
      const offer = function* (first: number): Op<void> {
        for (let value = first; value < first + 3; value += 1) {
          yield* select([a.send(value), b.send(value)]);
          sent.push(value);
        }
      };
      const receive = function* (channel: Channel<number>): Op<void> {
        for (;;) received.push(yield* channel.receive());
      };
      const everybody = [spawn(offer, 0), spawn(receive, a), spawn(receive, b), spawn(offer, 10)];
      yield* killSome(world, everybody, 4);
      yield* endAll(everybody);
      sameNumbers([...received, ...takeRest([a, b])], sent, 'each value went one way');
    },
  },
  {
    name: 'two selects that offer both directions meet exactly once, or not at all',
    rules: 'S6 S8a',
    times: 3,
    *body(world) {
      const [a, b] = twoChannels(world, 0);
      const log: string[] = [];
      const meet = function* (name: string, give: Channel<number>, take: Channel<number>): Op<void> {
        const { key } = yield* select({ give: give.send(1), take: take.receive() });
        log.push(`${name} ${key}`);
      };
      const pair = [spawn(meet, 'one', a, b), spawn(meet, 'two', b, a)];
      yield* killSome(world, pair, 2);
      yield* endAll(pair);
      log.sort();
      if (log.length > 0) same(log[0]?.slice(4) === log[1]?.slice(4), false, 'one gives and the other takes');
      same([log.length % 2, a.balance, b.balance], [0, 0, 0], 'both of them meet, or neither, and nobody is left');
    },
  },
  {
    name: 'the arms that lost are in no list any more when the winner goes on',
    rules: 'S8a',
    *body(world) {
      const [a, b] = twoChannels(world, 0);
      const mutex = new Mutex();
      const event = new Event();
      const holder = spawn(function* () {
        yield* mutex.use(sleep(20));
      });
      yield* sleep(1);
      const waiting = (): number[] => [a.balance, b.balance, mutex.waiters.size, event.waiters.size];
      const chooser = spawn(function* () {
        const { key } = yield* select({
          a: a.receive(),
          b: b.send(1),
          lock: mutex.acquire(),
          event: event.wait(),
          time: sleep(world.pick([2, 4])),
        });
        same(waiting(), [0, 0, 0, 0], 'a select that is over waits nowhere');
        if (key === 'lock') mutex.release();
        yield* sleep(1);
      });
      const rivals = [
        spawn(function* () {
          yield* pause(world);
          a.trySend(1);
          a.trySend(2);
        }),
        spawn(function* () {
          yield* pause(world);
          b.tryReceive();
          event.set();
        }),
        spawn(function* () {
          yield* pause(world);
          if (world.chance(0.3, 'kill')) chooser.kill();
          holder.kill();
        }),
      ];
      yield* joinEach([...rivals, chooser, holder]);
      same(waiting(), [0, 0, 0, 0], 'nobody is left in any list');
      same(mutex.locked, false, 'the lock was taken or was not');
    },
  },
  {
    name: 'a select with else never waits, and takes what is ready',
    rules: 'S8a',
    *body(world) {
      const [a, b] = twoChannels(world, 1);
      const sent: number[] = [];
      const received: number[] = [];
      const poll = function* (): Op<void> {
        for (let i = 0; i < 5; i += 1) {
          const { key, value } = yield* select({ a: a.receive(), b: b.receive() }, { else: undefined });
          must((key === 'else') === (value === undefined), 'else comes without a value, and nothing else does');
          if (value !== undefined) received.push(value);
          yield* pause(world, 2);
        }
      };
      const everybody = [spawn(poll), spawn(poll), spawn(sendAll, a, [0, 1], sent), spawn(sendAll, b, [10, 11], sent)];
      yield* killSome(world, everybody, 3);
      yield* endAll(everybody);
      sameNumbers([...received, ...takeRest([a, b])], sent, 'what was sent is received, or still there, once');
    },
  },
  {
    name: 'a select of a lock and a signal has the lock, or the signal, and never half of either',
    rules: 'S6 S8a S12',
    *body(world) {
      const permits = new Semaphore(1);
      const mutex = new Mutex();
      world.always(() => {
        permits.check();
        mutex.check();
      });
      let inside = 0;
      const work = function* (): Op<void> {
        const { key } = yield* select({ lock: mutex.acquire(), permit: permits.acquire(), never: sleep(50) });
        try {
          if (key === 'lock') inside += 1;
          must(inside <= 1, 'one has the lock');
          if (key === 'lock') must(mutex.owner === current(), 'whoever has the lock owns it');
          yield* pause(world);
        } finally {
          if (key === 'lock') {
            inside -= 1;
            mutex.release();
          } else if (key === 'permit') {
            permits.release();
          }
        }
      };
      const workers: Greenlet<void>[] = [spawn(work), spawn(work), spawn(work), spawn(work)];
      yield* killSome(world, workers, 3);
      yield* joinEach(workers);
      same([mutex.locked, permits.permits], [false, 1], 'all that was taken is given back');
    },
  },
  {
    name: 'a select with priority takes the first arm that is ready',
    rules: 'S8a',
    *body(world) {
      const channels = [0, 1, 2].map(() => new Channel<number>(1));
      const arms = channels.map((channel) => channel.receive());
      const filled = spawn(function* () {
        for (let i = 0; i < 3; i += 1) {
          yield* pause(world, 2);
          const index = world.choose(3, 'channel');
          channels[index]?.trySend(index);
        }
      });
      for (let i = 0; i < 4; i += 1) {
        const before = channels.map(({ length }) => length);
        const { key, value } = yield* select(arms, { priority: true, else: -1 });
        if (key !== 'else') {
          same(value, key, 'the value is of the arm that happened');
          // More may have come in between, but nobody else takes: an earlier arm that was ready then is ready now.
          must(!before.slice(0, key as number).includes(1), 'an earlier arm goes first');
        }
        yield* pause(world, 2);
      }
      yield* filled.join();
    },
  },
];
