// channel-order.ts: properties of the order in channels: of those who wait, and of the values, errors among them.
import { Channel, type Op, rethrowKilled, spawn } from 'tendril/core';
import { CAPACITIES, takeRest } from './channels.ts';
import { joinEach, lineUp, must, type Property, same } from './property.ts';

export const CHANNEL_ORDER: readonly Property[] = [
  {
    name: 'receivers are served in the order in which they came, without those that were killed',
    rules: 'S7 S12',
    *body(world) {
      const channel = new Channel<number>(world.pick(CAPACITIES));
      const got: (number | undefined)[] = [];
      const waiting = yield* lineUp(4, (index) =>
        spawn(function* () {
          got[index] = yield* channel.receive();
        }),
      );
      const gone = waiting.filter(() => world.chance(0.3, 'kill'));
      for (const greenlet of gone) greenlet.kill();
      const served = waiting.filter((greenlet) => !gone.includes(greenlet));
      for (let value = 0; value < served.length; value += 1) {
        must(channel.trySend(value), 'a waiting receiver takes a value at once');
        if (world.chance(0.3, 'late kill')) (served[value] as (typeof served)[0]).kill();
      }
      yield* joinEach(waiting);
      const inOrder = waiting.map((greenlet, index) => (gone.includes(greenlet) ? undefined : got[index]));
      same(
        inOrder.filter((value) => value !== undefined),
        served.map((_, value) => value),
        'the oldest receiver gets the oldest value',
      );
    },
  },
  {
    name: 'senders are served in the order in which they came, and a killed one takes its value back',
    rules: 'S6 S7 S12',
    *body(world) {
      const capacity = world.pick([0, 1, 2]);
      const channel = new Channel<number>(capacity);
      const senders = yield* lineUp(5, (index) => spawn(() => channel.send(index)));
      const gone = senders.filter((_, index) => index >= capacity && world.chance(0.3, 'kill'));
      for (const greenlet of gone) greenlet.kill();
      const left = senders.flatMap((greenlet, index) => (gone.includes(greenlet) ? [] : [index]));
      same(takeRest(channel), left, 'values come out in the order in which their senders came');
      yield* joinEach(senders);
      same(
        senders.filter((greenlet) => greenlet.outcome?.ok !== true).length,
        gone.length,
        'only killed senders did not send',
      );
    },
  },
  {
    name: 'an error that is sent is thrown by one receiver, in its place among the values',
    rules: 'S7',
    times: 3,
    *body(world) {
      const channel = new Channel<number>(world.pick(CAPACITIES));
      const position = world.choose(3, 'position');
      const sender = spawn(function* () {
        for (let i = 0; i < 3; i += 1) yield* i === position ? channel.sendError(new Error('sent')) : channel.send(i);
      });
      const seen: (number | string)[] = [];
      const receive = function* (): Op<void> {
        try {
          seen.push(yield* channel.receive());
        } catch (error) {
          rethrowKilled(error);
          seen.push((error as Error).message);
        }
      };
      for (let i = 0; i < 3; i += 1) yield* receive();
      yield* sender.join();
      same(
        seen,
        [0, 1, 2].map((i) => (i === position ? 'sent' : i)),
        'an error keeps its place',
      );
    },
  },
];
