// address.ts: where something listens or connects to, and the check of what a caller gives for it, before any IO.
//
// Options and addresses are read as own properties only: what somebody put on Object.prototype, or on a shared base object, is never
// honoured. A host that cannot exist is found out here, so that no lookup is spent on it.

import net from 'node:net';
import { rangeError, typeError } from '../core/bad-argument.ts';

// Taken at load: patches never reach us.
const { isIP } = net;

const INVALID_VALUE = 'ERR_INVALID_ARG_VALUE';
/** What an operating system's address has room for. Node 20 cuts a longer one in silence, and listens somewhere else. */
const MOST_PATH_BYTES = process.platform === 'win32' ? 32_767 : process.platform === 'darwin' ? 103 : 107;

/** The address of one end of a connection, or of a listener. Of a Unix socket only `path` says something: its `host` is '' and its `port` 0. */
export class Address {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  /** Of a Unix socket, '' if it has no name (a client's end); undefined otherwise. */
  readonly path: string | undefined;

  constructor(host: string, port: number, path?: string) {
    this.host = host;
    this.port = port;
    this.path = path;
  }

  toString(): string {
    if (this.path !== undefined) return this.path === '' ? 'unix' : this.path;
    return hostPort(this.host, this.port);
  }
}

/** `127.0.0.1:80` or `[::1]:80`. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A TCP address, or the path of a Unix socket. An Address is one too. */
export type Endpoint =
  | { readonly host?: string | undefined; readonly port: number; readonly path?: undefined }
  | { readonly path: string }
  | Address;

/** A checked Endpoint: a path, or a port and perhaps a host. */
export type CheckedEndpoint =
  | { readonly path: string }
  | { readonly host: string | undefined; readonly port: number; readonly path: undefined };

/**
 * Check an endpoint.
 *
 * @throws TypeError for anything but an object, a host that is no name, a path that is empty or holds NUL. @throws RangeError for a port that is
 * no integer from 0 to 65,535 (ERR_SOCKET_BAD_PORT), and for a path that is too long.
 */
export function checkEndpoint(endpoint: unknown, where: string): CheckedEndpoint {
  if (typeof endpoint !== 'object' || endpoint === null) {
    throw typeError(`${where} takes {host, port} or {path}, not ${endpoint === null ? 'null' : typeof endpoint}`);
  }
  const path = own<unknown>(endpoint, 'path');
  if (path !== undefined) {
    if (typeof path !== 'string') throw typeError(`${where}: path must be a string, not ${typeof path}`);
    if (path === '' || path.includes('\0')) {
      throw typeError(`${where}: path must be neither empty nor hold NUL`, INVALID_VALUE);
    }
    if (Buffer.byteLength(path) > MOST_PATH_BYTES) {
      throw rangeError(`${where}: the path of a Unix socket has at most ${MOST_PATH_BYTES} bytes`);
    }
    return { path };
  }
  const port = checkPort(own<unknown>(endpoint, 'port'), where);
  const host = own<unknown>(endpoint, 'host');
  return { path: undefined, port, host: host === undefined ? undefined : checkHost(host, where) };
}

export function checkPort(port: unknown, where: string): number {
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw rangeError(
      `${where}: port must be an integer from 0 to 65535, not ${shownValue(port)}`,
      'ERR_SOCKET_BAD_PORT',
    );
  }
  return port;
}

/** Check that `host` could be sent to a resolver: a string without blanks and control characters. @throws TypeError */
export function checkHost(host: unknown, where: string): string {
  if (typeof host !== 'string') throw typeError(`${where}: host must be a string, not ${shownValue(host)}`);
  if (host === '') throw typeError(`${where}: host must not be empty`, INVALID_VALUE);
  if (/[\0-\x20\x7f]/.test(host.slice(0, 1024)))
    throw typeError(`${where}: host must hold no blank and no control character`, INVALID_VALUE);
  return host;
}

/** Could `host` be the name of anything? By RFC 1035 a name has at most 253 characters and a label 1 to 63. */
export function canExist(host: string): boolean {
  if (host.length > 254) return false;
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  if (name.length > 253) return false;
  return name.split('.').every((label) => label.length >= 1 && label.length <= 63);
}

/** 4 or 6 for an IP address, 0 for a name. */
export function familyOf(host: string): number {
  return isIP(host);
}

/** The own property `key` of `options`; undefined if it is inherited or absent. */
export function own<T>(options: object, key: string): T | undefined {
  return Object.hasOwn(options, key) ? (options as Record<string, T | undefined>)[key] : undefined;
}

/** A duration option, or `otherwise`. @throws TypeError if it is no number, NaN or negative. */
export function ownMs(options: object, key: string, otherwise: number, where: string): number {
  const ms = own<unknown>(options, key);
  if (ms === undefined) return otherwise;
  if (typeof ms !== 'number' || !(ms >= 0))
    throw typeError(`${where}: ${key} must be a number >= 0, not ${shownValue(ms)}`);
  return ms;
}

/** A count option, or `otherwise`. @throws RangeError if it is no integer >= `least`; Infinity is one. */
export function ownCount(options: object, key: string, otherwise: number, least: number, where: string): number {
  const count = own<unknown>(options, key);
  if (count === undefined) return otherwise;
  if (typeof count !== 'number' || !(Number.isInteger(count) || count === Number.POSITIVE_INFINITY) || count < least) {
    throw rangeError(`${where}: ${key} must be an integer >= ${least} or Infinity, not ${shownValue(count)}`);
  }
  return count;
}

/** A boolean option, or `otherwise`. @throws TypeError if it is no boolean. */
export function ownFlag(options: object, key: string, otherwise: boolean, where: string): boolean {
  const flag = own<unknown>(options, key);
  if (flag === undefined) return otherwise;
  if (typeof flag !== 'boolean') throw typeError(`${where}: ${key} must be true or false, not ${shownValue(flag)}`);
  return flag;
}

/** A text option, or undefined. @throws TypeError if it is no string. */
export function ownText(options: object, key: string, where: string): string | undefined {
  const text = own<unknown>(options, key);
  if (text !== undefined && typeof text !== 'string')
    throw typeError(`${where}: ${key} must be a string, not ${shownValue(text)}`);
  return text;
}

/** Check an options argument. @throws TypeError if it is no object. */
export function checkOptions(options: unknown, where: string): object {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null)
    throw typeError(`${where}: options must be an object, not ${shownValue(options)}`);
  return options;
}

/** A short text of a bad argument. */
export function shownValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
