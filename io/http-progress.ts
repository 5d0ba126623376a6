// http-progress.ts: how far a request has come, for a progress bar.
//
// Bytes are counted in Node's callbacks, which never run code of users. The caller's function is called at the end of the turn, once for all that has
// happened since; what it throws is reported and stops nothing.

import type { Scheduler } from '../core/scheduler.ts';

export interface Progress {
  /** Bytes of the request's body that the connection has taken. */
  readonly sent: number;
  /** Of how many; undefined if that is not known. */
  readonly toSend: number | undefined;
  /** Bytes of the response's body that have come, before they are decompressed. */
  readonly received: number;
  /** Of how many; undefined if that is not known. */
  readonly toReceive: number | undefined;
}

export class ProgressReport implements Progress {
  sent = 0;
  received = 0;
  toReceive: number | undefined = undefined;
  readonly toSend: number | undefined;
  readonly #told: (progress: Progress) => void;
  readonly #scheduler: Scheduler;
  #pending = false;

  /** `body`: what is sent; undefined if that is nothing. */
  constructor(
    told: (progress: Progress) => void,
    scheduler: Scheduler,
    body: string | { readonly length: number | undefined } | undefined,
  ) {
    this.#told = told;
    this.#scheduler = scheduler;
    this.toSend = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  }

  /** The connection has taken so many bytes more. */
  taken(bytes: number): void {
    this.sent += bytes;
    this.#changed();
  }

  /** So much of the response has come in all. */
  came(bytes: number): void {
    this.received = bytes;
    this.#changed();
  }

  #changed(): void {
    if (this.#pending) return;
    this.#pending = true;
    this.#scheduler.atTurnEnd(() => {
      this.#pending = false;
      const { sent, toSend, received, toReceive } = this;
      this.#told({ sent, toSend, received, toReceive });
    });
  }
}
