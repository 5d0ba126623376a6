// thrown-by.ts: the error of an Op, as a value that a test can compare.
import type { Op } from 'tendril';

/** What `op` throws; an Error that says so if it does not. */
export function* thrownBy(op: Op<unknown>): Op<unknown> {
  let value: unknown;
  try {
    value = yield* op;
  } catch (error) {
    return error;
  }
  throw new Error(`it returned ${String(value)} instead of throwing`);
}
