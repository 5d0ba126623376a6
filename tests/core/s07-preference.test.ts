// s07-preference.test.ts: rule S7: who runs next when a hand-over completes (`preference`), and errors sent through a channel.
import { Channel, ChannelClosedError, current, isKilled, type Op, sleep, spawn, yieldNow } from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, thrownAtCall } from './world.ts';

/** The order of events when `waiting` parks first, a bystander is runnable, and then the other side completes the hand-over. */
function* orderOf(preference: 'none' | 'receiver' | 'sender', waiting: 'receiver' | 'sender'): Op<string[]> {
  const jobs = new Channel<number>(0, { preference });
  const order: string[] = [];
  const receiver = function* (): Op<void> {
    yield* jobs.receive();
    order.push('receiver');
  };
  const sender = function* (): Op<void> {
    yield* jobs.send(1);
    order.push('sender');
  };
  const first = spawn(waiting === 'receiver' ? receiver : sender);
  yield* yieldNow();
  const second = spawn(waiting === 'receiver' ? sender : receiver);
  const bystander = spawn(function* () {
    order.push('bystander');
  });
  for (const greenlet of [first, second, bystander]) yield* greenlet.join();
  return order;
}

describe('S7 Channels: preference', () => {
  it.each([
    ['none', 'receiver', ['sender', 'bystander', 'receiver']],
    ['none', 'sender', ['receiver', 'bystander', 'sender']],
    ['receiver', 'receiver', ['receiver', 'bystander', 'sender']],
    ['receiver', 'sender', ['receiver', 'bystander', 'sender']],
    ['sender', 'sender', ['sender', 'bystander', 'receiver']],
    ['sender', 'receiver', ['sender', 'bystander', 'receiver']],
  ] as const)('%s, the %s waiting: runs in the order %j', (preference, waiting, order) =>
    play(function* () {
      expect(yield* orderOf(preference, waiting)).toEqual(order);
    }),
  );

  it('has committed the send of a sender that goes to the tail: a kill waits for its next Op', () =>
    play(function* () {
      const jobs = new Channel<number>(0, { preference: 'receiver' });
      const seen: unknown[] = [];
      const sender = spawnQuietly(function* () {
        yield* jobs.send(7);
        seen.push('sent');
        seen.push(isKilled(yield* thrownBy(sleep(1))));
      });
      const received = yield* jobs.receive();
      sender.kill();
      yield* sender.join();
      expect([received, seen]).toEqual([7, ['sent', true]]);
    }));

  it('keeps a value that a receiver committed to although it goes to the tail and is killed there', () =>
    play(function* () {
      const jobs = new Channel<number>(0, { preference: 'sender' });
      const seen: unknown[] = [];
      const receiver = spawnQuietly(function* () {
        seen.push(yield* jobs.receive());
        seen.push(isKilled(yield* thrownBy(sleep(1))));
      });
      yield* jobs.send(7);
      receiver.kill();
      yield* receiver.join();
      expect(seen).toEqual([7, true]);
    }));

  it('lets the sender of an error run first too, and keeps the error for the receiver that gave way', () =>
    play(function* () {
      const jobs = new Channel<number>(0, { preference: 'sender' });
      const seen: unknown[] = [];
      const error = new Error('sent');
      const sender = spawnQuietly(function* () {
        yield* jobs.sendError(error);
        seen.push('sent');
      });
      yield* yieldNow();
      const receiver = spawnQuietly(function* () {
        seen.push(yield* thrownBy(jobs.receive()));
        seen.push(isKilled(yield* thrownBy(sleep(1))));
      });
      yield* yieldNow();
      receiver.kill(); // while it gives way
      for (const greenlet of [sender, receiver]) yield* greenlet.join();
      jobs.close();
      expect(seen).toEqual(['sent', error, true]);
      expect(yield* thrownBy(jobs.receive())).toBeInstanceOf(ChannelClosedError);
    }));

  it('refuses any other preference at the call', () => {
    expect(thrownAtCall(() => new Channel(0, { preference: 'both' as never }))).toBeInstanceOf(TypeError);
  });

  it('throws a sent error in the receiver, whichever side waits, in order with values', () =>
    play(function* () {
      const jobs = new Channel<number>(1);
      const error = new Error('sent');
      const receiver = spawn(() => thrownBy(jobs.receive()));
      yield* yieldNow();
      yield* jobs.sendError(error);
      expect(yield* receiver.get()).toBe(error);
      yield* jobs.send(1);
      const sender = spawn(() => jobs.sendError(undefined));
      yield* yieldNow();
      expect([yield* jobs.receive(), yield* thrownBy(jobs.receive())]).toEqual([1, undefined]);
      yield* sender.join();
      expect(current().state).toBe('running');
    }));
});
