// refused.ts: commands that only one who has the connection to himself may send, because they change what all later replies on it are.
//
// Whoever sends one of them over the shared connection, alone or inside a transaction, would confuse every other greenlet on it.

import { UsageError } from 'tendril';
import type { Argument } from './resp-encoder.ts';

const SUBSCRIBING = /^(P|S)?(UN)?SUBSCRIBE$|^MONITOR$|^SYNC$|^PSYNC$/;
const CONVERSATIONAL = /^(MULTI|EXEC|DISCARD|WATCH|UNWATCH)$/;

/** What to use in place of `verb`, which is in capitals; undefined if it may be sent. */
function insteadOf(verb: string, args: readonly Argument[]): string | undefined {
  if (SUBSCRIBING.test(verb)) return 'subscribe()';
  if (CONVERSATIONAL.test(verb)) return 'multi() or isolated()';
  if (verb === 'HELLO') return 'the options of connectRedis()';
  if (verb === 'RESET' || (verb === 'CLIENT' && /^reply$/i.test(textOf(args[0])))) return 'isolated()';
  return undefined;
}

function textOf(argument: Argument | undefined): string {
  return argument instanceof Uint8Array ? Buffer.from(argument).toString() : String(argument);
}

/** @throws UsageError if `verb` may not be sent over a connection that is shared. */
export function refuseOnShared(verb: string, args: readonly Argument[]): void {
  const instead = insteadOf(verb, args);
  if (instead === undefined) return;
  throw new UsageError(`${verb} on a connection that is shared would change the replies of others: use ${instead}`);
}
