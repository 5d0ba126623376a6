// checks.ts: what may be sent to memcached, and the errors of its client.
//
// A key with a space or a line break would be another command, and one that is too long would be taken apart: the server would take the value for commands.

import { ResourceError } from 'tendril';

/** The server refuses: `ERROR`, `CLIENT_ERROR ...` or `SERVER_ERROR ...`. The connection can be used again. */
export class MemcachedError extends ResourceError {
  override readonly code: string = 'ERR_MEMCACHED';
}

/** The server sent what no memcached sends, or closed the connection. It is dropped; the command may have been carried out. */
export class MemcachedProtocolError extends ResourceError {
  override readonly code: string = 'ERR_MEMCACHED_PROTOCOL';
}

const THIRTY_DAYS = 2_592_000;

function invalid(text: string): TypeError {
  return Object.assign(new TypeError(text), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** @throws TypeError unless `key` has 1 to 250 bytes, and neither spaces nor control characters. */
export function checkKey(key: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  const word = typeof key === 'string' && /^[^\x00-\x20\x7f\p{Surrogate}]+$/u.test(key);
  if (!word || Buffer.byteLength(key) > 250) throw invalid(`${JSON.stringify(key)?.slice(0, 300)} is no key`);
  return key;
}

export function checkValue(value: string | Uint8Array): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) throw invalid('a value is text or bytes');
  return Buffer.from(value);
}

/** @throws TypeError unless `count` is an integer of at most so many bits, without a sign. */
export function checkCount(count: number | bigint, bits = 64): bigint {
  const integer = typeof count === 'bigint' || Number.isSafeInteger(count) ? BigInt(count) : -1n;
  if (integer < 0n || integer >= 1n << BigInt(bits)) throw invalid(`${String(count)} is no integer of ${bits} bits`);
  return integer;
}

/** @throws TypeError unless `seconds` is an integer from 0 to thirty days: the server takes what is more for a date. */
export function checkSeconds(seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > THIRTY_DAYS)
    throw invalid(`a time to live is an integer from 0 to ${THIRTY_DAYS} seconds, not ${String(seconds)}`);
  return seconds;
}
