// refusal.ts: the error of whoever sends what the host has refused to clone: it names the part that is to blame.
//
// The host is asked first, because its answer is the one that counts, and costs nothing when all is well. Which part it was is found out afterwards (travel.ts).

import { typeError } from '../../core/bad-argument.ts';
import { checkTravels } from '../travel.ts';

/** What was to travel. */
export interface Refused {
  readonly value: unknown;
  /** What the caller knows it as. */
  readonly path: string;
  /** 'another thread', 'another process'. */
  readonly to: string;
  /** What was to be moved. */
  readonly moved: readonly unknown[];
}

/** The error of `where`, of what the host has refused with `cause`. */
export function refusal(where: string, { value, path, to, moved }: Refused, cause: unknown): TypeError {
  const rules = { where: to, passes: (part: object) => moved.includes(part), maxBytes: Number.POSITIVE_INFINITY };
  let what = `${path} cannot travel to ${to} (${cause instanceof Error ? cause.message : String(cause)}): pass data`;
  try {
    checkTravels(value, path, rules);
  } catch (error) {
    // A getter of the value may have thrown anything.
    if (error instanceof TypeError) what = error.message;
  }
  return typeError(`${where}: ${what}`, 'ERR_CANNOT_TRAVEL', { cause });
}
