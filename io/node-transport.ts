// node-transport.ts: a TCP connection or Unix socket of Node's as a Transport.
//
// Bytes come through `onread` into one buffer that all connections share: Node calls back before it reads again, and the sink copies what it keeps within that
// call. Where a server's socket has no such thing (lent-reads.ts) it delivers through 'data', as chunks that are ours to keep.
//
// Half-open is always allowed, because when to end our side is for the Socket to say. Handles are unref'd: whether the process lives is for the
// scheduler's hold() to say, which counts the greenlets that wait. (What was written and has not left still keeps the process alive: a pending
// request does.)
//
// Facts about Node that this rests on, found by tests:
//   a write that fails at once sets `errored` in that call, but 'error' comes a tick later
//   after an error what 'data' has not delivered can still be taken with read()

import net from 'node:net';
import { Address } from './address.ts';
import { confirmEnd, turnNow } from './confirmed-end.ts';
import { Landing } from './landing.ts';
import { lendReads } from './lent-reads.ts';
import type { Pending, Target, TransportOptions } from './network.ts';
import type { Transport, TransportSink } from './transport.ts';

// Taken at load: patches never reach us.
const { connect } = net;

const NOTHING = Buffer.alloc(0);

/** Whom a transport tells of that has nobody to tell. */
export const nobody: TransportSink = {
  received: () => true,
  ended() {},
  taken() {},
  failed() {},
  closed() {},
};

export class NodeTransport implements Transport {
  readonly external = true;
  localAddress!: Address;
  remoteAddress!: Address;
  #socket!: net.Socket;
  #sink: TransportSink = nobody;
  /** A server's: reading begins with start(), and perhaps through 'data'. */
  readonly #flows: boolean;
  // A callback costs a tick of Node's for every write, and nearly every write leaves at once. So only when something is left is an empty write queued
  // behind it, whose callback says that it has left.
  #watching = false;
  #ending = false;
  readonly #landing = new Landing();
  /** The turn before the last bytes came. */
  #cameIn = Number.NaN;
  #stopAsking: (() => void) | undefined = undefined;
  readonly #left = (): void => {
    this.#watching = false;
    this.#sink.taken();
    this.#watch();
  };

  private constructor(flows: boolean) {
    this.#flows = flows;
  }

  /** The connection that a server was given. It is paused until start(). */
  static accepted(socket: net.Socket, local: Address | undefined): NodeTransport {
    const transport = new NodeTransport(true);
    transport.#socket = socket;
    transport.remoteAddress = remoteOf(socket, '');
    transport.localAddress = local ?? localOf(socket, '');
    transport.#listen();
    return transport;
  }

  static connect(
    target: Target,
    options: TransportOptions,
    done: (error: unknown, transport: Transport | undefined) => void,
  ): Pending {
    const transport = new NodeTransport(false);
    let pending = true;
    const landing = transport.#landing;
    let asked = false;
    const socket = connect({
      ...(target.path === undefined
        ? { host: target.host, port: target.port, family: target.family, autoSelectFamily: false }
        : { path: target.path }),
      ...(options.localHost === undefined ? {} : { localAddress: options.localHost }),
      ...(options.keepAliveMs === Number.POSITIVE_INFINITY
        ? {}
        : { keepAlive: true, keepAliveInitialDelay: options.keepAliveMs }),
      noDelay: options.noDelay,
      allowHalfOpen: true,
      onread: {
        buffer() {
          const next = asked ? landing.next() : landing.first;
          asked = true;
          return next;
        },
        callback: (length, bytes) => transport.#landed(length, bytes as Buffer),
      },
    } as net.NetConnectOpts);
    transport.#socket = socket;
    socket.on('error', (error) => {
      if (!pending) return transport.#sink.failed(error);
      pending = false;
      done(error, undefined);
    });
    socket.on('connect', () => {
      if (!pending) return;
      pending = false;
      transport.remoteAddress = remoteOf(socket, target.path ?? '');
      transport.localAddress = localOf(socket, target.path === undefined ? undefined : '');
      transport.#listen();
      done(undefined, transport);
    });
    return {
      cancel() {
        pending = false;
        socket.destroy();
        return true;
      },
    };
  }

  #listen(): void {
    const socket = this.#socket;
    socket.unref();
    if (this.#flows) {
      socket.on('error', (error) => {
        this.#drain();
        this.#sink.failed(error);
      });
    }
    socket.on('end', () => {
      this.#stopAsking = confirmEnd(socket, this.#cameIn, () => this.#sink.ended());
    });
    socket.on('close', () => {
      this.#landing.leave();
      this.#sink.closed();
    });
  }

  #landed(length: number, bytes: Buffer): boolean {
    this.#cameIn = turnNow();
    return this.#sink.received(bytes, length, this.#landing.landed(length));
  }

  /** Deliver what Node still holds of a connection that was lost while it was paused. */
  #drain(): void {
    for (let chunk = this.#socket.read(); chunk !== null; chunk = this.#socket.read()) {
      this.#sink.received(chunk, chunk.length, false);
    }
  }

  get unsent(): number {
    return this.#socket.writableLength;
  }

  get failure(): unknown {
    return this.#socket.errored ?? undefined;
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
    if (!this.#flows) return;
    const socket = this.#socket;
    if (socket.destroyed) {
      // Lost while it waited to be accepted, when nobody listened.
      process.nextTick(() => this.#sink.failed(socket.errored ?? undefined));
      return;
    }
    const landing = this.#landing;
    const lent = lendReads(
      socket,
      landing.first,
      () => landing.next(),
      (length, bytes) => this.#landed(length, bytes),
    );
    if (!lent) {
      socket.on('data', (chunk: Buffer) => {
        this.#cameIn = turnNow();
        if (!this.#sink.received(chunk, chunk.length, false)) socket.pause();
      });
    }
    socket.resume();
  }

  resume(): void {
    // What Node held back comes now, the end too if it has seen that already.
    this.#cameIn = turnNow();
    this.#socket.resume();
  }

  setNoDelay(noDelay: boolean): void {
    this.#socket.setNoDelay(noDelay);
  }

  setKeepAlive(keepAliveMs: number): void {
    if (keepAliveMs === Number.POSITIVE_INFINITY) this.#socket.setKeepAlive(false);
    else this.#socket.setKeepAlive(true, keepAliveMs);
  }

  write(bytes: string | Uint8Array): void {
    const socket = this.#socket;
    socket.write(bytes);
    if (socket.writableCorked === 0) this.#watch();
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
    this.#watch();
  }

  end(): void {
    this.#ending = true;
    this.#socket.end(this.#left);
  }

  #watch(): void {
    const socket = this.#socket;
    if (socket.writableLength === 0 || this.#watching || this.#ending || socket.destroyed) return;
    this.#watching = true;
    socket.write(NOTHING, this.#left);
  }

  destroy(): void {
    this.#sink = nobody;
    this.#stopAsking?.();
    this.#socket.destroy();
  }

  release(come: Buffer): net.Socket {
    // Our other listeners stay, and tell nobody: an 'error' must always have one.
    this.#sink = nobody;
    this.#stopAsking?.();
    const socket = this.#socket;
    socket.pause();
    socket.removeAllListeners('data');
    if (come.length > 0) socket.unshift(come);
    return socket;
  }
}

/** Our end of `socket`; `path` is given for a Unix socket. */
function localOf(socket: net.Socket, path: string | undefined): Address {
  if (socket.localAddress === undefined) return new Address('', 0, path ?? '');
  return new Address(socket.localAddress, socket.localPort ?? 0);
}

function remoteOf(socket: net.Socket, path: string): Address {
  if (socket.remoteAddress === undefined) return new Address('', 0, path);
  return new Address(socket.remoteAddress, socket.remotePort ?? 0);
}
