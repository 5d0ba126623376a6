// net-socket.ts: the Socket of `tendril/patches/net`: a connection with the names of node:net, whose reads and writes are Ops.
//
// A face of our own Socket (io/socket.ts), which does the work: Node's 'data' and 'end' events are `read()`, which gives null at the end, 'drain' is the wait
// in `write()`, 'error' is what these throw, 'timeout' the TimeoutError of whichever of them waits too long. Besides, it has our own ways to read: `readLine`,
// `readExactly`, `readUntil`.
//
// What Node does not have and a function over byte streams wants (`flush`, `close`) is here too, so pipe() and forEach() take it.
// Source: node:net.

/// <reference lib="esnext.disposable" preserve="true" />

import type { AddressInfo, SocketReadyState } from 'node:net';
import { rangeError, typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { UsageError } from '../../core/errors.ts';
import { MappedWait } from '../../core/mapped.ts';
import type { Op, Waitable } from '../../core/op.ts';
import { timeout } from '../../core/timeout.ts';
import { createdAround } from '../../core/unstarted.ts';
import type { Wait } from '../../core/wait.ts';
import { type Address, familyOf, shownValue } from '../../io/address.ts';
import { connect as connectSocket } from '../../io/connect.ts';
import type { Socket as OurSocket, ReadLineOptions, ReadUntilOptions } from '../../io/socket.ts';
import type { Writable } from '../../io/writable.ts';
import {
  type Connecting,
  checkSocketOptions,
  connectArguments,
  type NetConnectOptions,
  type SocketManner,
  type SocketOptions,
} from './net-arguments.ts';

const EMPTY = Buffer.alloc(0);

/** One end of a connection. `connect` and the handler of a server give them; `new Socket()` makes one that is still to be connected. */
export class Socket {
  readonly #options: object;
  #socket: OurSocket | undefined = undefined;
  #idleMs: number = Number.POSITIVE_INFINITY;
  #allowHalfOpen = false;
  readonly #ended = <T>(value: T): T => {
    if (value === null) this.#socket?.end();
    return value;
  };

  /** Make a socket to be connected by `connect`. Never switches. @throws TypeError for an option that cannot be honoured. */
  constructor(options?: SocketOptions) {
    this.#options = checkSocketOptions(options, 'new Socket');
  }

  /** The face of a connection that is there. @internal */
  static of(socket: OurSocket, how: Partial<SocketManner> = {}): Socket {
    const face = new Socket();
    face.#begin(socket, how);
    return face;
  }

  #begin(socket: OurSocket, { idleMs = Number.POSITIVE_INFINITY, allowHalfOpen = false }: Partial<SocketManner>): this {
    this.#socket = socket;
    this.#idleMs = idleMs;
    this.#allowHalfOpen = allowHalfOpen;
    return this;
  }

  /**
   * Connect, with the arguments of Node's connect(): (options), (port, host?) or (path). Returns this socket.
   *
   * Switches. As `connect` of this module. @throws UsageError if it was connected before.
   */
  connect(options: NetConnectOptions): Waitable<this>;
  connect(port: number | string, host?: string): Waitable<this>;
  connect(path: string): Waitable<this>;
  connect(...args: readonly unknown[]): Waitable<this> {
    if (this.#socket !== undefined)
      throw new UsageError(`connect of ${this}, which was connected before: make a new one`);
    const connecting = connectArguments(args, this.#options, 'connect');
    return connected(connecting, (socket) => this.#begin(socket, connecting));
  }

  #opened(op: string): OurSocket {
    if (this.#socket === undefined)
      throw new UsageError(`${op} on a socket that is not connected: yield* socket.connect(...) first`);
    return this.#socket;
  }

  #limited<T>(wait: Waitable<T>): Waitable<T> {
    return this.#idleMs === Number.POSITIVE_INFINITY ? wait : timeout(this.#idleMs, wait);
  }

  /** A read: when it comes to the peer's end, our side ends too, unless half-open connections are wanted. Not before: what had come may still be answered. */
  #reading<T>(wait: Waitable<T>): Waitable<T> {
    if (this.#allowHalfOpen) return this.#limited(wait);
    const reading = new MappedWait(wait as Wait<T>, { value: this.#ended, recover: () => undefined });
    return this.#limited(createdAround(reading, wait));
  }

  /** The peer's address; undefined before it is connected, and of a Unix socket. */
  get remoteAddress(): string | undefined {
    return hostOf(this.#socket?.remoteAddress);
  }
  get remotePort(): number | undefined {
    return portOf(this.#socket?.remoteAddress);
  }
  /** `IPv4` or `IPv6`. */
  get remoteFamily(): string | undefined {
    return familyName(this.#socket?.remoteAddress);
  }
  get localAddress(): string | undefined {
    return hostOf(this.#socket?.localAddress);
  }
  get localPort(): number | undefined {
    return portOf(this.#socket?.localAddress);
  }
  get localFamily(): string | undefined {
    return familyName(this.#socket?.localAddress);
  }

  /** Our end, as Node gives it: an empty object if there is none. */
  address(): AddressInfo | Record<string, never> {
    const info = infoOf(this.#socket?.localAddress);
    return info === null || typeof info === 'string' ? {} : info;
  }

  /** How many bytes were written. */
  get bytesWritten(): number {
    return this.#socket?.link.outbound.bytesQueued ?? 0;
  }
  /** How many bytes were written and have not reached the system. */
  get writableLength(): number {
    return this.#socket?.unsent ?? 0;
  }
  /** How many bytes have come and were not read. */
  get readableLength(): number {
    return this.#socket?.buffered ?? 0;
  }

  /** Has it been destroyed, by us or because the connection was lost or is over? */
  get destroyed(): boolean {
    const socket = this.#socket;
    if (socket === undefined) return false;
    const { outbound, inbound } = socket.link;
    return socket.closed || outbound.loss !== undefined || (inbound.ended && !outbound.open && socket.unsent === 0);
  }
  /** May it be written to? */
  get writable(): boolean {
    return this.#socket?.link.outbound.open ?? false;
  }
  /** Has neither the peer ended its side nor anybody closed it? */
  get readable(): boolean {
    return this.#socket !== undefined && !this.destroyed && !this.#socket.link.inbound.ended;
  }
  /** True until it is connected. */
  get pending(): boolean {
    return this.#socket === undefined;
  }
  /** Which directions are open. */
  get readyState(): SocketReadyState {
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }
  /** What setTimeout was told; 0 for no limit. */
  get timeout(): number {
    return this.#idleMs === Number.POSITIVE_INFINITY ? 0 : this.#idleMs;
  }

  /**
   * Read what has come: at least one byte, at most `max`; null when the peer has ended its side, then and ever after. Node's 'data' and 'end'.
   *
   * Switches only if nothing has come. If it throws, nothing was taken. @throws as our own Socket's read; TimeoutError after setTimeout's limit.
   */
  read(max?: number): Waitable<Buffer | null> {
    return this.#reading(this.#opened('read').read(max));
  }
  /** Read exactly `count` bytes. Switches and throws as our own Socket's readExactly. */
  readExactly(count: number): Waitable<Buffer> {
    return this.#limited(this.#opened('readExactly').readExactly(count));
  }
  /** Read up to `delimiter`, which is left out; null at the end. Switches and throws as our own Socket's readUntil. */
  readUntil(delimiter: string | Uint8Array, options?: ReadUntilOptions): Waitable<Buffer | null> {
    return this.#reading(this.#opened('readUntil').readUntil(delimiter, options));
  }
  /** Read a line without its end; null at the end. Switches and throws as our own Socket's readLine. */
  readLine(options?: ReadLineOptions): Waitable<string | null> {
    return this.#reading(this.#opened('readLine').readLine(options));
  }
  /** Put bytes back in front of what has come. Never switches. */
  unshift(bytes: Uint8Array): void {
    this.#opened('unshift').unread(bytes);
  }

  /**
   * Write `data`, a string in `encoding` (UTF-8) or bytes.
   *
   * Waits for room and then queues all of it; switches only if there is none. If it throws, nothing of it was queued. @throws as our own Socket's write;
   * TimeoutError after setTimeout's limit; TypeError for an unknown encoding.
   */
  write(data: Writable, encoding?: BufferEncoding): Waitable<void> {
    return this.#limited(this.#opened('write').write(encoded(data, encoding, 'write')));
  }

  /**
   * Write `data`, if there is some, end our side, and wait until the system has all of it. Node's 'finish'.
   *
   * Switches if something is left. If it is killed while it waits for room nothing of `data` was queued, and our side is open. @throws as write.
   */
  end(data?: Writable, encoding?: BufferEncoding): Op<void> {
    const socket = this.#opened('end');
    const last = encoded(data ?? EMPTY, encoding, 'end');
    return composite(() => this.#end(socket, last));
  }

  *#end(socket: OurSocket, last: Writable): Op<void> {
    if (typeof last === 'string' || last.byteLength > 0) yield* this.#limited(socket.write(last));
    if (socket.closed) return;
    socket.end();
    yield* this.#limited(socket.flush());
  }

  /** Wait until the system has all that was written. Switches and throws as our own Socket's flush. */
  flush(): Waitable<void> {
    return this.#limited(this.#opened('flush').flush());
  }

  /** Close both sides, at once; who waits on it gets ClosedError. Never switches; idempotent. Returns this socket. */
  destroy(): this {
    this.#socket?.close();
    return this;
  }
  /** Send a reset instead of an end, and close. Never switches. Returns this socket. */
  resetAndDestroy(): this {
    const socket = this.#socket;
    if (socket !== undefined && !socket.closed) {
      // First: what was closed can send no reset any more.
      socket.link.transport.release?.(EMPTY).resetAndDestroy();
      socket.close();
    }
    return this;
  }
  /** As destroy: for functions over any two byte streams. */
  close(): void {
    this.destroy();
  }
  /** `using`: destroy at the end of the block. */
  [Symbol.dispose](): void {
    this.destroy();
  }

  /**
   * Limit every later wait of this socket to `ms`; 0 for no limit. Never switches. Node's 'timeout' is the TimeoutError that the wait throws; as there, nothing
   * is closed. Returns this socket.
   *
   * @throws TypeError or RangeError if `ms` is no number that can be waited for.
   */
  setTimeout(ms: number): this {
    if (typeof ms !== 'number') throw typeError(`setTimeout takes milliseconds, not ${shownValue(ms)}`);
    if (!(ms >= 0)) throw rangeError(`setTimeout takes milliseconds >= 0, not ${ms}`);
    this.#idleMs = ms === 0 ? Number.POSITIVE_INFINITY : ms;
    return this;
  }
  /** Send small pieces at once, or let the system gather them. Never switches. Nothing on a Unix socket. Returns this socket. */
  setNoDelay(noDelay = true): this {
    this.#opened('setNoDelay').link.transport.setNoDelay?.(noDelay);
    return this;
  }
  /** Have the system probe a silent peer after `initialDelay` ms, or not. Never switches. Returns this socket. */
  setKeepAlive(enable = false, initialDelay = 0): this {
    this.#opened('setKeepAlive').link.transport.setKeepAlive?.(enable ? initialDelay : Number.POSITIVE_INFINITY);
    return this;
  }

  /** `socket 127.0.0.1:4000 -> 127.0.0.1:80`. */
  toString(): string {
    return this.#socket?.toString() ?? 'socket, not connected';
  }
}

/** Connect and hand the connection to `made`. */
function connected<T>({ endpoint, options }: Connecting, made: (socket: OurSocket) => T): Waitable<T> {
  const wait = connectSocket(endpoint, options) as Wait<OurSocket>;
  return createdAround(new MappedWait(wait, { value: made, recover: () => undefined }), wait);
}

/**
 * Connect to a TCP server or a Unix socket, with the arguments of Node's connect(): (options), (port, host?) or (path).
 *
 * Switches. If it throws, nothing is left open. All addresses of the host are tried (Happy Eyeballs). Without `timeout` it gives up after 30,000 ms.
 *
 * @throws RangeError or TypeError, at the call, for a bad argument, an option that cannot be honoured, or a callback. @throws ConnectError with Node's code
 * (ECONNREFUSED, ...) if no address answers. @throws DnsError if the host cannot be resolved. @throws TimeoutError, Killed.
 * @see https://nodejs.org/api/net.html#netconnect
 */
export function connect(options: NetConnectOptions): Waitable<Socket>;
export function connect(port: number | string, host?: string): Waitable<Socket>;
export function connect(path: string): Waitable<Socket>;
export function connect(...args: readonly unknown[]): Waitable<Socket> {
  const connecting = connectArguments(args, {}, 'connect');
  return connected(connecting, (socket) => Socket.of(socket, connecting));
}

/** What Node's address() says of `address`: a path, or where in the network; null if there is none. @internal */
export function infoOf(address: Address | undefined): AddressInfo | string | null {
  if (address === undefined) return null;
  if (address.path !== undefined) return address.path;
  return { address: address.host, family: familyName(address) as string, port: address.port };
}

function hostOf(address: Address | undefined): string | undefined {
  return address?.path === undefined ? address?.host : undefined;
}

function portOf(address: Address | undefined): number | undefined {
  return address?.path === undefined ? address?.port : undefined;
}

function familyName(address: Address | undefined): string | undefined {
  if (address === undefined || address.path !== undefined) return undefined;
  return `IPv${familyOf(address.host)}`;
}

function encoded(data: Writable, encoding: BufferEncoding | undefined, where: string): Writable {
  if (encoding === undefined) return data;
  if (typeof encoding === 'function')
    throw typeError(`${where} takes no callback: it is an Op, so yield* it and go on`);
  if (!Buffer.isEncoding(encoding))
    throw typeError(`${where}: unknown encoding: ${shownValue(encoding)}`, 'ERR_UNKNOWN_ENCODING');
  return typeof data === 'string' ? Buffer.from(data, encoding) : data;
}
