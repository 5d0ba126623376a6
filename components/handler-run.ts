// handler-run.ts: which handler runs now: what `handling()` answers, and what `fire` asks to know whose effect an event is.
//
// A plain handler runs where events are dispatched, so it is known by a variable that is set around the call. A handler that waits is a greenlet, and is found by it, or
// by the nearest of its living ancestors that is one: what a handler spawns works for the same event. Background work, and the dispatching itself, end that search: they are
// begun by whoever comes first, and not on anybody's behalf.

import { UsageError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel } from '../core/kernel.ts';
import { DONE } from '../core/status.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type EventOf, kindOf, type Listenable } from './event-type.ts';
import type { Firing } from './firing.ts';
import type { Handler } from './handler.ts';

/** A handler that runs as a greenlet, from when that is made until it has ended. @internal */
export class HandlerRun {
  readonly dispatcher: Dispatcher;
  readonly firing: Firing;
  readonly handler: Handler;
  /** Its place among the handlers of this firing. */
  readonly index: number;
  declare greenlet: Greenlet<unknown>;
  begun = false;
  ended = false;

  constructor(dispatcher: Dispatcher, firing: Firing, handler: Handler, index: number) {
    this.dispatcher = dispatcher;
    this.firing = firing;
    this.handler = handler;
    this.index = index;
  }
}

/** Of a greenlet that handles: the firing. Null: it works on nobody's behalf. */
const firings = new WeakMap<Greenlet<unknown>, Firing | null>();
let plain: Firing | undefined;

/** `greenlet` handles `firing`, or works on nobody's behalf. @internal */
export function worksFor(greenlet: Greenlet<unknown>, firing: Firing | null): void {
  firings.set(greenlet, firing);
}

/** Call a plain handler. @internal */
export function callPlain(firing: Firing, handler: Handler, args: readonly unknown[]): unknown {
  plain = firing;
  try {
    return handler.body.apply(handler.component, args as unknown[]);
  } finally {
    plain = undefined;
  }
}

/** The firing that is being handled by whoever asks, if any. @internal */
export function currentFiring(): Firing | undefined {
  if (plain !== undefined) return plain;
  if ((kernel.current.status & DONE) !== 0) return undefined;
  for (
    let greenlet: Greenlet<unknown> | undefined = kernel.current;
    greenlet !== undefined;
    greenlet = greenlet.parent
  ) {
    const firing = firings.get(greenlet);
    if (firing !== undefined) return firing ?? undefined;
  }
  return undefined;
}

/**
 * The event that the handler that calls this is handling: to stop it, to look at its channels. Never switches.
 *
 * ```ts
 * import { Component, defineEvent, handling } from 'tendril/components';
 *
 * const say = defineEvent<[text: string]>('say');
 * const moderator = new Component();
 * moderator.on(say, (text) => { if (text.includes('spam')) handling().stop(); }, { priority: 10 });
 * ```
 *
 * @param type The type that it must be of, which types the result.
 * @throws UsageError outside a handler, or if the event is of another type.
 */
export function handling(): Firing;
export function handling<A extends readonly unknown[], R>(type: Listenable<A, R>): Firing<A, R>;
export function handling(type?: Listenable<readonly unknown[], unknown>): Firing {
  const firing = currentFiring();
  if (firing === undefined)
    throw new UsageError(
      'handling() was called outside a handler: call it in one, or in a greenlet that one has spawned and that it waits for',
    );
  if (type === undefined) return firing;
  const kind = kindOf(type, 'handling');
  if (firing.kind !== kind)
    throw new UsageError(
      `handling(${kind.name}) was called by a handler of ${firing.event satisfies EventOf<readonly unknown[], unknown>}`,
    );
  return firing;
}
