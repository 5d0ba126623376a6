// typed.ts: with the types of `tendril/patches/promise`, a promise is an Op.
import type { Op } from 'tendril';
import type {} from 'tendril/patches/promise';

export function* length(text: Promise<string>): Op<number> {
  const value: string = yield* text;
  return value.length;
}
