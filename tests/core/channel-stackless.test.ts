// channel-stackless.test.ts: what Stackless channels have beyond Go's: preference, errors as messages, iteration.
import { Channel, ChannelClosedError, type ChannelPreference, run, select, sleep, spawn, yieldNow } from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

/** The order in which the two sides of one hand-over go on, beside a bystander that was queued before it. */
function order(preference: ChannelPreference, first: 'receiver' | 'sender'): Promise<string[]> {
  return simulate(function* () {
    const log: string[] = [];
    const channel = new Channel<number>(0, { preference });
    const receiver = function* () {
      yield* channel.receive();
      log.push('receiver');
    };
    const sender = function* () {
      yield* channel.send(1);
      log.push('sender');
    };
    spawn(first === 'receiver' ? receiver : sender);
    yield* yieldNow();
    const second = spawn(first === 'receiver' ? sender : receiver);
    spawn(function* () {
      log.push('bystander');
    });
    yield* second.join();
    yield* yieldNow();
    return log;
  }).then(({ value }) => value);
}

describe('S7: the preference of a channel', () => {
  it.each([
    // The side that completes the hand-over comes second here; `none` lets it go on, and puts the woken side at the end.
    ['none', 'receiver', ['sender', 'bystander', 'receiver']],
    ['none', 'sender', ['receiver', 'bystander', 'sender']],
    // A sender completes: the receiver runs next, the sender goes to the end with its send committed.
    ['receiver', 'receiver', ['receiver', 'bystander', 'sender']],
    // A receiver completes: it goes on.
    ['receiver', 'sender', ['receiver', 'bystander', 'sender']],
    ['sender', 'sender', ['sender', 'bystander', 'receiver']],
    ['sender', 'receiver', ['sender', 'bystander', 'receiver']],
  ] as const)('%s, with the %s waiting first: %j', async (preference, first, expected) => {
    expect(await order(preference, first)).toEqual(expected);
  });

  it('cannot undo a send that was put off: a kill waits for the next Op', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<string>(0, { preference: 'receiver' });
      const log: string[] = [];
      const receiver = spawn(function* () {
        log.push(yield* channel.receive());
        sender.kill();
      });
      yield* yieldNow();
      const sender = spawn(function* () {
        yield* channel.send('sent');
        log.push('send returned');
        yield* sleep(1);
        log.push('not reached');
      });
      yield* receiver.join();
      yield* sender.join();
      return log;
    });
    expect(value).toEqual(['sent', 'send returned']);
  });

  it('is refused when it is none of the three', () => {
    expect(() => new Channel(0, { preference: 'both' as never })).toThrow(TypeError);
  });
});

describe('Channel.sendError', () => {
  it('throws in the receiver that takes it, waiting or not', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<number>(2);
      const seen: unknown[] = [];
      const receive = function* () {
        try {
          seen.push(yield* channel.receive());
        } catch (error) {
          seen.push(error);
        }
      };
      const waiting = spawn(receive);
      yield* yieldNow();
      yield* channel.sendError('for the waiting one');
      yield* waiting.join();
      yield* channel.send(1);
      yield* channel.sendError('buffered');
      yield* receive();
      yield* receive();
      return seen;
    });
    expect(value).toEqual(['for the waiting one', 1, 'buffered']);
  });

  it('takes its error back when it is killed before anybody received', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<number>();
      const sender = spawn(() => channel.sendError(new Error('never seen')));
      yield* yieldNow();
      sender.kill();
      yield* sender.join();
      return channel.tryReceive();
    });
    expect(value).toBeUndefined();
  });
});

describe('Channel.next', () => {
  it('gives values, and done when the channel is closed and drained', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<string>(1);
      yield* channel.send('a');
      channel.close();
      return [yield* channel.next(), yield* channel.next()];
    });
    expect(value).toEqual([
      { done: false, value: 'a' },
      { done: true, value: undefined },
    ]);
  });

  it('is done for one who waits when the channel is closed, and can be an arm of select', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<string>();
      const waiter = spawn(() => select({ next: channel.next(), late: sleep(50) }));
      yield* sleep(1);
      channel.close();
      return yield* waiter.get();
    });
    expect(value).toEqual({ key: 'next', value: { done: true, value: undefined } });
  });

  it('does not take an error that was sent for the end, not even a ChannelClosedError of another channel', async () => {
    const { value } = await simulate(function* () {
      const other = new Channel<never>();
      other.close();
      const channel = new Channel<string>();
      spawn(function* () {
        try {
          yield* other.receive();
        } catch (error) {
          yield* channel.sendError(error);
        }
      });
      try {
        yield* channel.next();
        return 'no error';
      } catch (error) {
        return error instanceof ChannelClosedError && error.channel === other;
      }
    });
    expect(value).toBe(true);
  });
});

describe('for await over a channel, in ordinary code', () => {
  it('ends when the channel is closed', async () => {
    const channel = new Channel<number>(3);
    const feeder = run(function* () {
      for (let i = 0; i < 3; i += 1) yield* channel.send(i);
      channel.close();
    });
    const seen: number[] = [];
    for await (const value of channel) seen.push(value);
    await feeder;
    expect(seen).toEqual([0, 1, 2]);
  });
});
