// crowd.ts: what one does with many greenlets at once: join them, kill them.
//
// Both subscribe to all of them before they wait for any, so that no failure is reported as unseen while another one is awaited (S10).
// Source: gevent.joinall, gevent.killall.

import { typeError } from './bad-argument.ts';
import { composite } from './composite.ts';
import { failureOf } from './end.ts';
import { Greenlet } from './greenlet.ts';
import { nameOf, type Op } from './op.ts';
import { iwait } from './readiness.ts';
import { FAILED, SEEN } from './status.ts';

export interface JoinAllOptions {
  /** How many to wait for; all of them if not given. */
  readonly count?: number | undefined;
  /** Throw the error of the first in time that fails, and do not wait for the others. */
  readonly raiseError?: boolean | undefined;
}

/**
 * Wait until all of `greenlets`, or `count` of them, have ended; return those that have, in the order in which they did.
 *
 * Switches if it has to wait. The greenlets are left alone, whatever happens here.
 *
 * @throws with `raiseError`: the error of the first in time that failed. @throws TypeError if an element is no greenlet.
 * @throws Killed if killed while waiting.
 * @see https://www.gevent.org/api/gevent.html#gevent.joinall
 */
export function joinAll<T>(greenlets: Iterable<Greenlet<T>>, options: JoinAllOptions = {}): Op<Greenlet<T>[]> {
  const list = requireGreenlets(greenlets, 'joinAll');
  for (const greenlet of list) greenlet.status |= SEEN;
  return composite(joinInOrder<T>, list, options.count ?? list.length, options.raiseError === true);
}

function* joinInOrder<T>(greenlets: Greenlet<T>[], count: number, raiseError: boolean): Op<Greenlet<T>[]> {
  const ends = iwait(greenlets);
  const ended: Greenlet<T>[] = [];
  try {
    while (ended.length < count) {
      const next = yield* ends.next();
      if (next.done === true) break;
      const greenlet = next.value.object as Greenlet<T>;
      if (raiseError && (greenlet.status & FAILED) !== 0) throw failureOf(greenlet as Greenlet);
      ended.push(greenlet);
    }
  } finally {
    ends.close();
  }
  return ended;
}

/**
 * Kill all of `greenlets` and wait until they have ended.
 *
 * Switches if one has not ended yet. All kills are asked for before the first wait. Their failures are not thrown.
 *
 * @throws TypeError if an element is no greenlet. @throws Killed if killed while waiting: the kills stay.
 * @see https://www.gevent.org/api/gevent.html#gevent.killall
 */
export function killAll(greenlets: Iterable<Greenlet<unknown>>, reason?: unknown): Op<void> {
  return composite(killAndJoin, requireGreenlets(greenlets, 'killAll'), reason);
}

function* killAndJoin(greenlets: Greenlet<unknown>[], reason: unknown): Op<void> {
  for (const greenlet of greenlets) greenlet.kill(reason);
  for (const greenlet of greenlets) greenlet.status |= SEEN;
  for (const greenlet of greenlets) yield* greenlet.join();
}

function requireGreenlets<T>(greenlets: Iterable<Greenlet<T>>, taker: string): Greenlet<T>[] {
  const list = [...greenlets];
  list.forEach((greenlet, index) => {
    if (!(greenlet instanceof Greenlet))
      throw typeError(`${taker}: element ${index} is ${nameOf(greenlet)}, not a greenlet`);
  });
  return list;
}
