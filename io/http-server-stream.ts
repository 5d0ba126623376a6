// http-server-stream.ts: one of our sockets as a Duplex of Node's, for code that takes nothing else: node:http's parser, ws.
//
// Callbacks all the way: what comes on the transport is pushed into the stream, what is written goes to the transport, both with back-pressure. No greenlet
// runs for it, so an idle connection costs none. As long as it lives the socket's own reading side gets nothing; release() gives it back, for an upgrade.
//
// While it lives it counts as a wait for something outside, because its peer may always say something. Over a simulated network it counts as `hostWork`
// instead: Node's streams move on in ticks of the process, not in turns of a scheduler.
//
// Invariants, between any two calls:
//   it is not over          implies  the socket is diverted to it
//   #writing is defined     implies  the transport has bytes that have not left
//   #paused                 implies  the transport delivers nothing until _read

import { Duplex } from 'node:stream';
import type { Scheduler } from '../core/scheduler.ts';
import type { Socket } from './socket.ts';
import type { Transport, TransportSink } from './transport.ts';

/** As a net.Socket's. */
const HIGH_WATER_MARK = 16_384;

type Callback = (error?: Error | null) => void;

/** Who hears what the stream itself does not say. */
export interface StreamOwner {
  /** Bytes have come, and will be pushed now. */
  arrived?(count: number): void;
  /** The peer has ended its side. Without it the stream ends. */
  peerEnded?(): void;
  /** Something was written that has not left. */
  backlogged?(): void;
  /** Our side has ended, and all that was written has left. Without it the connection's side is ended too. */
  sent?(): void;
  /** The connection is lost, or somebody has destroyed the stream. */
  gone(error: Error | undefined): void;
}

export class SocketStream extends Duplex {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly #socket: Socket;
  readonly #transport: Transport;
  readonly #scheduler: Scheduler;
  readonly owner: StreamOwner;
  #writing: Callback | undefined = undefined;
  #paused = false;
  #asked = false;
  #deaf = false;
  #over = false;

  constructor(socket: Socket, scheduler: Scheduler, owner: StreamOwner) {
    super({ allowHalfOpen: true, highWaterMark: HIGH_WATER_MARK, decodeStrings: false });
    this.#socket = socket;
    this.#scheduler = scheduler;
    this.owner = owner;
    this.remoteAddress = socket.remoteAddress.host;
    this.remotePort = socket.remoteAddress.port;
    const sink: TransportSink = {
      received: (bytes, length, lent) => this.received(bytes, length, lent),
      ended: () => this.#peerEnded(),
      taken: () => this.#taken(),
      failed: (error) =>
        void this.destroy(error instanceof Error ? error : new Error('the connection is lost', { cause: error })),
      closed: () => void this.destroy(),
    };
    this.#transport = socket.divert(sink);
    if (this.#transport.external) scheduler.externalStarted();
    else scheduler.hostWork += 1;
    // Without a listener an error would be nobody's, and end the process; the owner is told.
    this.on('error', () => {});
  }

  /** Bytes that were written and have not reached the operating system. */
  get unsent(): number {
    return this.#transport.unsent;
  }

  /** Do its bytes come from outside the scheduler's world? */
  get external(): boolean {
    return this.#transport.external;
  }

  /** Drop whatever comes from now on. */
  goDeaf(): void {
    this.#deaf = true;
    if (this.#paused) this._read();
  }

  /** Take what the socket had read before it was diverted to us. */
  begin(): void {
    const { buffer, ended } = this.#socket.inbound;
    if (buffer.size > 0) {
      const bytes = buffer.take(buffer.size);
      this.received(bytes, bytes.length, false);
    }
    if (ended) this.#peerEnded();
  }

  /** Let go of the socket, which reads for itself from now on. Nothing may be on its way out. */
  release(): Socket {
    this.#leave();
    this.destroy();
    return this.#socket;
  }

  // ---- the transport's side

  received(bytes: Buffer, length: number, lent: boolean): boolean {
    if (this.#deaf || this.#over) return true;
    this.owner.arrived?.(length);
    const piece = bytes.subarray(0, length);
    this.#asked = false;
    // What is asked for while it is pushed must not be forgotten: it will not be asked for again.
    const more = this.push(lent ? Buffer.from(piece) : piece) || this.#asked || this.#deaf || this.#over;
    this.#paused = !more;
    return more;
  }

  #peerEnded(): void {
    if (this.#over) return;
    if (this.owner.peerEnded !== undefined) this.owner.peerEnded();
    else this.push(null);
  }

  #taken(): void {
    if (this.#transport.unsent > 0) return;
    const done = this.#writing;
    this.#writing = undefined;
    done?.();
  }

  // ---- the stream's side

  override _read(): void {
    this.#asked = true;
    if (!this.#paused) return;
    this.#paused = false;
    this.#transport.resume();
  }

  override _write(chunk: string | Uint8Array, encoding: BufferEncoding, done: Callback): void {
    this.#transport.write(encoded(chunk, encoding));
    this.#wrote(done);
  }

  override _writev(chunks: { chunk: string | Uint8Array; encoding: BufferEncoding }[], done: Callback): void {
    // node:http ends each message with an empty write: what is left is one piece, mostly.
    let full = 0;
    for (const { chunk } of chunks) if (chunk.length > 0) full += 1;
    if (full > 1) this.#transport.cork();
    for (const { chunk, encoding } of chunks) if (chunk.length > 0) this.#transport.write(encoded(chunk, encoding));
    if (full > 1) this.#transport.uncork();
    this.#wrote(done);
  }

  #wrote(done: Callback): void {
    if (this.#transport.unsent === 0) done();
    else {
      this.#writing = done;
      this.owner.backlogged?.();
    }
  }

  override _final(done: Callback): void {
    done();
    if (this.owner.sent !== undefined) this.owner.sent();
    else this.#transport.end();
  }

  override _destroy(error: Error | null, done: Callback): void {
    const over = this.#over;
    this.#leave();
    if (!over) this.owner.gone(error ?? undefined);
    const writing = this.#writing;
    this.#writing = undefined;
    done(error);
    writing?.(error ?? new Error('the stream was destroyed'));
  }

  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.divert(undefined);
    if (this.#transport.external) this.#scheduler.externalEnded();
    else this.#scheduler.hostWork -= 1;
    if (this.#paused) this.#transport.resume();
  }
}

// The heads of messages are latin-1; a transport takes strings as UTF-8.
function encoded(chunk: string | Uint8Array, encoding: BufferEncoding): string | Uint8Array {
  return typeof chunk !== 'string' || encoding === 'utf8' || encoding === 'utf-8'
    ? chunk
    : Buffer.from(chunk, encoding);
}
