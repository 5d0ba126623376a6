// calling.ts: an event that is fired and waited for: `call`, and `ask` for the one answer.
//
// Several waits in a row, so no Waitable: the event has been fired whatever becomes of the wait.

import type { Op } from '../core/op.ts';
import type { Component } from './component.ts';
import { nodeOf } from './component-node.ts';
import { NoResultError } from './errors.ts';
import type { AnyEvent, ResultsOf } from './event-type.ts';
import type { FireOptions } from './fire-options.ts';

/** Fire `event` and wait for its results. */
export function* calling<E extends AnyEvent>(
  component: Component,
  event: E,
  options: FireOptions | undefined,
): Op<ResultsOf<E>[]> {
  return yield* component.fire(event, options).result();
}

/** Fire `event` and wait for its first result. */
export function* asking<E extends AnyEvent>(
  component: Component,
  event: E,
  options: FireOptions | undefined,
): Op<ResultsOf<E>> {
  const firing = component.fire(event, options);
  const results = yield* firing.result();
  if (results.length === 0) {
    // Those for every event watch, and are not what it is for. Found now, since to count them for each event costs a tenth of its handling and more.
    const found = nodeOf(component).tree.handlers.find(firing.kind, firing.channels);
    const handlers = found.filter(({ forAll }) => !forAll).length;
    throw new NoResultError(String(firing), Math.min(handlers, firing.begun));
  }
  return results[0] as ResultsOf<E>;
}
