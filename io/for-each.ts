// for-each.ts: `forEach(source, body)`: one greenlet's loop over whatever gives values one after the other.
//
// Kernel objects and sockets are asked with their own waits; ordinary iterables and async iterables by their iterators, which are told when the
// loop ends early.
// Source: gevent's iteration over queues and channels; Effection's each.

import { typeError } from '../core/bad-argument.ts';
import { Channel } from '../core/channel.ts';
import { composite } from '../core/composite.ts';
import { ClosedError } from '../core/errors.ts';
import { nameOf, type Op, type Waitable } from '../core/op.ts';
import { shield } from '../core/shield.ts';
import { until } from './until.ts';

/** What has a `next()` that is a Waitable: channels, `iwait`, `imap`, lines of files. */
export interface WaitableIterator<T> {
  next(): Waitable<IteratorResult<T, unknown>>;
  /** Called when a loop ends early. Never switches. */
  return?(): unknown;
}

/** What gives chunks until it gives null: sockets, response bodies. */
export interface ChunkSource<T> {
  read(max?: number): Waitable<T | null>;
}

/** What gives connections until it is closed: listeners. */
export interface ConnectionSource<T> {
  readonly closed: boolean;
  accept(): Waitable<T>;
}

export type Source<T> = WaitableIterator<T> | ChunkSource<T> | ConnectionSource<T> | AsyncIterable<T> | Iterable<T>;

function* overWaits<T>(source: WaitableIterator<T>, body: (value: T) => Op<unknown>): Op<void> {
  let ended = false;
  try {
    for (let step = yield* source.next(); step.done !== true; step = yield* source.next()) yield* body(step.value);
    ended = true;
  } finally {
    if (!ended) source.return?.();
  }
}

function* overAsync<T>(source: AsyncIterable<T>, body: (value: T) => Op<unknown>): Op<void> {
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const step = yield* until(iterator.next());
      if (step.done === true) {
        ended = true;
        return;
      }
      yield* body(step.value);
    }
  } finally {
    if (!ended && iterator.return !== undefined) yield* shield(until(Promise.resolve(iterator.return())));
  }
}

function* overChunks<T>(source: ChunkSource<T>, body: (chunk: T) => Op<unknown>): Op<void> {
  for (let chunk = yield* source.read(); chunk !== null; chunk = yield* source.read()) yield* body(chunk);
}

function* overConnections<T>(listener: ConnectionSource<T>, body: (connection: T) => Op<unknown>): Op<void> {
  for (;;) {
    let connection: T;
    try {
      connection = yield* listener.accept();
    } catch (error) {
      if (error instanceof ClosedError && listener.closed) return;
      throw error;
    }
    yield* body(connection);
  }
}

function* overItems<T>(source: Iterable<T>, body: (value: T) => Op<unknown>): Op<void> {
  for (const value of source) yield* body(value);
}

/**
 * Run `body(value)` for each value of `source`, one after the other, until it has no more.
 *
 * Switches as the source and the body do. Takes channels and queues (until they are closed), sockets (their chunks, until the peer ends), listeners (their
 * connections, until they are closed), what `iwait` and `imap` give, async iterables and iterables. If it
 * throws, an iterator has been told by its `return()`; a channel stays open.
 *
 * @throws what the body or the source throws. @throws TypeError if `source` is none of these.
 */
export function forEach<T>(source: Source<T>, body: (value: T) => Op<unknown>): Op<void> {
  if (typeof body !== 'function') throw typeError(`forEach takes a generator function, not ${nameOf(body)}`);
  const candidate = source as
    | Partial<WaitableIterator<T> & ChunkSource<T> & ConnectionSource<T> & AsyncIterable<T> & Iterable<T>>
    | null
    | undefined;
  if (typeof candidate?.read === 'function') return composite(overChunks<T>, source as ChunkSource<T>, body);
  if (typeof candidate?.accept === 'function')
    return composite(overConnections<T>, source as ConnectionSource<T>, body);
  if (source instanceof Channel) return composite(overWaits<T>, source as Channel<T>, body);
  if (typeof candidate?.[Symbol.asyncIterator] === 'function')
    return composite(overAsync<T>, source as AsyncIterable<T>, body);
  if (typeof candidate?.[Symbol.iterator] === 'function') return composite(overItems<T>, source as Iterable<T>, body);
  if (typeof candidate?.next === 'function') return composite(overWaits<T>, source as WaitableIterator<T>, body);
  throw typeError(
    `forEach takes a channel, an iterator of waits, an async iterable or an iterable, not ${nameOf(source)}`,
  );
}
