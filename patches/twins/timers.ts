// timers.ts: the public names of `tendril/patches/timers`: those of node:timers, and `scheduler`, with the arguments of node:timers/promises.
//
//   yield* setTimeout(100);
//   yield* forEach(setInterval(1000), function* () { ... });
//
// A function that is called later is not what a greenlet wants: it waits, or spawns who waits (spawnLater). So setTimeout(delayMs, value) is an Op that returns `value`, and a
// function in place of the delay is refused. Delays are those of `sleep`: milliseconds, Infinity for ever; NaN is a TypeError. They keep to the virtual clock of a simulation.
// clearTimeout, clearInterval and clearImmediate are Node's own, for timers that other code has made: an Op is ended by a kill, a timeout or its signal.

import { typeError } from '../../core/bad-argument.ts';
import { nameOf, type Waitable } from '../../core/op.ts';
import { requireMs, sleep, yieldNow } from '../../core/sleep.ts';
import { checkOptions, own } from '../../io/address.ts';
import { abortable } from './abortable.ts';
import { converted } from './converted.ts';
import { Interval } from './interval.ts';

export { clearImmediate, clearInterval, clearTimeout, promises } from 'node:timers';
export { Interval } from './interval.ts';

/** What is the delay if none is given: as in Node. */
const DEFAULT_DELAY_MS = 1;

export interface TimerOptions {
  /** Ends the wait with AbortError. */
  readonly signal?: AbortSignal | undefined;
  /** True, or not given: whether a wait keeps the process alive is a matter of its greenlet. */
  readonly ref?: true | undefined;
}

function delayOf(delayMs: unknown, where: string): number {
  if (typeof delayMs === 'function')
    throw typeError(
      `${where} of a twin takes no function: \`yield* ${where}(ms)\` waits, spawnLater(ms, body) calls later`,
    );
  return requireMs(delayMs, where);
}

function signalOf(options: TimerOptions | undefined, where: string): AbortSignal | undefined {
  const given = checkOptions(options, where);
  if (own<unknown>(given, 'ref') === false)
    throw typeError(`${where}: ref cannot be false: spawn a daemon, which does not keep the process alive`);
  return own<AbortSignal>(given, 'signal');
}

function returning<T>(wait: Waitable<void>, value: T, options: TimerOptions | undefined, where: string): Waitable<T> {
  return abortable(
    converted(wait, () => value),
    signalOf(options, where),
    where,
  );
}

/**
 * Wait `delayMs` milliseconds (1 if not given), and return `value`.
 *
 * Always switches. @throws TypeError at the call for a delay that is no number, or a function. @throws AbortError if `signal` aborts. @throws Killed
 * @see https://nodejs.org/api/timers.html#timerspromisessettimeoutdelay-value-options
 */
export function setTimeout<T = void>(
  delayMs: number = DEFAULT_DELAY_MS,
  value?: T,
  options?: TimerOptions,
): Waitable<T> {
  return returning(sleep(delayOf(delayMs, 'setTimeout')), value as T, options, 'setTimeout');
}

/**
 * Let everybody who is runnable, and what has arrived, have a turn; then return `value`.
 *
 * Always switches. @throws TypeError at the call for a function. @throws AbortError if `signal` aborts. @throws Killed
 */
export function setImmediate<T = void>(value?: T, options?: TimerOptions): Waitable<T> {
  if (typeof value === 'function')
    throw typeError(`setImmediate of a twin takes no function, but got ${nameOf(value)}`);
  return returning(yieldNow(), value as T, options, 'setImmediate');
}

/**
 * Make an interval: each next() of it waits for a tick, `delayMs` (1 if not given) after the one before, and gives `value`. For forEach.
 *
 * Never switches. @throws TypeError for a delay that is no number, or not above 0.
 */
export function setInterval<T = void>(
  delayMs: number = DEFAULT_DELAY_MS,
  value?: T,
  options?: TimerOptions,
): Interval<T> {
  const checked = delayOf(delayMs, 'setInterval');
  if (checked <= 0) throw typeError(`setInterval takes a delay above 0, not ${checked}`, 'ERR_OUT_OF_RANGE');
  return new Interval(checked, value as T, signalOf(options, 'setInterval'));
}

/** The names of the web's scheduler, as node:timers/promises has them. */
export const scheduler: {
  /** Wait `delayMs` milliseconds. */
  wait(delayMs: number, options?: TimerOptions): Waitable<void>;
  /** Let everybody who is runnable now run once. */
  yield(): Waitable<void>;
} = {
  wait: (delayMs, options) => setTimeout(delayMs, undefined, options),
  yield: () => yieldNow(),
};
