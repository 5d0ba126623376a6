// channels.ts: properties of channels: nothing lost, doubled or reordered, whoever is killed and whenever it is closed.
import {
  Channel,
  ChannelClosedError,
  type ChannelPreference,
  type Op,
  rethrowKilled,
  sleep,
  spawn,
} from 'tendril/core';
import {
  codeOf,
  endAll,
  joinEach,
  killSome,
  must,
  type Property,
  pause,
  same,
  sameNumbers,
  thrownBy,
} from './property.ts';

export const CAPACITIES = [0, 1, 2, Number.POSITIVE_INFINITY];
const PREFERENCES: readonly ChannelPreference[] = ['none', 'receiver', 'sender'];

/** Send `count` values from `first` on, and note each that was sent. */
function* sendFrom(channel: Channel<number>, first: number, count: number, sent: number[]): Op<void> {
  for (let value = first; value < first + count; value += 1) {
    yield* channel.send(value);
    sent.push(value);
  }
}

/** Receive for ever; values of one sender (a sender's are tens apart) must rise. */
function* receiveAll(channel: Channel<number>, received: number[]): Op<void> {
  const newest = [-1, -1, -1];
  for (;;) {
    const value = yield* channel.receive();
    received.push(value);
    const sender = Math.floor(value / 10);
    must((newest[sender] as number) < value, 'the values of one sender keep their order');
    newest[sender] = value;
  }
}

export function takeRest(channel: Channel<number>): number[] {
  const rest: number[] = [];
  for (;;) {
    try {
      const taken = channel.tryReceive();
      if (taken === undefined) return rest;
      rest.push(taken.value);
    } catch (error) {
      if (!(error instanceof ChannelClosedError)) throw error;
      return rest;
    }
  }
}

/** Start `op`, which ends with the channel: its end is no failure. */
function* untilClosed(op: Op<void>): Op<void> {
  try {
    yield* op;
  } catch (error) {
    rethrowKilled(error);
    must(error instanceof ChannelClosedError, 'whoever waits at a channel that is closed is told so');
  }
}

export const CHANNELS: readonly Property[] = [
  {
    name: 'a channel loses, doubles and reorders nothing, whoever is killed',
    rules: 'S6 S7',
    *body(world) {
      const channel = new Channel<number>(world.pick(CAPACITIES), { preference: world.pick(PREFERENCES) });
      world.always(() => channel.check());
      const sent: number[] = [];
      const received: number[] = [];
      const everybody = [
        spawn(sendFrom, channel, 0, 3, sent),
        spawn(receiveAll, channel, received),
        spawn(sendFrom, channel, 10, 3, sent),
        spawn(receiveAll, channel, received),
      ];
      yield* killSome(world, everybody, 4);
      yield* endAll(everybody);
      sameNumbers([...received, ...takeRest(channel)], sent, 'what was sent is received, or still there, once');
    },
  },
  {
    name: 'a channel keeps no value of a killed sender and takes none for a killed receiver',
    rules: 'S6 S7',
    times: 2,
    *body(world) {
      const channel = new Channel<number>();
      const outcomes = { sent: [] as number[], received: [] as number[] };
      const sender = spawn(sendFrom, channel, 0, 2, outcomes.sent);
      const receiver = spawn(receiveAll, channel, outcomes.received);
      const killer = spawn(function* () {
        yield* pause(world, 2);
        world.pick([sender, receiver]).kill();
      });
      yield* joinEach([killer]);
      yield* endAll([sender, receiver]);
      same(outcomes.received, outcomes.sent, 'both sides of a hand-over see it, or neither does');
      must(channel.balance === 0 && channel.length === 0, 'nobody and nothing is left in the channel');
    },
  },
  {
    name: 'a channel that is closed gives out what is in it and tells everybody else',
    rules: 'S7',
    times: 2,
    *body(world) {
      const channel = new Channel<number>(world.pick(CAPACITIES));
      world.always(() => channel.check());
      const sent: number[] = [];
      const received: number[] = [];
      const receivers = [spawn(untilClosed, receiveAll(channel, received))];
      if (world.chance(0.5, 'second receiver')) receivers.push(spawn(untilClosed, receiveAll(channel, received)));
      const senders = [0, 10].map((first) => spawn(untilClosed, sendFrom(channel, first, 3, sent)));
      yield* pause(world);
      channel.close();
      if (world.chance(0.3, 'kill')) world.pick(receivers).kill();
      yield* joinEach([...senders, ...receivers]);
      sameNumbers([...received, ...takeRest(channel)], sent, 'what was sent before the end is received');
    },
  },
  {
    name: 'what never waits and what waits share a channel without loss',
    rules: 'S6 S7',
    *body(world) {
      const channel = new Channel<number>(world.pick(CAPACITIES));
      world.always(() => channel.check());
      const sent: number[] = [];
      const received: number[] = [];
      const everybody = [
        spawn(sendFrom, channel, 0, 3, sent),
        spawn(receiveAll, channel, received),
        spawn(function* () {
          for (let value = 10; value < 13; value += 1) {
            if (channel.trySend(value)) sent.push(value);
            yield* pause(world, 2);
          }
        }),
        spawn(function* () {
          for (let i = 0; i < 3; i += 1) {
            const taken = channel.tryReceive();
            if (taken !== undefined) received.push(taken.value);
            yield* pause(world, 2);
          }
        }),
      ];
      yield* killSome(world, everybody, 3);
      yield* endAll(everybody);
      sameNumbers([...received, ...takeRest(channel)], sent, 'what was sent is received, or still there, once');
    },
  },
  {
    name: 'next() gives each value once and then the end',
    rules: 'S7',
    *body(world) {
      const channel = new Channel<number>(world.pick(CAPACITIES));
      const sent: number[] = [];
      const received: number[] = [];
      const sender = spawn(function* () {
        yield* sendFrom(channel, 0, 5, sent);
        channel.close();
      });
      const iterate = function* (): Op<void> {
        for (let next = yield* channel.next(); next.done !== true; next = yield* channel.next()) {
          received.push(next.value);
          if (world.chance(0.3, 'pause')) yield* pause(world, 2);
        }
      };
      const iterators = [spawn(iterate), spawn(iterate)];
      yield* joinEach([sender, ...iterators]);
      sameNumbers(received, sent, 'each value is seen once');
      same(codeOf(yield* thrownBy(channel.send(9))), 'ERR_CHANNEL_CLOSED', 'nothing can be sent after the end');
    },
  },
  {
    name: 'a stage between two channels that is killed loses at most the value that it holds',
    rules: 'S6 S7',
    *body(world) {
      const [from, to] = [new Channel<number>(world.pick(CAPACITIES)), new Channel<number>(world.pick(CAPACITIES))];
      const sent: number[] = [];
      const received: number[] = [];
      const held: number[] = [];
      const stage = function* (): Op<void> {
        for (;;) {
          const value = yield* from.receive();
          held.push(value);
          yield* to.send(value);
          held.splice(held.indexOf(value), 1);
        }
      };
      const stages = [spawn(stage), spawn(stage)];
      const ends = [spawn(sendFrom, from, 0, 5, sent), spawn(receiveAllUnordered, to, received)];
      yield* killSome(world, stages, 2);
      yield* sleep(1);
      yield* endAll([...stages, ...ends]);
      must(held.length <= 2, 'a stage holds one value at most');
      sameNumbers([...received, ...held, ...takeRest(from), ...takeRest(to)], sent, 'each value is in one place');
    },
  },
];

function* receiveAllUnordered(channel: Channel<number>, received: number[]): Op<void> {
  for (;;) received.push(yield* channel.receive());
}
