// limits.ts: what ends a simulated run that does not end by itself, and how these options are checked, at the call.
//
// A limit in steps or turns notices a world that spins at one instant; one in milliseconds, or after healing, a world that never comes to its end.

import { rangeError, typeError } from '../bad-argument.ts';
import { nameOf } from '../op.ts';

/** When the faults end, and how long everything may then take to finish. Virtual milliseconds. */
export interface HealOptions {
  readonly afterMs: number;
  readonly withinMs: number;
}

export interface PlayLimits {
  /** Give up after so many turns: a world that ticks for ever. */
  readonly maxTurns?: number | undefined;
  /** Give up after about so many steps at one instant: a greenlet that spins; 10,000,000 if not given. */
  readonly maxSteps?: number | undefined;
  /** Give up when the virtual clock has come so far. */
  readonly maxMs?: number | undefined;
  readonly heal?: HealOptions | undefined;
}

/** Check the body and the limits given to `taker`. @throws TypeError, RangeError */
export function checkPlay(body: unknown, options: PlayLimits, taker: string): void {
  if (typeof body !== 'function')
    throw typeError(`${taker} takes a generator function, function* (world) {...}, not ${nameOf(body)}`);
  if (typeof options !== 'object' || options === null)
    throw typeError(`${taker}: options must be an object, not ${nameOf(options)}`);
  for (const name of ['maxTurns', 'maxSteps', 'maxMs'] as const) checkLimit(options[name], `${taker}: ${name}`, 1);
  const { heal } = options;
  if (heal === undefined) return;
  if (typeof heal !== 'object' || heal === null)
    throw typeError(`${taker}: heal is {afterMs, withinMs}, not ${nameOf(heal)}`);
  for (const name of ['afterMs', 'withinMs'] as const) {
    if (heal[name] === undefined) throw typeError(`${taker}: heal is {afterMs, withinMs}; ${name} is missing`);
    checkLimit(heal[name], `${taker}: heal.${name}`, 0);
  }
}

/** Check that `value`, if there is one, is a number of at least `least`; Infinity is no limit. @throws TypeError, RangeError */
export function checkLimit(value: unknown, name: string, least: number): void {
  if (value === undefined) return;
  if (typeof value !== 'number') throw typeError(`${name} is a number, not ${nameOf(value)}`);
  if (!(value >= least)) throw rangeError(`${name} is a number >= ${least}, not ${value}`);
}
