// http-server-settings.ts: the options of http.serve, checked at the call, with their defaults.
//
// Everything is finite unless you say Infinity. The names of serve() mean the same here.

import { typeError } from '../core/bad-argument.ts';
import { checkOptions, own, ownCount, ownMs } from './address.ts';
import type { ServeOptions } from './serve.ts';
import type { ListenTlsOptions } from './tls-listen.ts';

const MiB = 1024 * 1024;
const GRACE_MS = 10_000;

export interface HttpServeOptions extends ServeOptions {
  /** How long the head of a request may take to come, from the connection or its first byte on: 10,000 ms by default. Then 408. */
  readonly headTimeoutMs?: number | undefined;
  /** How long a connection may rest between requests: 5,000 ms by default. */
  readonly keepAliveMs?: number | undefined;
  /** A body that somebody waits for must bring so many bytes a second: 500 by default, 0 for none. Then 408. */
  readonly minBytesPerSecond?: number | undefined;
  /** Over how long that is measured, again and again: 10,000 ms by default. */
  readonly bodyWindowMs?: number | undefined;
  /** How long a client may take nothing of what is sent to it: 30,000 ms by default. */
  readonly writeStallMs?: number | undefined;
  /** The most bytes of the head of a request: 16 KiB by default. Then 431. */
  readonly maxHeaderBytes?: number | undefined;
  /** The most fields of a request: 100 by default. Then 431. */
  readonly maxHeaders?: number | undefined;
  /** What `request.text()` and its like take at most if they are not told: 64 MiB by default. Then 413. */
  readonly bodyLimit?: number | undefined;
  /** How many requests a connection may bring before it is closed: 10,000 by default. */
  readonly maxRequests?: number | undefined;
  /** Serve HTTPS: the options of listenTls. Only if the target is an address. */
  readonly tls?: ListenTlsOptions | undefined;
}

export interface ServerSettings {
  readonly serve: ServeOptions;
  readonly graceMs: number;
  readonly headTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly minBytesPerSecond: number;
  readonly bodyWindowMs: number;
  readonly writeStallMs: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly bodyLimit: number;
  readonly maxRequests: number;
  readonly tls: ListenTlsOptions | undefined;
}

/** @throws TypeError or RangeError for a bad option. */
export function serverSettings(options: HttpServeOptions | undefined): ServerSettings {
  const where = 'http.serve';
  const given = checkOptions(options, where);
  const tls = own<ListenTlsOptions>(given, 'tls');
  if (tls !== undefined && (typeof tls !== 'object' || tls === null))
    throw typeError(`${where}: tls must be an object`);
  const overflow = own<'drop' | 'wait'>(given, 'overflow');
  const maxConnections = own<number>(given, 'maxConnections');
  const maxHeaderBytes = ownCount(given, 'maxHeaderBytes', 16_384, 64, where);
  return {
    // What is left when the server is stopped has had its grace from us.
    serve: {
      graceMs: 0,
      ...(overflow === undefined ? {} : { overflow }),
      ...(maxConnections === undefined ? {} : { maxConnections }),
    },
    graceMs: ownMs(given, 'graceMs', GRACE_MS, where),
    headTimeoutMs: ownMs(given, 'headTimeoutMs', 10_000, where),
    keepAliveMs: ownMs(given, 'keepAliveMs', 5_000, where),
    minBytesPerSecond: ownCount(given, 'minBytesPerSecond', 500, 0, where),
    bodyWindowMs: ownMs(given, 'bodyWindowMs', 10_000, where),
    writeStallMs: ownMs(given, 'writeStallMs', 30_000, where),
    maxHeaderBytes: Math.min(maxHeaderBytes, MiB * 1024),
    maxHeaders: ownCount(given, 'maxHeaders', 100, 1, where),
    bodyLimit: ownCount(given, 'bodyLimit', 64 * MiB, 0, where),
    maxRequests: ownCount(given, 'maxRequests', 10_000, 1, where),
    tls,
  };
}
