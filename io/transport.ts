// transport.ts: the seam between a Socket and what carries its bytes: TCP, a Unix socket, later TLS, a pipe, a simulated network.
//
// A transport moves bytes and knows nothing of greenlets; a Socket waits, buffers and limits, and knows nothing of Node. A transport calls
// its sink from the host's callbacks, never from inside a call of the Socket's, and the sink runs no user code.
//
// What a transport must hold:
//   received comes in order, and not between a `false` from it and the next resume()
//   after ended, failed or closed no more bytes come; after destroy() nothing comes at all
//   failed comes at most once, then closed; ended and end() together lead to closed
//   write, end, resume and destroy never throw and never wait, and do nothing after closed

import type net from 'node:net';
import type { Address } from './address.ts';
import type { WriteProgress } from './errors.ts';
import type { TlsInfo } from './tls-info.ts';

/** What a transport tells the one that reads and writes it. */
export interface TransportSink {
  /**
   * The first `length` of `bytes` have come. If `lent`, they are ours for this call only; otherwise for ever.
   *
   * False: no more until resume().
   */
  received(bytes: Buffer, length: number, lent: boolean): boolean;
  /** The peer has ended its side. */
  ended(): void;
  /** Some of what was written has reached the operating system: `unsent` is smaller. */
  taken(): void;
  /** The connection is lost. */
  failed(error: unknown): void;
  /** The handle is gone. */
  closed(): void;
}

export interface Transport {
  /** As of the network that it belongs to. */
  readonly external: boolean;
  /** What it is called in messages; by its addresses if absent. */
  readonly name?: string | undefined;
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  /** Bytes that were written and have not reached the operating system. */
  readonly unsent: number;
  /** The error of a write that has failed at once and will be told to the sink later. */
  readonly failure: unknown;
  /** What TLS has agreed on, if that is what this is. */
  readonly tls?: TlsInfo | undefined;
  /** Begin to deliver to `sink`; called again, go on with another one. */
  start(sink: TransportSink): void;
  /** Give up the socket of Node's under it: whoever gets it reads `come` first and what comes next, and the sink hears no more. Absent if there is none. */
  release?(come: Buffer): net.Socket;
  resume(): void;
  /** Change what the connection was opened with; absent where there is nothing to change. Infinity for no probes. */
  setNoDelay?(noDelay: boolean): void;
  setKeepAlive?(keepAliveMs: number): void;
  /** Send these, in order; the memory is theirs until `unsent` says that they have left. */
  write(bytes: string | Uint8Array): void;
  /** Between these, writes are collected into one system call if the host can. */
  cork(): void;
  uncork(): void;
  /** End our side after what was written. */
  end(): void;
  /** Give everything up, at once. */
  destroy(): void;
  /** The error of `what` after the connection failed with `cause`; a ConnectionResetError if absent. */
  lost?(what: string, cause: unknown, progress: WriteProgress): Error;
}
