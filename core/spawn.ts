// spawn.ts: making greenlets, and asking which one runs.
//
// Plain spawn is always detached: the new greenlet belongs to the root scope, and nobody but whoever joins, links or awaits it learns of its
// end. To tie lifetimes together use scope().
// Source: gevent.spawn, with S9's rule that only a scope's own spawn joins it.

import { type AnyBody, requireBody } from './body.ts';
import { NotInGreenletError } from './errors.ts';
import { Greenlet, type SpawnOptions } from './greenlet.ts';
import { kernel, requireScheduler } from './kernel.ts';
import type { Body, Op } from './op.ts';
import { requireMs } from './sleep.ts';
import { DAEMON, DONE } from './status.ts';

/**
 * Make a detached greenlet and queue it: it runs after the caller next waits, in the order of spawning.
 *
 * Never switches. If it fails and nobody has joined it, linked it or asked for its promise by then, the hub reports the error.
 *
 * @throws TypeError if `body` is no function, or what it returns is no Op.
 * @see https://www.gevent.org/api/gevent.greenlet.html
 */
export function spawn<T>(body: () => Op<T>): Greenlet<T>;
export function spawn<A extends readonly unknown[], T>(body: Body<A, T>, ...args: A): Greenlet<T>;
export function spawn(body: AnyBody<unknown>, ...args: unknown[]): Greenlet {
  return new Greenlet(body, ...args).start();
}

/** As `spawn`, with a name or as a daemon. */
export function spawnWith<A extends readonly unknown[], T>(
  options: SpawnOptions,
  body: Body<A, T>,
  ...args: A
): Greenlet<T> {
  const greenlet = new Greenlet<T>(body as unknown as AnyBody<T>, ...args);
  if (options.name !== undefined) greenlet.rare().name = options.name;
  if (options.daemon === true) greenlet.status |= DAEMON;
  return greenlet.start();
}

/**
 * As `spawn`, but it starts `delayMs` from now. The body is called now; killed before, it never runs.
 *
 * @throws TypeError if `delayMs` is no number. @see https://www.gevent.org/api/gevent.html#gevent.spawn_later
 */
export function spawnLater<A extends readonly unknown[], T>(
  delayMs: number,
  body: Body<A, T>,
  ...args: A
): Greenlet<T> {
  requireMs(delayMs, 'spawnLater');
  const greenlet = new Greenlet<T>(body as unknown as AnyBody<T>, ...args);
  return greenlet.startLater(Math.max(delayMs, 0));
}

/** The greenlet that runs now. @throws NotInGreenletError in ordinary code. */
export function current(): Greenlet {
  if ((kernel.current.status & DONE) !== 0) throw new NotInGreenletError('current()');
  return kernel.current;
}

/** Milliseconds on the driver's monotonic clock: what `deadlineMs` and `atMs` refer to. */
export function now(): number {
  return requireScheduler().driver.now();
}

/**
 * Run `body` in a new greenlet, from ordinary code, and promise its value.
 *
 * Rejects with its error, with GreenletKilledError if it was killed, or with DeadlockError if nothing can ever wake it. Other greenlets
 * go on when it ends. Inside a greenlet it makes a detached one.
 */
export function run<T>(body: () => Op<T>): Promise<T>;
export function run<A extends readonly unknown[], T>(body: Body<A, T>, ...args: A): Promise<T>;
export function run(body: AnyBody<unknown>, ...args: unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    requireBody(body, 'run');
    const scheduler = requireScheduler();
    const greenlet = new Greenlet(body, ...args);
    scheduler.runs.set(greenlet, reject);
    greenlet.link(() => {
      scheduler.runs.delete(greenlet);
      const { outcome } = greenlet;
      if (outcome?.ok === true) resolve(outcome.value);
      else reject(outcome?.error);
    });
    greenlet.start();
  });
}
