// blocking.ts: commands that wait at the server, and for how long they ask to wait.
//
// Each of them says so in a place of its own: `BLPOP key... seconds`, `BLMPOP seconds ...`, `XREAD BLOCK milliseconds ...`. 0 is for ever. Whoever knows how
// long a reply may take notices when it does not come any more.
// Source: https://redis.io/docs/latest/commands/

import type { Argument } from './resp-encoder.ts';

const WAITS = /^B[LRZ]|^XREAD(GROUP)?$/;

/** Does the command `verb`, which is in capitals, wait at the server? */
export function blocks(verb: string): boolean {
  return WAITS.test(verb);
}

/** How long a blocking command may wait at the server, in milliseconds; Infinity if it is for ever, or cannot be told. */
export function blockingMs(verb: string, args: readonly Argument[]): number {
  if (verb.startsWith('XREAD')) {
    const at = args.findIndex((each) => /^block$/i.test(textOf(each)));
    return at === -1 ? 0 : finite(args[at + 1], 1);
  }
  return finite(verb.includes('MPOP') ? args[0] : args.at(-1), 1000);
}

function finite(time: Argument | undefined, unitMs: number): number {
  const value = time === undefined ? Number.NaN : Number(textOf(time));
  return value > 0 ? value * unitMs : Number.POSITIVE_INFINITY;
}

function textOf(argument: Argument): string {
  return argument instanceof Uint8Array ? Buffer.from(argument).toString() : String(argument);
}
