// options.ts: what connectRedis can be told.
//
// All times are milliseconds, all limits finite by default; Infinity means never.

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
  /** A connection on which replies are due and nothing comes for so long (at most twice that) is taken for lost: 30,000 ms by default. */
  readonly replyMs?: number | undefined;
  /** How long commands wait for a lost connection to come back: 10,000 ms by default. */
  readonly outageMs?: number | undefined;
  /** The pause after the first failed attempt to reconnect, and the longest: 50 and 2,000 ms by default. */
  readonly retryMs?: number | undefined;
  readonly longestRetryMs?: number | undefined;
}
