// twins-stream.test.ts: the twin of stream: finished and pipeline as Ops, and what a kill and a timeout do to the streams.
import { Writable } from 'node:stream';
import { hub, run, select, sleep, spawn, TimeoutError, timeout, yieldNow } from 'tendril';
import { finished, PassThrough, pipeline, Readable, Transform } from 'tendril/patches/stream';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, nothingLeft } from '../io/peers.ts';

afterEach(nothingLeft);

const upper = (): Transform =>
  new Transform({ transform: (chunk, _encoding, done) => done(null, String(chunk).toUpperCase()) });

function sink(): { readonly stream: Writable; readonly text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return { stream, text: () => text };
}

describe('pipeline of the twin of stream', () => {
  it('carries everything to the end, each time that it is given streams', () =>
    run(function* () {
      const { stream, text } = sink();
      const other = sink();
      const second = spawn(() => pipeline([Readable.from(['c', 'd']), upper(), other.stream]));
      yield* pipeline(Readable.from(['a', 'b']), upper(), stream);
      yield* second.get();
      expect([text(), other.text()]).toEqual(['AB', 'CD']);
    }));

  it('gives what the last function returns', () =>
    run(function* () {
      const length = yield* pipeline(['one', 'three'], async (source) => {
        let sum = 0;
        for await (const chunk of source) sum += (chunk as string).length;
        return sum;
      });
      expect(length).toBe(8);
    }));

  it('leaves the last stream open if it is told to', () =>
    run(function* () {
      const { stream, text } = sink();
      yield* pipeline(Readable.from(['a']), stream, { end: false });
      expect([text(), stream.writableEnded]).toEqual(['a', false]);
    }));

  it.each(['a kill', 'a timeout', 'its signal'])('is ended by %s, which destroys every stream', (how) =>
    run(function* () {
      const source = new PassThrough();
      const middle = upper();
      const { stream } = sink();
      const controller = new AbortController();
      const op = pipeline(source, middle, stream, { signal: controller.signal });
      const driving = spawn(() => (how === 'a timeout' ? timeout(2, op) : op));
      yield* yieldNow();
      if (how === 'a kill') driving.kill();
      if (how === 'its signal') controller.abort();
      yield* driving.join();
      while (hub.stats().orphans > 0) yield* sleep(1);
      expect([driving.outcome?.ok, source.destroyed, middle.destroyed, stream.destroyed]).toEqual([
        false,
        true,
        true,
        true,
      ]);
      const error = driving.outcome?.ok === false ? driving.outcome.error : undefined;
      if (how === 'a timeout') expect(error).toBeInstanceOf(TimeoutError);
      if (how === 'its signal') expect(error).toMatchObject({ code: 'ABORT_ERR' });
    }),
  );

  it('fails with the first error of a stream, as it is', () =>
    run(function* () {
      const source = new PassThrough();
      const error = new Error('broken');
      const { stack } = error;
      const driving = spawn(() => pipeline(source, sink().stream));
      yield* yieldNow();
      source.destroy(error);
      const caught = yield* failure(driving.get());
      expect(caught).toBe(error);
      expect(caught.stack).toBe(stack);
    }));

  it('fails, with a stack that names who waited, for an error of Node', () =>
    run(function* () {
      const source = new PassThrough();
      const driving = spawn(function* driver() {
        yield* pipeline(source, sink().stream);
      });
      yield* yieldNow();
      source.destroy();
      const error = yield* failure(driving.get());
      expect(error.code).toBe('ERR_STREAM_PREMATURE_CLOSE');
      expect(error.stack).toContain('driver');
    }));

  it('is no arm of a select, and refuses too little at the call', () =>
    run(function* () {
      const op = pipeline(Readable.from(['a']), sink().stream);
      expect(() => select({ op: op as never })).toThrow(/race/);
      expect(() => pipeline(Readable.from(['a']) as never)).toThrow(
        expect.objectContaining({ code: 'ERR_MISSING_ARGS' }),
      );
      expect((yield* failure(pipeline(5 as never, sink().stream))).code).toMatch(/^ERR_INVALID/);
    }));
});

describe('finished of the twin of stream', () => {
  it('waits until a stream has ended, for several at once', () =>
    run(function* () {
      const stream = new PassThrough();
      const listeners = stream.eventNames().length;
      const waiting = [spawn(() => finished(stream)), spawn(() => finished(stream))];
      yield* yieldNow();
      stream.end('text');
      stream.resume();
      for (const greenlet of waiting) expect(yield* greenlet.get()).toBe(undefined);
      expect(stream.eventNames().length).toBeLessThanOrEqual(listeners);
      yield* finished(stream);
    }));

  it('is given up by a kill, a timeout and another arm, which leave the stream as it is', () =>
    run(function* () {
      const stream = new PassThrough();
      const names = stream.eventNames();
      const victim = spawn(() => finished(stream));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(yield* failure(timeout(2, finished(stream)))).toBeInstanceOf(TimeoutError);
      expect((yield* select({ end: finished(stream), tick: sleep(1) })).key).toBe('tick');
      expect([victim.killed, stream.destroyed, stream.eventNames(), hub.stats().orphans]).toEqual([
        true,
        false,
        names,
        0,
      ]);
    }));

  it('fails with the error of the stream, and for one that is cut with a stack that names who waited', () =>
    run(function* () {
      const broken = new PassThrough();
      const error = new Error('broken');
      const waiting = spawn(() => finished(broken));
      yield* yieldNow();
      broken.on('error', () => {});
      broken.destroy(error);
      expect(yield* failure(waiting.get())).toBe(error);
      const cut = new PassThrough();
      const other = spawn(function* waiter() {
        yield* finished(cut);
      });
      yield* yieldNow();
      cut.destroy();
      const early = yield* failure(other.get());
      expect(early.code).toBe('ERR_STREAM_PREMATURE_CLOSE');
      expect(early.stack).toContain('waiter');
    }));

  it('takes the options of Node, and refuses what is no stream at the call', () =>
    run(function* () {
      const stream = new PassThrough();
      stream.end();
      yield* finished(stream, { readable: false });
      const signal = AbortSignal.abort();
      expect((yield* failure(finished(new PassThrough(), { signal }))).code).toBe('ABORT_ERR');
      for (const bad of [5, undefined, null, 'text', () => {}])
        expect(() => finished(bad as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
      expect(() => finished(stream, (() => {}) as never)).toThrow(TypeError);
    }));
});
