// channels-across.test.ts: what every channel across does, over each kind of link: order, back-pressure, close, loss, and kills at every point.
import {
  ChannelClosedError,
  forEach,
  hub,
  type Op,
  run,
  scope,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril';
import { ChannelEnd, ChannelLostError, channelPair, openChannel, processChannel } from 'tendril/executors/channels';
import { leakCheck } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { type Ends, type Ground, grounds } from './channel-grounds.ts';
import { FakeLink } from './fake-link.ts';

/** Run `body` with both ends of a channel, close them, and see that nothing is left behind and no invariant broken. */
function withEnds<T>(ground: Ground, capacity: number, body: (ends: Ends<T>) => Op<unknown>): Promise<void> {
  return leakCheck(function* () {
    const ends = yield* ground.open<T>(capacity);
    try {
      yield* body(ends);
      ends.near.check();
      ends.far.check();
    } finally {
      ends.near.close();
      ends.far.close();
    }
    for (const end of [ends.near, ends.far]) {
      yield* timeout(5000, drained(end));
      end.check();
    }
    expect(hub.stats().externalWaits).toBe(0);
  });
}

function* drained(end: ChannelEnd<unknown>): Op<void> {
  try {
    for (;;) yield* end.receive();
  } catch (error) {
    if (!(error instanceof ChannelClosedError || error instanceof ChannelLostError)) throw error;
  }
}

/** Wait until `holds`, which somebody else brings about by an event. */
function* until(holds: () => boolean): Op<void> {
  while (!holds()) yield* sleep(0);
}

describe.each(grounds)('A channel over $name', (ground) => {
  it('gives the values in the order in which they were sent, whatever they are', () =>
    withEnds<unknown>(ground, 4, function* ({ near, far }) {
      const sent: unknown[] = [
        1,
        'two',
        null,
        undefined,
        { three: [3] },
        4n,
        new Map([[5, new Set([6])]]),
        true,
        [],
        '',
      ];
      const got: unknown[] = [];
      yield* scope(function* (s) {
        s.spawn(function* () {
          for (const value of sent) yield* near.send(value);
        });
        for (const _ of sent) got.push(yield* far.receive());
      });
      expect(got).toEqual(sent);
    }));

  it('carries values both ways at once', () =>
    withEnds<number>(ground, 2, function* ({ near, far }) {
      yield* scope(function* (s) {
        s.spawn(function* () {
          for (let i = 0; i < 20; i += 1) yield* far.send(2 * (yield* far.receive()));
        });
        const answers: number[] = [];
        for (let i = 0; i < 20; i += 1) {
          yield* near.send(i);
          answers.push(yield* near.receive());
        }
        expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i));
      });
    }));

  it.each([1, 3])('lets a sender go on until %i values are not taken', (capacity) =>
    withEnds<number>(ground, capacity, function* ({ near, far }) {
      let sent = 0;
      const sender = spawn(function* () {
        for (let i = 0; i < capacity + 2; i += 1) {
          yield* near.send(i);
          sent += 1;
        }
      });
      yield* until(() => far.length === capacity && sent > 0);
      yield* sleep(1);
      expect([sent, far.length, near.trySend(99)]).toEqual([capacity, capacity, false]);
      expect(yield* far.receive()).toBe(0);
      yield* until(() => sent > capacity && far.length === capacity);
      expect(sent).toBe(capacity + 1);
      expect([yield* far.receive(), yield* far.receive()]).toEqual([1, 2]);
      yield* sender.join();
    }),
  );

  it('with capacity 0 a send waits until a receiver waits over there', () =>
    withEnds<number>(ground, 0, function* ({ near, far }) {
      let sent = 0;
      const sender = spawn(function* () {
        yield* near.send(1);
        sent += 1;
        yield* near.send(2);
        sent += 1;
      });
      yield* sleep(5);
      expect([sent, far.length, near.trySend(9), far.tryReceive()]).toEqual([0, 0, false, undefined]);
      expect(yield* far.receive()).toBe(1);
      yield* until(() => sent === 1);
      yield* sleep(5);
      expect([sent, far.length]).toEqual([1, 0]);
      expect(yield* far.receive()).toBe(2);
      yield* sender.join();
    }));

  it('with capacity 0 trySend finds a receiver that waits', () =>
    withEnds<number>(ground, 0, function* ({ near, far }) {
      const receiver = spawn(() => far.receive());
      while (!near.trySend(7)) yield* sleep(0);
      expect([yield* receiver.get(), near.trySend(8)]).toEqual([7, false]);
    }));

  it('with infinite capacity never makes a sender wait', () =>
    withEnds<number>(ground, Number.POSITIVE_INFINITY, function* ({ near, far }) {
      yield* near.send(0);
      for (let i = 1; i < 1000; i += 1) expect(near.trySend(i)).toBe(true);
      let sum = 0;
      for (let i = 0; i < 1000; i += 1) sum += yield* far.receive();
      expect(sum).toBe(499_500);
    }));

  it('serves several senders and several receivers in their order', () =>
    withEnds<number>(ground, 1, function* ({ near, far }) {
      const got: [number, number][] = [];
      const receivers = [0, 1, 2].map((id) =>
        spawn(function* () {
          got.push([id, yield* far.receive()]);
        }),
      );
      yield* yieldNow();
      const senders = [10, 11, 12].map((value) => spawn(() => near.send(value)));
      for (const greenlet of [...receivers, ...senders]) yield* greenlet.get();
      expect(got).toEqual([
        [0, 10],
        [1, 11],
        [2, 12],
      ]);
    }));

  it('is a source of forEach, and an arm of select beside a timer', () =>
    withEnds<number>(ground, 2, function* ({ near, far }) {
      const first = yield* select({ job: far.receive(), time: sleep(5) });
      spawn(function* () {
        yield* near.send(1);
        yield* near.send(2);
        near.close();
      });
      const second = yield* select({ job: far.receive(), time: sleep(5000) });
      const rest: number[] = [];
      yield* forEach(far, function* (value) {
        rest.push(value);
      });
      expect([first.key, second, rest]).toEqual(['time', { key: 'job', value: 1 }, [2]]);
    }));

  it('a send that is an arm of select and loses sends nothing', () =>
    withEnds<number>(ground, 1, function* ({ near, far }) {
      yield* near.send(1);
      const lost = yield* select({ sent: near.send(2), time: sleep(5) });
      expect([lost.key, yield* far.receive()]).toEqual(['time', 1]);
      yield* near.send(3);
      expect(yield* far.receive()).toBe(3);
    }));

  it.each([0, 1])('with capacity %i a killed or timed out sender takes its value back', (capacity) =>
    withEnds<number>(ground, capacity, function* ({ near, far }) {
      if (capacity === 1) yield* near.send(0);
      const victim = spawn(() => near.send(1));
      yield* yieldNow();
      expect(yield* thrownBy(timeout(5, near.send(2)))).toBeInstanceOf(TimeoutError);
      victim.kill();
      yield* victim.join();
      const sender = spawn(() => near.send(3));
      if (capacity === 1) expect(yield* far.receive()).toBe(0);
      expect(yield* far.receive()).toBe(3);
      yield* sender.get();
    }),
  );

  it.each([0, 1])('with capacity %i a receiver that is killed or timed out loses no value', (capacity) =>
    withEnds<number>(ground, capacity, function* ({ near, far }) {
      const victim = spawn(() => far.receive());
      expect(yield* timeout(5, far.receive(), { else: 'nothing' })).toBe('nothing');
      const sender = spawn(() => near.send(1));
      // Whether the value is on its way by now or not: it may not be lost.
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      const got = victim.outcome?.ok === true ? victim.outcome.value : yield* far.receive();
      expect(got).toBe(1);
      yield* sender.get();
    }),
  );

  it('close lets the other side drain, and refuses every sender', () =>
    withEnds<number>(ground, 2, function* ({ near, far }) {
      yield* near.send(1);
      yield* near.send(2);
      const waiting = spawn(() => thrownBy(near.send(3)));
      yield* yieldNow();
      near.close();
      near.close();
      const errors = [yield* waiting.get(), yield* thrownBy(near.send(4))];
      expect(errors).toEqual([expect.any(ChannelClosedError), expect.any(ChannelClosedError)]);
      expect(() => near.trySend(4)).toThrow(ChannelClosedError);
      expect([yield* far.receive(), yield* far.receive(), yield* far.next()]).toEqual([1, 2, { done: true }]);
      expect(yield* thrownBy(far.receive())).toMatchObject({
        code: 'ERR_CHANNEL_CLOSED',
        message: 'receive on channel jobs, which is closed',
      });
      expect([near.closed, far.closed]).toEqual([true, true]);
      expect(yield* thrownBy(far.send(1))).toBeInstanceOf(ChannelClosedError);
    }));

  it('close does not lose what the other side had sent before it heard of it', () =>
    withEnds<number>(ground, 3, function* ({ near, far }) {
      const receiver = spawn(function* () {
        const got: number[] = [];
        yield* forEach(near, function* (value) {
          got.push(value);
        });
        return got;
      });
      for (const value of [1, 2, 3]) yield* far.send(value);
      near.close();
      expect(yield* receiver.get()).toEqual([1, 2, 3]);
    }));

  it('a close on both sides at once ends both', () =>
    withEnds<number>(ground, 1, function* ({ near, far }) {
      const waiting = [near, far].map((end) => spawn(() => thrownBy(end.receive())));
      yield* yieldNow();
      near.close();
      far.close();
      for (const waiter of waiting) expect(yield* waiter.get()).toBeInstanceOf(ChannelClosedError);
    }));

  it('the loss of the other side is told after what had come, and to senders at once', () =>
    withEnds<number>(ground, 2, function* ({ near, far, cut }) {
      yield* far.send(1);
      yield* far.send(2);
      yield* until(() => near.length === 2);
      yield* near.send(8);
      yield* near.send(9);
      const waiting = spawn(() => thrownBy(near.send(3)));
      yield* yieldNow();
      cut();
      expect(yield* waiting.get()).toMatchObject({ code: 'ERR_CHANNEL_LOST' });
      expect(() => near.trySend(4)).toThrow(ChannelLostError);
      expect([yield* near.receive(), yield* near.receive()]).toEqual([1, 2]);
      const error = yield* thrownBy(near.receive());
      expect(error).toBeInstanceOf(ChannelLostError);
      expect((error as Error).message).toMatch(/^receive on channel jobs: the other side is lost: /);
      expect(yield* thrownBy(near.next())).toBeInstanceOf(ChannelLostError);
      near.close();
    }));

  it('the loss wakes whoever waits to receive', () =>
    withEnds<number>(ground, 0, function* ({ near, cut }) {
      const waiting = [1, 2].map(() => spawn(() => thrownBy(near.receive())));
      yield* yieldNow();
      cut();
      for (const waiter of waiting) expect(yield* waiter.get()).toBeInstanceOf(ChannelLostError);
    }));

  it('what cannot be cloned is a TypeError that names the part, and the channel goes on', () =>
    withEnds<unknown>(ground, 1, function* ({ near, far }) {
      const job = { id: 1, steps: [{ name: 'a' }, { name: 'b', 'on-done': () => {} }] };
      yield* near.send(1);
      const waiting = spawn(() => thrownBy(near.send(job)));
      yield* yieldNow();
      expect(yield* far.receive()).toBe(1);
      const refused = {
        name: 'TypeError',
        code: 'ERR_CANNOT_TRAVEL',
        message: expect.stringMatching(
          /^send on channel jobs: value\.steps\[1\]\["on-done"\] is a function 'on-done', which cannot travel to another (thread|process): pass data$/,
        ),
      };
      expect(yield* waiting.get()).toMatchObject(refused);
      expect(() => near.trySend(job)).toThrow('value.steps[1]');
      expect(yield* thrownBy(near.send(Symbol('s')))).toMatchObject({ name: 'TypeError' });
      expect(yield* thrownBy(near.send(new Map([['k', { f() {} }]])))).toMatchObject({
        message: expect.stringContaining('value.get("k").f is a function'),
      });
      expect(yield* thrownBy(near.send({ a: new WeakMap() }))).toMatchObject({
        message: expect.stringContaining('value.a is a WeakMap'),
      });
      yield* near.send('good');
      expect(yield* far.receive()).toBe('good');
    }));

  it('a value travels as it was when it was sent', () =>
    withEnds<{ n: number }>(ground, 2, function* ({ near, far }) {
      const value = { n: 1 };
      yield* near.send(value);
      value.n = 2;
      expect(yield* far.receive()).toEqual({ n: 1 });
    }));

  it('whoever waits holds the process, and a waiting greenlet says for what', () =>
    withEnds<number>(ground, 0, function* ({ near, far }) {
      const waiters = [spawn(() => near.send(1)), spawn(() => near.receive())];
      yield* yieldNow();
      const report = hub.report();
      expect(hub.stats().externalWaits).toBeGreaterThanOrEqual(2);
      expect(report).toMatch(/waits: send on channel jobs/);
      expect(report).toMatch(/waits: receive on channel jobs/);
      for (const waiter of waiters) waiter.kill();
      void far;
    }));
});

describe('A peer that does not keep to the protocol', () => {
  it.each([
    ['junk', 'it has sent "junk", which is no message of this protocol'],
    [-1, 'it has sent -1, which is no message of this protocol'],
    [Number.NaN, 'it has sent NaN, which is no message of this protocol'],
    [{}, 'it has sent an object, which is no message of this protocol'],
    [[1, 2, 3], 'it has sent more than it was granted'],
  ])('is cut off: %j', async (message, why) => {
    const link = new FakeLink();
    const end = new ChannelEnd<number>(link, { capacity: 2, name: undefined, agreed: false });
    await run(function* () {
      link.sink?.message(message);
      while (end.length > 0) yield* end.receive();
      expect(yield* thrownBy(end.receive())).toMatchObject({
        code: 'ERR_CHANNEL_LOST',
        message: expect.stringContaining(`receive on a channel: the other side is lost: ${why}`),
      });
    });
    expect(link.posted).toEqual([2, 'closed']);
    end.check();
  });

  it('a value that cannot be read is an error in its place, for who waits and who comes later', async () => {
    const link = new FakeLink();
    const end = new ChannelEnd<number>(link, { capacity: 2, name: 'jobs', agreed: true });
    await run(function* () {
      const waiting = spawn(() => thrownBy(end.receive()));
      yield* yieldNow();
      link.sink?.unreadable(new Error('why'));
      link.sink?.unreadable(new Error('why'));
      link.sink?.message([3]);
      const error = {
        code: 'ERR_CHANNEL_MESSAGE',
        message: expect.stringContaining('receive on channel jobs: a value has come that cannot be read here'),
        cause: expect.objectContaining({ message: 'why' }),
      };
      expect([yield* waiting.get(), yield* thrownBy(end.receive()), yield* end.receive()]).toMatchObject([
        error,
        error,
        3,
      ]);
      end.check();
    });
    link.sink?.message('close');
  });
});

describe('Arguments', () => {
  it.each([
    [() => channelPair({ capacity: -1 }), 'channelPair: capacity is 0, a positive integer or Infinity, not -1'],
    [() => channelPair({ capacity: 1.5 }), 'channelPair: capacity is 0, a positive integer or Infinity, not 1.5'],
    [() => channelPair('x' as never), 'channelPair: options must be an object, not "x"'],
    [() => channelPair({ name: 5 as never }), 'channelPair: name must be a string, not 5'],
    [() => openChannel({} as never), 'openChannel takes what channelPair() or channelPorts() gave, not an object'],
    [() => openChannel(null as never), 'openChannel takes what channelPair() or channelPorts() gave, not null'],
    [() => processChannel({} as never, 'a'), 'processChannel takes a child process, or process, not an object'],
    [() => processChannel(new EventTarget() as never, ''), 'processChannel: a name is a string that is not empty'],
  ])('that cannot be are refused at the call: %s', (call, message) => {
    expect(call).toThrow(message);
  });

  it('an end is opened once', async () => {
    const [near, far] = channelPair<number>({ capacity: 1, name: 'once' });
    const end = openChannel(far);
    expect(() => openChannel(far)).toThrow(/this end of channel once was opened before/);
    near.close();
    await run(function* () {
      expect(yield* end.next()).toEqual({ done: true, value: undefined });
    });
  });

  it('a transfer moves a buffer between threads, and only when the value goes', async () => {
    const [near, far] = channelPair<ArrayBuffer>({ capacity: 1 });
    const other = openChannel(far);
    await run(function* () {
      const [first, second] = [new ArrayBuffer(8), new ArrayBuffer(16)];
      yield* near.send(first, { transfer: [first] });
      const kept = yield* timeout(5, near.send(second, { transfer: [second] }), { else: 'waits' });
      expect([first.byteLength, kept, second.byteLength]).toEqual([0, 'waits', 16]);
      expect((yield* other.receive()).byteLength).toBe(8);
      expect(yield* thrownBy(near.send(second, { transfer: [{}] as never }))).toMatchObject({
        code: 'ERR_CANNOT_TRAVEL',
        message: expect.stringContaining('send on a channel: value cannot travel to another thread ('),
      });
      expect(second.byteLength).toBe(16);
      expect(() => near.trySend(second, { transfer: 5 as never })).toThrow('transfer must be an array, not 5');
      near.close();
    });
  });
});
