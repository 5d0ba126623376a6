// options.ts: the options of a WebSocket, checked at the call, with their defaults.
//
// Everything is finite unless you say Infinity. Compression is off: it costs memory per connection, and text of an attacker beside a secret leaks it.

import { rangeError, typeError } from '../../core/bad-argument.ts';
import { own, ownCount, ownFlag, ownMs, shownValue } from '../address.ts';

export interface WebSocketOptions {
  /** The most bytes of a message that is received: 16 MiB by default. A longer one ends the connection with 1009. */
  readonly maxMessageBytes?: number | undefined;
  /** How much is buffered in each direction before the peer, or the sender, has to wait: 256 KiB by default, and one message. */
  readonly highWaterMark?: number | undefined;
  /** How often a silent peer is asked whether it is there: 30,000 ms by default. */
  readonly pingMs?: number | undefined;
  /** How long it may take to answer: 10,000 ms by default. */
  readonly pongTimeoutMs?: number | undefined;
  /** How long the peer may take to answer a close: 5,000 ms by default. */
  readonly closeTimeoutMs?: number | undefined;
  /** Compress messages if the peer can: false by default. */
  readonly perMessageDeflate?: boolean | undefined;
}

export interface WebSocketSettings {
  readonly maxMessageBytes: number;
  readonly highWaterMark: number;
  readonly pingMs: number;
  readonly pongTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly perMessageDeflate: boolean;
}

const MiB = 1024 * 1024;
const MOST = 2 ** 31 - 1;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** @throws TypeError or RangeError for a bad option. */
export function webSocketSettings(given: object, where: string): WebSocketSettings {
  return {
    maxMessageBytes: Math.min(ownCount(given, 'maxMessageBytes', 16 * MiB, 1, where), MOST),
    highWaterMark: ownCount(given, 'highWaterMark', MiB / 4, 1, where),
    pingMs: ownMs(given, 'pingMs', 30_000, where),
    pongTimeoutMs: ownMs(given, 'pongTimeoutMs', 10_000, where),
    closeTimeoutMs: ownMs(given, 'closeTimeoutMs', 5_000, where),
    perMessageDeflate: ownFlag(given, 'perMessageDeflate', false, where),
  };
}

/** What `ws` is told of them. */
export function nodeOptions(settings: WebSocketSettings): object {
  return {
    maxPayload: settings.maxMessageBytes,
    perMessageDeflate: settings.perMessageDeflate,
    // Ours is first; this one is a timer of Node's.
    closeTimeout: Math.min(settings.closeTimeoutMs + 1000, MOST),
    skipUTF8Validation: false,
    allowSynchronousEvents: true,
  };
}

/** The subprotocols that were given. @throws TypeError if one is no token, or given twice. */
export function protocolsOf(given: object, where: string): readonly string[] {
  const protocols = own<unknown>(given, 'protocols') ?? [];
  if (!Array.isArray(protocols)) throw typeError(`${where}: protocols must be an array, not ${shownValue(protocols)}`);
  for (const protocol of protocols as unknown[]) {
    if (typeof protocol !== 'string' || !TOKEN.test(protocol))
      throw typeError(`${where}: a protocol must be a token, not ${shownValue(protocol)}`);
  }
  if (new Set(protocols).size < protocols.length) throw typeError(`${where}: a protocol is given twice`);
  return protocols as string[];
}

/** @throws RangeError or TypeError for what a close may not say. */
export function checkClose(code: unknown, reason: unknown): void {
  const known =
    code === 1000 ||
    code === 1001 ||
    code === 1003 ||
    (typeof code === 'number' && ((code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)));
  if (!known || !Number.isInteger(code)) throw rangeError(`close: ${shownValue(code)} is no code that may be sent`);
  if (typeof reason !== 'string') throw typeError(`close: the reason must be text, not ${shownValue(reason)}`);
  if (Buffer.byteLength(reason) > 123) throw rangeError('close: the reason must have at most 123 bytes');
}
