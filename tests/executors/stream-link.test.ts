// stream-link.test.ts: a channel's messages as bytes: cut anywhere, too long, and no messages at all.
import { Duplex } from 'node:stream';
import v8 from 'node:v8';
import { run, sleep, spawn, yieldNow } from 'tendril';
import { type ChannelEnd, streamChannel } from 'tendril/executors/channels';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';

/** A stream whose other side is the test. */
class Wire extends Duplex {
  readonly written: Buffer[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk);
    done();
  }
}

function frame(message: unknown): Buffer {
  const body = v8.serialize(message);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

function open(limit = 1024 * 1024): { wire: Wire; end: ChannelEnd<unknown> } {
  const wire = new Wire();
  return { wire, end: streamChannel(wire, { capacity: 8, name: 'jobs', limit }) };
}

describe('A channel over a stream', () => {
  it('reads messages wherever they are cut', async () => {
    const bytes = Buffer.concat([frame([1, 'two']), frame([{ three: 3 }]), frame('close')]);
    for (const size of [1, 2, 3, 5, 7, bytes.length]) {
      const { wire, end } = open();
      await run(function* () {
        for (let at = 0; at < bytes.length; at += size) wire.push(bytes.subarray(at, at + size));
        const got: unknown[] = [];
        for (let step = yield* end.next(); step.done !== true; step = yield* end.next()) got.push(step.value);
        expect({ size, got }).toEqual({ size, got: [1, 'two', { three: 3 }] });
      });
    }
  });

  it.each([
    [
      'a length that is too large',
      Buffer.from([255, 255, 255, 255]),
      'it announces a message of 4294967295 bytes, and the limit is 1048576',
    ],
    ['bytes that v8 cannot read', Buffer.from([0, 0, 0, 2, 1, 2]), 'it has sent bytes that are no message'],
    ['another value', frame({ an: 'object' }), 'it has sent an object, which is no message of this protocol'],
    ['no message at all', Buffer.from([0, 0, 0, 0]), 'it has sent bytes that are no message'],
    ['an end in the middle', null, 'the connection has ended'],
  ])('is lost with %s', async (_what, bytes, why) => {
    const { wire, end } = open();
    await run(function* () {
      const waiting = spawn(() => thrownBy(end.receive()));
      yield* yieldNow();
      if (bytes === null) wire.push(frame([1]).subarray(0, 5));
      wire.push(bytes);
      expect(yield* waiting.get()).toMatchObject({ code: 'ERR_CHANNEL_LOST', message: expect.stringContaining(why) });
    });
    expect(end.closed).toBe(true);
  });

  it('has an error in the place of a value that cannot be read here, and goes on', async () => {
    const { wire, end } = open();
    // As of an engine that has a kind of value which this one does not know.
    const strange = Buffer.concat([v8.serialize([0]).subarray(0, 4), Buffer.from([1])]);
    const head = Buffer.from([0, 0, 0, strange.length]);
    await run(function* () {
      wire.push(Buffer.concat([frame(['first']), head, strange, frame(['last']), frame('close')]));
      expect(yield* end.receive()).toBe('first');
      expect(yield* thrownBy(end.receive())).toMatchObject({ code: 'ERR_CHANNEL_MESSAGE' });
      expect(yield* end.receive()).toBe('last');
      expect(yield* end.next()).toEqual({ done: true, value: undefined });
    });
  });

  it('refuses a value that is too long, and goes on', async () => {
    const { wire, end } = open();
    await run(function* () {
      wire.push(frame(5));
      while (!end.trySend('first')) yield* yieldNow();
      expect(yield* thrownBy(end.send(Buffer.alloc(2 * 1024 * 1024)))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' });
      yield* end.send('last');
      end.close();
      wire.push(frame('close'));
      yield* thrownBy(end.receive());
    });
    expect(Buffer.concat(wire.written)).toEqual(
      Buffer.concat([frame(8), frame(['first']), frame(['last']), frame('close')]),
    );
  });

  it('does not make room for a long message before it comes', async () => {
    const { wire, end } = open(64 * 1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    await run(function* () {
      const waiting = spawn(() => thrownBy(end.receive()));
      wire.push(Buffer.from([3, 255, 255, 255, 255, 15]));
      yield* sleep(0);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
      wire.push(null);
      expect(yield* waiting.get()).toMatchObject({ code: 'ERR_CHANNEL_LOST' });
    });
  });

  it('ends by a coded error with whatever bytes, and the stream with it', async () => {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    let state = seed;
    const random = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    };
    await run(function* () {
      for (let i = 0; i < 200; i += 1) {
        const { wire, end } = open();
        const junk = Buffer.from(Array.from({ length: 120 }, random));
        junk.writeUInt32BE(i % 3 === 0 ? 150 : 90);
        // Half of them begin as v8 does.
        if (i % 2 === 0) v8.serialize(0).copy(junk, 4, 0, 2);
        wire.push(junk);
        wire.push(null);
        const codes = new Set<string>();
        for (let at = 0; at < 9 && !codes.has('ERR_CHANNEL_LOST'); at += 1) {
          try {
            yield* end.receive();
          } catch (error) {
            codes.add((error as { code: string }).code);
          }
        }
        codes.delete('ERR_CHANNEL_MESSAGE');
        expect({ seed, i, codes: [...codes] }).toEqual({ seed, i, codes: ['ERR_CHANNEL_LOST'] });
      }
    });
  });

  it('refuses what gives no bytes, and a stream that has a channel', async () => {
    const bytes = 'streamChannel takes a stream of bytes: without objectMode, and without setEncoding()';
    expect(() => streamChannel(new Wire({ objectMode: true }))).toThrow(bytes);
    expect(() => streamChannel(new Wire().setEncoding('utf8'))).toThrow(bytes);
    const { wire, end } = open();
    expect(() => streamChannel(wire)).toThrow('streamChannel: this stream has a channel already');
    await run(function* () {
      wire.setEncoding('latin1');
      wire.push(frame(['text']));
      expect(yield* thrownBy(end.receive())).toMatchObject({
        code: 'ERR_CHANNEL_LOST',
        message: expect.stringContaining('the stream gives the string'),
      });
    });
  });

  it('refuses what is no stream, and one that has ended', () => {
    const ended = new Wire();
    ended.destroy();
    expect(() => streamChannel({} as never)).toThrow('streamChannel takes a duplex stream of Node, not an object');
    expect(() => streamChannel(ended)).toThrow('streamChannel: the stream has ended');
    expect(() => streamChannel(new Wire(), { limit: 5 })).toThrow('limit must be an integer >= 1048576');
  });
});
