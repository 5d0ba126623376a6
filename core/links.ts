// links.ts: what a greenlet's end can be handed to besides a function: a result, a queue, a channel.
//
// A result gets the value, or the error. A queue or a channel gets the greenlet itself; it must have room, as nobody can wait at the end of a
// turn.
// Source: gevent's Greenlet.link (callables, events, queues).

import { typeError } from './bad-argument.ts';
import { failureOf } from './end.ts';
import { UsageError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { nameOf } from './op.ts';
import { FAILED } from './status.ts';

export type LinkListener<T> = (greenlet: Greenlet<T>) => void;

/** What a link may be made to, by shape: this file is below the primitives. */
export type LinkTarget<T> =
  | LinkListener<T>
  | { set(value: T): void; setError(error: unknown): void }
  | { tryPut(greenlet: Greenlet<T>): boolean }
  | { trySend(greenlet: Greenlet<T>): boolean };

/** Which ends a link is for. */
export type LinkWhen = 'any' | 'value' | 'error';

/** One link of a greenlet. */
export class Link {
  readonly target: unknown;
  readonly #when: LinkWhen;
  readonly #hand: (greenlet: Greenlet) => void;

  /** @throws TypeError if `target` cannot be linked to. */
  constructor(target: unknown, when: LinkWhen) {
    this.target = target;
    this.#when = when;
    this.#hand = handOver(target as LinkTarget<unknown>);
  }

  /** `greenlet` has ended. */
  run(greenlet: Greenlet): void {
    const failed = (greenlet.status & FAILED) !== 0;
    if (this.#when === 'any' || failed === (this.#when === 'error')) this.#hand(greenlet);
  }
}

function handOver(target: LinkTarget<unknown>): (greenlet: Greenlet) => void {
  if (typeof target === 'function') return target as (greenlet: Greenlet) => void;
  const shape = target as Partial<Record<'set' | 'setError' | 'tryPut' | 'trySend', unknown>> | null | undefined;
  if (typeof shape?.set === 'function' && typeof shape.setError === 'function') {
    const result = target as { set(value: unknown): void; setError(error: unknown): void };
    return (greenlet) => {
      if ((greenlet.status & FAILED) === 0) result.set(greenlet.value);
      else result.setError(failureOf(greenlet));
    };
  }
  if (typeof shape?.tryPut === 'function') {
    return (greenlet) =>
      requireRoom((target as { tryPut(greenlet: Greenlet): boolean }).tryPut(greenlet), greenlet, 'queue');
  }
  if (typeof shape?.trySend === 'function') {
    return (greenlet) =>
      requireRoom((target as { trySend(greenlet: Greenlet): boolean }).trySend(greenlet), greenlet, 'channel');
  }
  throw typeError(`link takes a function, an AsyncResult, a queue or a channel, not ${nameOf(target)}`);
}

function requireRoom(taken: boolean, greenlet: Greenlet, kind: string): void {
  if (!taken)
    throw new UsageError(
      `the ${kind} that ${greenlet.name} is linked to had no room when it ended: give it a capacity`,
    );
}
