// socket.ts: one end of a connection, read and written in sequential style.
//
// It joins a reading side (inbound.ts) and a writing side (outbound.ts) over a transport, and is what the transport reports to. One greenlet may
// read while another writes. The two directions end separately: the peer's end makes read() return null and says nothing about ours.
//
// Invariants, between any two steps:
//   the registry has this socket  if and only if  its handle is open
//   closed                        implies  nobody waits on either side
// Sources: gevent's sockets, trio's SocketStream and its receive_some, asyncio's StreamReader (names of reads), Go's net.Conn; S5, S6, S18.

/// <reference lib="esnext.disposable" preserve="true" />

import { rangeError, typeError } from '../core/bad-argument.ts';
import { ClosedError } from '../core/errors.ts';
import type { Op, Resume, Trap, Waitable } from '../core/op.ts';
import { timeout } from '../core/timeout.ts';
import { type Address, checkOptions, own, ownCount, ownMs, shownValue } from './address.ts';
import { ConnectionResetError } from './errors.ts';
import { handleClosed, handleOpened } from './handles.ts';
import type { Inbound } from './inbound.ts';
import type { Outbound } from './outbound.ts';
import { ReadExactly, ReadLine, ReadSome, ReadUntil, type TextEncoding } from './reads.ts';
import { Link } from './socket-link.ts';
import { iterate } from './stream-iterator.ts';
import type { TlsInfo } from './tls-info.ts';
import { type StartTlsOptions, startTls } from './tls-start.ts';
import type { Transport, TransportSink } from './transport.ts';
import { checkSize, MOST_WRITTEN, pieceOf, sizeOf, type Writable } from './writable.ts';
import type { Piece } from './write-queue.ts';

const DEFAULT_LINE_LIMIT = 65_536;
export const DEFAULT_HIGH_WATER_MARK = 65_536;
const DRAIN_MS = 10_000;
const LINGER_MS = 1_000;

export interface SocketOptions {
  /** False: end our side as soon as the peer has ended its own. True by default. */
  readonly halfOpen?: boolean | undefined;
  /** How much is buffered in each direction before the peer, or the writer, has to wait: 64 KiB by default. */
  readonly highWaterMark?: number | undefined;
}

export interface ReadUntilOptions {
  /** The most bytes before the delimiter: 64 KiB by default. */
  readonly limit?: number | undefined;
}

export interface ReadLineOptions extends ReadUntilOptions {
  /** How bytes become characters: 'utf8' by default, or 'latin1'. */
  readonly encoding?: TextEncoding | undefined;
}

export interface CloseOptions {
  /** How long what is queued may take to leave: 10,000 ms by default. */
  readonly drainMs?: number | undefined;
  /** How long to wait for the peer's end after that: 1,000 ms by default. */
  readonly lingerMs?: number | undefined;
}

/** One end of a connection. connect() and accept() make them. */
export class Socket {
  readonly #link: Link;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  readonly #halfOpen: boolean;
  #closed = false;
  /** The host that was connected to, as the caller named it. @internal */
  peerName: string | undefined = undefined;
  #read: ReadSome | undefined = undefined;
  // The last descriptions of their kind: a loop asks for the same again and again.
  #exactly: ReadExactly | undefined = undefined;
  #line: ReadLine | undefined = undefined;

  /** @internal: connect() and accept() make sockets. */
  constructor(transport: Transport, highWaterMark: number, halfOpen: boolean) {
    this.#halfOpen = halfOpen;
    const link = new Link(this, transport, highWaterMark);
    this.#link = link;
    this.#inbound = link.inbound;
    this.#outbound = link.outbound;
    handleOpened('socket', this);
    transport.start(link);
  }

  /** Our address. Valid also after close(). */
  get localAddress(): Address {
    return this.#link.transport.localAddress;
  }

  /** The peer's address. Valid also after close(). */
  get remoteAddress(): Address {
    return this.#link.transport.remoteAddress;
  }

  /** What TLS has agreed on with the peer; undefined if the connection is in plain text. Valid also after close(). */
  get tls(): TlsInfo | undefined {
    return this.#link.transport.tls;
  }

  /** True if the peer's end came without the farewell of TLS: what was read up to it may have been cut by anybody. In plain text it always may, and nobody knows. */
  get truncatable(): boolean {
    return this.tls?.truncated ?? false;
  }

  /** How many bytes have come and wait to be read. */
  get buffered(): number {
    return this.#inbound.buffer.size;
  }

  /** How many bytes were written and have not reached the operating system. */
  get unsent(): number {
    return this.#outbound.backlog;
  }

  /** Does a greenlet wait to read, with nothing half read? @internal */
  get awaitsPeer(): boolean {
    return this.#inbound.waiting && this.#inbound.buffer.size === 0;
  }

  /** The reading side, for other ways to read. @internal */
  get inbound(): Inbound {
    return this.#inbound;
  }

  /** Have what comes go to `sink`, not to our reading side; undefined takes that back. An end or a loss is told to both. @internal */
  divert(sink: TransportSink | undefined): Transport {
    this.#link.diverted = sink;
    return this.#link.transport;
  }

  /** What joins us to the transport. @internal */
  get link(): Link {
    return this.#link;
  }

  /** True after close(). */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Read what has come: at least one byte, at most `max`; null when the peer has ended its side, then and ever after.
   *
   * Switches only if nothing is buffered. The buffer is yours. If it throws, nothing was taken.
   *
   * @throws RangeError if `max` is no positive integer. @throws BusyError if another greenlet is reading. @throws ClosedError after our close(), or when
   * close() is called while we wait. @throws ConnectionResetError if the connection is lost; what came before is delivered first.
   * @throws Killed if the greenlet is killed while it waits.
   * @see https://trio.readthedocs.io/en/stable/reference-io.html#trio.abc.ReceiveStream.receive_some
   */
  read(max?: number): Waitable<Buffer | null> {
    if (max !== undefined) return new ReadSome(this.#inbound, checkMost(max, 'read'), false);
    this.#read ??= new ReadSome(this.#inbound, Number.POSITIVE_INFINITY, false);
    return this.#read;
  }

  /** As `read`, but what is returned stays and will be read again. */
  peek(max?: number): Waitable<Buffer | null> {
    return new ReadSome(this.#inbound, max === undefined ? Number.POSITIVE_INFINITY : checkMost(max, 'peek'), true);
  }

  /**
   * Read exactly `count` bytes.
   *
   * Switches only if fewer are buffered. If it throws, nothing was taken: the next read gets every byte in order.
   *
   * @throws IncompleteReadError if the peer ends its side before; its `partial` shows what had come. @throws RangeError if `count` is no integer from
   * 0 to 2^31-1. Otherwise as `read`.
   */
  readExactly(count: number): Waitable<Buffer> {
    const last = this.#exactly;
    if (last !== undefined && last.need === count) return last;
    if (!Number.isInteger(count) || count < 0 || count > MOST_WRITTEN) {
      throw rangeError(`readExactly takes an integer from 0 to 2147483647, not ${shownValue(count)}`);
    }
    const exactly = new ReadExactly(this.#inbound, count);
    this.#exactly = exactly;
    return exactly;
  }

  /**
   * Read up to `delimiter`, which is taken too and left out of the result; null if the peer has ended its side and nothing is left.
   *
   * Switches only if it has not come. If it throws, nothing was taken.
   *
   * @throws LineTooLongError if more than `limit` bytes (64 KiB) come before it. @throws IncompleteReadError if the peer ends its side in between.
   * @throws TypeError or RangeError for a delimiter that is no string or bytes, or empty, and for a bad limit. Otherwise as `read`.
   */
  readUntil(delimiter: string | Uint8Array, options?: ReadUntilOptions): Waitable<Buffer | null> {
    if (typeof delimiter !== 'string' && !(delimiter instanceof Uint8Array)) {
      throw typeError(`readUntil takes a string or bytes, not ${shownValue(delimiter)}`);
    }
    if (delimiter.length === 0) throw rangeError('readUntil: the delimiter must not be empty');
    const bytes = typeof delimiter === 'string' ? Buffer.from(delimiter) : delimiter;
    return new ReadUntil(this.#inbound, bytes, limitOf(options, 'readUntil'));
  }

  /**
   * Read a line, without its LF or CR LF; null if the peer has ended its side and nothing is left.
   *
   * Switches only if no whole line is buffered. If it throws, nothing was taken.
   *
   * @throws LineTooLongError if the line has more than `limit` bytes (64 KiB). @throws IncompleteReadError if the peer ends its side inside a line.
   * @throws TypeError or RangeError for bad options. Otherwise as `read`.
   */
  readLine(options?: ReadLineOptions): Waitable<string | null> {
    if (options === undefined) {
      this.#line ??= new ReadLine(this.#inbound, DEFAULT_LINE_LIMIT, 'utf8');
      return this.#line;
    }
    const limit = limitOf(options, 'readLine');
    const encoding = own<TextEncoding>(options, 'encoding') ?? 'utf8';
    if (encoding !== 'utf8' && encoding !== 'latin1') {
      throw typeError(`readLine: encoding must be 'utf8' or 'latin1', not ${shownValue(encoding)}`);
    }
    return new ReadLine(this.#inbound, limit, encoding);
  }

  /** Put bytes back in front of what is buffered. Never switches. @throws BusyError if a greenlet is reading. @throws ClosedError after close(). */
  unread(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw typeError(`unread takes bytes, not ${shownValue(bytes)}`);
    if (this.#closed) throw new ClosedError(`unread on ${this.toString()}, which is closed`);
    this.#inbound.unread(bytes);
  }

  /**
   * Write `data`: a string (as UTF-8), a typed array, a DataView or an ArrayBuffer.
   *
   * Waits until there is room and only then queues all of it; switches only if there is none. It goes out when all greenlets that are runnable now
   * have run, or at flush(), together with what else was written. The bytes are not copied before: do not change them until then. If it throws, nothing
   * of it was queued.
   *
   * @throws TypeError for anything else. @throws RangeError above 2^31-1 bytes. @throws ClosedError after end() or close(), or when they are called
   * while we wait. @throws ConnectionResetError if the connection is lost, then and ever after. @throws Killed if the greenlet is killed while it waits.
   */
  write(data: Writable): Waitable<void> {
    const piece = pieceOf(data, 'write');
    return this.#outbound.write(piece, checkSize(sizeOf(piece), 'write'));
  }

  /**
   * Write `pieces`, one after the other: all of them are queued at once, or none. What is said of `write` holds for all of them together.
   *
   * Switches only if there is no room. @throws TypeError if `pieces` is no array. Otherwise as `write`.
   */
  writev(pieces: readonly Writable[]): Waitable<void> {
    if (!Array.isArray(pieces)) throw typeError(`writev takes an array, not ${shownValue(pieces)}`);
    const checked: Piece[] = [];
    let size = 0;
    for (const data of pieces as readonly Writable[]) {
      const piece = pieceOf(data, 'writev');
      if (piece.length === 0) continue;
      checked.push(piece);
      size += sizeOf(piece);
    }
    return this.#outbound.write(checked, checkSize(size, 'writev'));
  }

  /**
   * Send what was written, now, and wait until the operating system has all of it.
   *
   * Switches only if it does not take it at once. @throws ConnectionResetError with `bytesQueued` and `bytesFlushed` if the connection is lost.
   * @throws ClosedError after close(). @throws Killed if the greenlet is killed while it waits: what is queued still goes out.
   */
  flush(): Waitable<void> {
    return this.#outbound.flush();
  }

  /** End our side after what was written: the peer reads it and then the end. Never switches; reading goes on. Idempotent. @throws BusyError during startTls. */
  end(): void {
    if (this.#link.upgrade !== undefined) throw this.#link.upgrade.busyError('end');
    this.#outbound.end();
  }

  /**
   * Go on in TLS, as a client, or as a server with {server: true, key, cert}. Returns this socket: what is read and written from now on goes through TLS.
   *
   * Switches. What was written before is sent first, in plain text. What has come and was not read is taken for TLS, so plain text that somebody has slipped
   * in behind the agreement breaks the handshake and is never read. While it runs nobody else may use the socket. If it throws, but for a
   * TypeError, a RangeError or a BusyError, the socket is closed. A client verifies the server's certificate for {servername}, by default the host it connected to.
   *
   * @throws TlsError with OpenSSL's or Node's code if the peer is not to be trusted, the two cannot agree, or what comes is not TLS.
   * @throws TimeoutError after `handshakeTimeoutMs` (10,000 ms). @throws TypeError or RangeError, at the call, for a bad option. @throws BusyError if
   * another greenlet reads or writes. @throws ClosedError if the socket or its side is closed. @throws Killed if the greenlet is killed.
   * @see https://www.rfc-editor.org/rfc/rfc3207
   */
  startTls(options?: StartTlsOptions): Op<Socket> {
    return startTls(this, options);
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `for await (const chunk of socket)` in ordinary code: as toAsyncIterable(socket), so leaving the loop early closes the socket. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return iterate<Buffer>(this, true);
  }

  /**
   * Close both sides, at once.
   *
   * Never switches, never throws; idempotent. Who waits on this socket gets ClosedError. What was written goes out as far as the operating system takes it
   * at once; to be sure of it use `flush` or `closeGracefully`.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#link.upgrade?.closed();
    this.#outbound.close();
    this.#inbound.close();
    handleClosed(this);
    this.#link.transport.destroy();
    this.#link.diverted?.closed();
  }

  /**
   * Send what was written, end our side, wait a little for the peer to end its own, and close.
   *
   * Switches. However it ends, the socket is closed. What the peer still sends is dropped; waiting for its end keeps the system from answering that
   * with a reset that could overtake our last bytes.
   *
   * @throws ConnectionResetError or TimeoutError if what was written could not be sent (within `drainMs`). @throws BusyError if another greenlet is reading.
   * @throws Killed if the greenlet is killed.
   */
  closeGracefully(options?: CloseOptions): Op<void> {
    const given = checkOptions(options, 'closeGracefully');
    const drainMs = ownMs(given, 'drainMs', DRAIN_MS, 'closeGracefully');
    return this.#closeGracefully(drainMs, ownMs(given, 'lingerMs', LINGER_MS, 'closeGracefully'));
  }

  *#closeGracefully(drainMs: number, lingerMs: number): Generator<Trap, void, Resume> {
    if (this.#closed) return;
    try {
      // What has left needs no time, also if none is given.
      if (this.#outbound.bytesQueued > 0 && !this.#outbound.settled()) yield* timeout(drainMs, this.flush());
      this.end();
      // Some streams take time to end after all has left.
      if (this.#outbound.backlog > 0) yield* timeout(drainMs, this.flush());
      yield* timeout(lingerMs, this.#untilPeerEnds(), { else: undefined });
    } finally {
      this.close();
    }
  }

  *#untilPeerEnds(): Generator<Trap, void, Resume> {
    try {
      for (let more: unknown = true; more !== null; ) more = yield* this.read();
    } catch (error) {
      // Everything of ours had left: that the peer goes without a proper end is no news any more.
      if (!(error instanceof ConnectionResetError)) throw error;
    }
  }

  /** The peer has ended its side; called by the sink. @internal */
  peerEnded(): void {
    if (!this.#halfOpen) this.end();
  }

  /** `socket 127.0.0.1:4000 -> 127.0.0.1:80`. */
  toString(): string {
    return this.#link.transport.name ?? `socket ${this.localAddress} -> ${this.remoteAddress}`;
  }
}

function checkMost(max: number, op: string): number {
  if (max !== Number.POSITIVE_INFINITY && (!Number.isInteger(max) || max < 1)) {
    throw rangeError(`${op} takes a positive integer, not ${shownValue(max)}`);
  }
  return max;
}

function limitOf(options: ReadUntilOptions | undefined, where: string): number {
  if (options === undefined) return DEFAULT_LINE_LIMIT;
  return ownCount(checkOptions(options, where), 'limit', DEFAULT_LINE_LIMIT, 0, where);
}
