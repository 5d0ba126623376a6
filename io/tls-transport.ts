// tls-transport.ts: a TLS connection of Node's, after its handshake, as a Transport.
//
// Facts about Node that this rests on, found by tests:
//   every write is done a turn of the event loop later, so what has not left is asked of the callback of each
//   it tells the farewell of TLS (close_notify) and a bare end of TCP in the same way, with 'end'. But at a bare end the system's handle has just stopped
//     reading by itself, so that it can be told to start; at a farewell it is still reading and cannot
//   an error of TLS after the handshake is told by 'error' and leaves the connection open
//   'end' may come before anybody reads, if there is nothing to be read
//
// A close says farewell first, so that the peer knows that it has everything. For that the connection stays for some turns of the event loop, in which
// what still comes is dropped: a client that is closed before it has taken the tickets of a TLS 1.3 server would answer them with a reset, which can
// overtake its last bytes. Only one whose peer was held back, or that was lost, goes at once: as with TCP, closing with unread data is a reset.

import type net from 'node:net';
import type tls from 'node:tls';
import type { Address } from './address.ts';
import { mayBeReset, turnNow } from './confirmed-end.ts';
import { ConnectionResetError, codeOf, type WriteProgress } from './errors.ts';
import { nobody } from './node-transport.ts';
import { isOfTls, TlsError } from './tls-errors.ts';
import type { TlsInfo } from './tls-info.ts';
import type { Transport, TransportSink } from './transport.ts';

// Taken at load: patches never reach us.
const { setImmediate } = globalThis;

const NOTHING = Buffer.alloc(0);

/** So many turns of the event loop a connection that was closed stays if nothing more leaves: two are needed for one look at what has come. */
const FAREWELL_TURNS = 3;

/** What is needed of Node's own handles. */
interface Wrapped {
  readonly _handle?: {
    readonly reading?: boolean;
    readonly _parent?: { readStart?(): number; readStop?(): number };
  } | null;
}

/** What was known of the connection below. */
export interface Lower {
  readonly external: boolean;
  readonly name?: string | undefined;
  readonly localAddress: Address;
  readonly remoteAddress: Address;
}

export class TlsTransport implements Transport {
  readonly external: boolean;
  readonly name: string | undefined;
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  readonly tls: TlsInfo;
  readonly #socket: tls.TLSSocket;
  #sink: TransportSink = nobody;
  #started = false;
  #held = false;
  /** The turn before the last bytes came. */
  #cameIn = Number.NaN;
  readonly #left = (error?: Error | null): void => {
    // A write that has failed counts as gone, and 'error' comes later.
    if (error) this.#sink.failed(this.#socket.errored ?? error);
    else this.#sink.taken();
  };

  constructor(socket: tls.TLSSocket, lower: Lower, info: TlsInfo) {
    this.external = lower.external;
    this.name = lower.name;
    this.localAddress = lower.localAddress;
    this.remoteAddress = lower.remoteAddress;
    this.#socket = socket;
    this.tls = info;
    socket.on('error', (error) => {
      this.#drain();
      this.#sink.failed(error);
      socket.destroy();
    });
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#sink.closed());
  }

  get unsent(): number {
    return this.#socket.writableLength;
  }

  get failure(): unknown {
    return this.#socket.errored ?? undefined;
  }

  lost(what: string, cause: unknown, progress: WriteProgress): Error {
    if (!isOfTls(cause)) return new ConnectionResetError(what, cause, progress);
    return new TlsError(what, String(this.remoteAddress), codeOf(cause) as string, cause);
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    if (this.#started) return;
    this.#started = true;
    const socket = this.#socket;
    if (socket.destroyed || socket.readableEnded) {
      // It happened when nobody listened.
      process.nextTick(() => {
        if (socket.errored) this.#sink.failed(socket.errored);
        else if (socket.readableEnded) this.#ended();
        if (socket.destroyed) this.#sink.closed();
      });
    }
    socket.on('data', (chunk: Buffer) => {
      this.#cameIn = turnNow();
      if (this.#sink.received(chunk, chunk.length, false)) return;
      this.#held = true;
      socket.pause();
    });
    socket.resume();
  }

  resume(): void {
    this.#held = false;
    this.#cameIn = turnNow();
    this.#socket.resume();
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes, this.#left);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  end(): void {
    this.#socket.end(this.#left);
  }

  destroy(): void {
    this.#sink = nobody;
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (socket.errored) {
      socket.destroy();
      return;
    }
    if (this.#held || socket.readableLength > 0) {
      reset(socket);
      return;
    }
    if (!socket.writableEnded) socket.end();
    socket.resume();
    sayFarewell(socket, FAREWELL_TURNS, socket.writableLength);
  }

  #ended(): void {
    const socket = this.#socket;
    const under = underOf(socket);
    // A farewell cannot be forged; without one it may even have been a reset. TLS takes nothing more from below then, not even that, but a write of nothing tells.
    const ask = this.tls.truncated && !socket.writableEnded && under !== undefined && mayBeReset(this.#cameIn);
    if (!ask) {
      this.#sink.ended();
      return;
    }
    under.write(NOTHING, (error) => {
      if (codeOf(error) === 'ECONNRESET') this.#sink.failed(error);
      else this.#sink.ended();
    });
  }

  /** Deliver what Node still holds of a connection that was lost while it was paused. */
  #drain(): void {
    if (!this.#started) return;
    for (let chunk = this.#socket.read(); chunk !== null; chunk = this.#socket.read()) {
      this.#sink.received(chunk, chunk.length, false);
    }
  }
}

/** Destroy `socket`, for which something has come that nobody will read: what the system does by itself if it has not given that to Node. */
function reset(socket: tls.TLSSocket): void {
  const under = underOf(socket);
  if (under === undefined) socket.destroy();
  else under.resetAndDestroy();
}

/** The TCP connection under `socket`. Unix sockets, and our own streams, know no reset that could be asked for. */
function underOf(socket: tls.TLSSocket): net.Socket | undefined {
  const under = (socket as { readonly _parent?: net.Socket | null })._parent;
  return under?.remoteAddress === undefined || typeof under.resetAndDestroy !== 'function' ? undefined : under;
}

/** Destroy `socket` when what was written has left, or when for some turns nothing has. */
function sayFarewell(socket: tls.TLSSocket, turns: number, unsent: number): void {
  if (socket.destroyed) return;
  if (turns === 0) {
    socket.destroy();
    return;
  }
  setImmediate(() => {
    const left = socket.writableLength;
    sayFarewell(socket, left < unsent ? FAREWELL_TURNS : turns - 1, left);
  });
}

/**
 * Have `cut` called if the end of `socket` comes without the farewell of TLS. `bareEnd` says, for a stream of JavaScript's below it, whether that has ended.
 *
 * Node says nothing of it, but the moment when it pushes the end tells.
 */
export function watchEnd(socket: tls.TLSSocket, bareEnd: (() => boolean) | undefined, cut: () => void): void {
  const { push } = socket;
  socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null && (bareEnd ?? systemEnded)(socket)) cut();
    return push.call(socket, chunk, encoding);
  };
}

/** Has the system's own connection under `socket` ended, at this very moment? Who does not read learns nothing of it. */
function systemEnded(socket: net.Socket): boolean {
  const handle = (socket as Wrapped)._handle;
  if (handle === null || handle === undefined) return true;
  if (handle.reading === false) return false;
  const under = handle._parent;
  if (under?.readStart === undefined) return true;
  if (under.readStart() !== 0) return false;
  // As it was.
  under.readStop?.();
  return true;
}
