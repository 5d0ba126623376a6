// supervise.ts: run a body again when it ends: restart policies with backoff.
//
// A kill is no reason to restart: it goes through. The delays grow with each restart in a row; a body that has run for long enough counts as
// healthy, and the next delay is the first one again.
// Sources: Erlang's supervisors (restart intensity), systemd's Restart=.

import { typeError } from './bad-argument.ts';
import type { AnyBody } from './body.ts';
import { composite } from './composite.ts';
import { rethrowKilled, UsageError } from './errors.ts';
import { requireScheduler } from './kernel.ts';
import { type Body, nameOf, type Op } from './op.ts';
import { requireMs, sleep } from './sleep.ts';
import { now } from './spawn.ts';

export interface Backoff {
  /** The first delay; 100 if not given. */
  readonly firstMs?: number | undefined;
  /** No delay is longer; 30,000 if not given. */
  readonly mostMs?: number | undefined;
  /** Each delay is that many times the one before; 2 if not given. */
  readonly factor?: number | undefined;
  /** The part of each delay that is random, 0 to 1, so that many do not come back at once; 0.2 if not given. */
  readonly jitter?: number | undefined;
}

export interface SuperviseOptions<A extends readonly unknown[]> {
  /** `on-error` (default): a body that returns is done. `always`: it starts again then, too. */
  readonly restart?: 'on-error' | 'always' | undefined;
  readonly backoff?: Backoff | ((restarts: number) => number) | undefined;
  /** Give up, and throw the last error, after so many restarts in a row; Infinity if not given. */
  readonly maxRestarts?: number | undefined;
  /** A body that ran for so long counts as healthy; 60,000 if not given. */
  readonly healthyMs?: number | undefined;
  /** Called before each restart, with the error (undefined after a return) and the delay. */
  readonly onRestart?: ((error: unknown, delayMs: number, restarts: number) => void) | undefined;
  readonly args?: A | undefined;
}

/**
 * Run `body` again and again, as `restart` says, with growing delays; returns its value with `on-error`.
 *
 * Switches. @throws the last error after `maxRestarts`. @throws Killed if the greenlet is killed, in the body or between two runs.
 * @throws TypeError if `body` is no function or an option is none of the above.
 */
export function supervise<T, A extends readonly unknown[] = []>(
  body: Body<A, T>,
  options: SuperviseOptions<A> = {},
): Op<T> {
  if (typeof body !== 'function') throw typeError(`supervise takes a generator function, not ${nameOf(body)}`);
  const restart = options.restart ?? 'on-error';
  if (restart !== 'on-error' && restart !== 'always') {
    throw typeError(`supervise: restart is 'on-error' or 'always', not ${String(restart)}`);
  }
  return composite(
    runSupervised<T>,
    body as unknown as AnyBody<T>,
    options,
    restart === 'always',
    delays(options.backoff ?? {}),
  );
}

function* runSupervised<T>(
  body: AnyBody<T>,
  options: SuperviseOptions<readonly unknown[]>,
  always: boolean,
  delay: (restarts: number) => number,
): Op<T> {
  const { maxRestarts = Number.POSITIVE_INFINITY, healthyMs = 60_000, onRestart } = options;
  const args = (options.args ?? []) as never[];
  for (let restarts = 1; ; restarts += 1) {
    const startedMs = now();
    let failure: { readonly error: unknown } | undefined;
    try {
      const value = yield* body(...args);
      if (!always) return value;
    } catch (error) {
      rethrowKilled(error);
      failure = { error };
    }
    if (now() - startedMs >= healthyMs) restarts = 1;
    if (restarts > maxRestarts) {
      if (failure === undefined) throw new UsageError(`supervise gave up after ${maxRestarts} restarts`);
      throw failure.error;
    }
    const delayMs = delay(restarts);
    onRestart?.(failure?.error, delayMs, restarts);
    yield* sleep(delayMs);
  }
}

function delays(backoff: Backoff | ((restarts: number) => number)): (restarts: number) => number {
  if (typeof backoff === 'function') return (restarts) => requireMs(backoff(restarts), 'supervise: backoff');
  const { firstMs = 100, mostMs = 30_000, factor = 2, jitter = 0.2 } = backoff;
  for (const [name, value] of Object.entries({ firstMs, mostMs, factor, jitter }))
    requireMs(value, `supervise: backoff.${name}`);
  return (restarts) => {
    const fullMs = Math.min(firstMs * factor ** (restarts - 1), mostMs);
    return fullMs * (1 - jitter * requireScheduler().driver.random());
  };
}
