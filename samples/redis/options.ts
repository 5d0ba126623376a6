// options.ts: what connectRedis can be told.
//
// All times are milliseconds, all limits finite by default; Infinity means never.

import { UsageError } from 'tendril';
import type { RedisAddress } from './resp-link.ts';

export interface RedisOptions extends RedisAddress {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The number of the database: 0 by default. */
  readonly db?: number | undefined;
  /** 3 asks for RESP3 with HELLO. 2 by default. */
  readonly protocol?: 2 | 3 | undefined;
  /** Values come back as Buffers, not as strings. */
  readonly buffers?: boolean | undefined;
  /** How long one attempt to connect may take: 10,000 ms by default. */
  readonly connectMs?: number | undefined;
  /**
   * A connection on which replies are due and nothing comes for so long (at most twice that) is taken for lost: 30,000 ms by default. One that only waits,
   * for an element or a message, is probed by the operating system after so much silence (at least 1 s), and lost if it does not answer either.
   */
  readonly replyMs?: number | undefined;
  /** How long commands wait for a lost connection to come back: 10,000 ms by default. */
  readonly outageMs?: number | undefined;
  /** The pause after the first failed attempt to reconnect, and the longest: 50 and 2,000 ms by default. */
  readonly retryMs?: number | undefined;
  readonly longestRetryMs?: number | undefined;
}

/** Check what the connections to come rest on: a NaN would otherwise be found when the first of them is lost. @throws UsageError */
export function checkRedisOptions(options: RedisOptions): void {
  const { db = 0, protocol = 2 } = options;
  if (!Number.isInteger(db) || db < 0) throw new UsageError(`db must be an integer >= 0, not ${String(db)}`);
  if (protocol !== 2 && protocol !== 3) throw new UsageError(`protocol must be 2 or 3, not ${String(protocol)}`);
  for (const name of ['connectMs', 'replyMs', 'outageMs', 'retryMs', 'longestRetryMs'] as const) {
    const ms: unknown = options[name];
    if (ms === undefined) continue;
    // Without a pause, attempts to reconnect would take all of the processor.
    const most = name.endsWith('etryMs') ? 2 ** 31 : Number.POSITIVE_INFINITY;
    if (typeof ms !== 'number' || (!(ms > 0 && ms <= most) && !(ms === 0 && name === 'outageMs'))) {
      throw new UsageError(`${name} must be a positive number of milliseconds, not ${String(ms)}`);
    }
  }
}
