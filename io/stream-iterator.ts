// stream-iterator.ts: our streams as async iterables, for `for await` in ordinary code.
//
// Each step is an Op in a greenlet of its own, as a channel's is; nothing is read before it is asked for. Leaving the loop early closes the stream, as it
// does Node's. Inside a greenlet there is `forEach`.
//
// Invariants, between any two turns:
//   over  implies  no step is running, and every later one is done

import { typeError } from '../core/bad-argument.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { requireScheduler } from '../core/kernel.ts';
import { nameOf, type Op } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { checkOptions, ownFlag } from './address.ts';
import { closeLater, runErrand } from './errand.ts';

export interface AsyncIterableOptions {
  /** Close the stream when the loop is left before its end: true by default. */
  readonly close?: boolean | undefined;
}

/** What gives chunks, or values, until null: sockets, bodies, framed streams. */
export type Iterated<T> = ({ read(): Op<T | null> } | { receive(): Op<T | null> }) & { close?(): unknown };

class StreamIterator<T> implements AsyncIterator<T, undefined, undefined> {
  readonly #scheduler: Scheduler = requireScheduler();
  readonly #stream: Iterated<T>;
  readonly #closes: boolean;
  #running: Greenlet<unknown> | undefined = undefined;
  #over = false;
  /** Steps that were asked for before the last one was there come after it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(stream: Iterated<T>, closes: boolean) {
    this.#stream = stream;
    this.#closes = closes;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const step = this.#last.then(() => this.#step());
    this.#last = step.catch(() => {});
    return step;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    if (!this.#over) {
      this.#over = true;
      this.#running?.kill('the loop was left');
      if (this.#closes) closeLater(this.#scheduler, this.#stream);
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  #step(): Promise<IteratorResult<T, undefined>> {
    if (this.#over) return Promise.resolve({ done: true, value: undefined });
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      const op = (): Op<T | null> => ('receive' in stream ? stream.receive() : stream.read());
      this.#running = runErrand(this.#scheduler, `next of ${String(stream)}`, op, (outcome) => {
        this.#running = undefined;
        if (!outcome.ok) {
          // Whoever left the loop while this step was pending has what they asked for.
          if (this.#over) resolve({ done: true, value: undefined });
          else reject(outcome.error);
          this.#over = true;
        } else if (outcome.value === null) {
          this.#over = true;
          resolve({ done: true, value: undefined });
        } else {
          resolve({ done: false, value: outcome.value });
        }
      });
    });
  }
}

/** The iterator of `stream`. @internal */
export function iterate<T>(stream: Iterated<T>, closes: boolean): AsyncIterator<T, undefined> {
  return new StreamIterator(stream, closes);
}

/**
 * Make an async iterable, for `for await` in ordinary code, of what a stream reads (chunks) or a framed stream receives (values).
 *
 * Never switches. Leaving the loop early closes the stream, unless `close` is false. Inside a greenlet use `forEach`, which costs less.
 *
 * Its steps reject with the errors of `read` or `receive`. @throws TypeError if `stream` has neither, or for bad options.
 */
export function toAsyncIterable<T>(stream: Iterated<T>, options?: AsyncIterableOptions): AsyncIterable<T, undefined> {
  const where = 'toAsyncIterable';
  const candidate = stream as { read?: unknown; receive?: unknown } | null | undefined;
  if (typeof candidate?.read !== 'function' && typeof candidate?.receive !== 'function')
    throw typeError(`${where} takes a stream with read() or receive(), not ${nameOf(stream)}`);
  const closes = ownFlag(checkOptions(options, where), 'close', true, where);
  return { [Symbol.asyncIterator]: () => iterate(stream, closes) };
}
