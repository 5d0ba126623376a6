// transport-stream.ts: a Transport as a Node stream, for code that takes nothing else: undici over a simulated network.
//
// It behaves as net.Socket does where undici looks: 'readable' and read(), 'end', 'close', 'error', write with back-pressure, destroy. Bytes that are only
// lent are copied. Nothing is read ahead of the stream's own buffer: when that is full the transport is told, and resumes when it is read.
//
// Node's streams move on in ticks of the process, not in turns of a scheduler. So as long as one is open its scheduler counts it as `hostWork`: a
// simulated clock lets those ticks happen before it goes on.
//
// Invariant: undici writes only to one that is connected.

import { Duplex } from 'node:stream';
import type { Scheduler } from '../core/scheduler.ts';
import type { Transport } from './transport.ts';

/** How much may be written before write() says stop: as a net.Socket's. */
const HIGH_WATER_MARK = 16_384;

export class TransportStream extends Duplex {
  readonly #scheduler: Scheduler;
  /** Undefined until it is connected. */
  #transport: Transport | undefined;
  /** Called if it is destroyed before. */
  readonly #giveUp: () => void;
  #written: ((error?: Error | null) => void) | undefined;
  #gone = false;

  constructor(scheduler: Scheduler, giveUp: () => void) {
    super({ allowHalfOpen: true, highWaterMark: HIGH_WATER_MARK, decodeStrings: false });
    this.#scheduler = scheduler;
    this.#giveUp = giveUp;
    scheduler.hostWork += 1;
  }

  /** It is connected: carry `transport`, unless it was destroyed meanwhile. */
  attach(transport: Transport): void {
    if (this.destroyed) {
      transport.destroy();
      return;
    }
    this.#transport = transport;
    transport.start({
      received: (bytes, length, lent) => {
        const piece = bytes.subarray(0, length);
        return this.push(lent ? Buffer.from(piece) : piece);
      },
      ended: () => void this.push(null),
      taken: () => this.#taken(),
      failed: (error) => void this.destroy(error as Error),
      closed: () => void this.destroy(),
    });
  }

  get remoteAddress(): string | undefined {
    return this.#transport?.remoteAddress.host;
  }
  get remotePort(): number | undefined {
    return this.#transport?.remoteAddress.port;
  }
  get localAddress(): string | undefined {
    return this.#transport?.localAddress.host;
  }
  get localPort(): number | undefined {
    return this.#transport?.localAddress.port;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  // ---- the stream's side

  #taken(): void {
    if (this.#transport === undefined || this.#transport.unsent > 0) return;
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  override _read(): void {
    this.#transport?.resume();
  }

  override _write(chunk: string | Uint8Array, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const transport = this.#transport as Transport;
    // A transport takes text as UTF-8; undici writes heads as Latin-1.
    const plain = typeof chunk !== 'string' || encoding === 'utf8' || encoding === 'utf-8';
    transport.write(plain ? chunk : Buffer.from(chunk, encoding));
    if (transport.unsent === 0) done();
    else this.#written = done;
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#transport?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#gone) {
      this.#gone = true;
      this.#scheduler.hostWork -= 1;
    }
    if (this.#transport === undefined) this.#giveUp();
    else this.#transport.destroy();
    done(error);
  }
}
