// async-iterables.ts: async iterables as readers of bytes. (Ours as async iterables: stream-iterator.ts.)
//
// An iterable is asked ahead up to the high-water mark and no further. It is told by `return()` that nobody wants more: once, and not after it has ended
// or failed.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import type { StreamReader } from './byte-streams.ts';
import { type ForeignOptions, markOf, readerOn } from './foreign-stream.ts';
import { type PromiseSource, PromiseTransport } from './promise-transport.ts';
import type { Writable } from './writable.ts';

function sourceOf(iterable: AsyncIterable<unknown> | Iterable<unknown>): PromiseSource {
  const iterator = Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
  return {
    // What a synchronous iterator gives may be a promise.
    next: async () => {
      const step = await iterator.next();
      return step.done === true ? step : { done: false, value: await step.value };
    },
    cancel: () => iterator.return?.(),
  };
}

/**
 * Read the bytes that an async iterable (an async generator, a stream of Node's) or an iterable gives: chunks of bytes or text.
 *
 * Never switches. The iterable is asked ahead until `highWaterMark` bytes wait to be read. close() calls `return()` of its iterator, unless it has
 * ended.
 *
 * Its reads throw StreamError if the iterable throws, or gives what is neither bytes nor text. @throws TypeError if `iterable` is none; bytes and text
 * by themselves are none either.
 */
export function fromAsyncIterable(
  iterable: AsyncIterable<Writable> | Iterable<Writable | PromiseLike<Writable>>,
  options?: ForeignOptions,
): StreamReader {
  const where = 'fromAsyncIterable';
  const candidate = iterable as Partial<AsyncIterable<Writable> & Iterable<Writable>> | null | undefined;
  if (
    typeof iterable !== 'object' ||
    ArrayBuffer.isView(iterable) ||
    (typeof candidate?.[Symbol.asyncIterator] !== 'function' && typeof candidate?.[Symbol.iterator] !== 'function')
  )
    throw typeError(`${where} takes an async iterable or an iterable of chunks, not ${nameOf(iterable)}`);
  const mark = markOf(options, where);
  return readerOn(new PromiseTransport('async iterable', sourceOf(iterable), undefined), mark);
}
