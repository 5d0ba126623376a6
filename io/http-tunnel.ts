// http-tunnel.ts: asking a proxy to connect us to somebody else (CONNECT), on a connection to the proxy that stands.
//
// Nothing but a 2xx opens the tunnel. What the proxy says besides is its own affair and is not read; what it sends behind its head cannot come from the
// other end, which waits for us to begin, so that ends it too. One limit in time holds for the whole answer.
// Source: RFC 9110 9.3.6.

import type { Duplex } from 'node:stream';
import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';
import { ProxyError } from './http-errors.ts';
import type { HttpProxy } from './http-proxy.ts';

const MOST_HEAD_BYTES = 16_384;
const STATUS = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n/;

export class Tunnel implements Timer {
  order = 0;
  slot = -1;
  readonly #socket: Duplex;
  readonly #proxy: HttpProxy;
  readonly #scheduler: Scheduler;
  readonly #limitMs: number;
  readonly #done: (error: Error | undefined) => void;
  #head: Buffer = Buffer.alloc(0);
  #over = false;

  /** Ask for `authority` (host and port). `done` is called once; after an error the socket is destroyed. */
  constructor(
    socket: Duplex,
    proxy: HttpProxy,
    authority: string,
    scheduler: Scheduler,
    limitMs: number,
    done: (error: Error | undefined) => void,
  ) {
    this.#socket = socket;
    this.#proxy = proxy;
    this.#scheduler = scheduler;
    this.#limitMs = limitMs;
    this.#done = done;
    socket.on('readable', this.#readable).on('end', this.#ended).on('error', this.#failed).on('close', this.#ended);
    if (limitMs !== Number.POSITIVE_INFINITY) {
      scheduler.timeouts.arm(this, limitMs);
      scheduler.timersChanged();
    }
    const authorization = proxy.authorization === undefined ? '' : `Proxy-Authorization: ${proxy.authorization}\r\n`;
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`);
  }

  due(): void {
    this.#refuse(`it did not answer CONNECT within ${this.#limitMs} ms`, undefined);
  }

  readonly #readable = (): void => {
    for (let chunk = this.#next(); chunk !== null; chunk = this.#next()) {
      this.#head = Buffer.concat([this.#head, chunk]);
      if (this.#over || this.#head.length > MOST_HEAD_BYTES) break;
    }
    const text = this.#head.toString('latin1');
    const end = /\r?\n\r?\n/.exec(text);
    if (this.#head.length > MOST_HEAD_BYTES) this.#refuse('its answer has too long a head', undefined);
    else if (end !== null) this.#answered(text, end.index + end[0].length);
  };

  #next(): Buffer | null {
    return this.#socket.read() as Buffer | null;
  }

  /** All of its head has come: the first `length` characters of `text`. */
  #answered(text: string, length: number): void {
    const status = Number(STATUS.exec(text)?.[1]);
    if (!(status >= 100)) this.#refuse('its answer to CONNECT is not HTTP', undefined);
    else if (status < 200 || status > 299)
      this.#refuse(`it answered CONNECT with ${text.split(/\r?\n/)[0]?.slice(0, 200)}`, status);
    else if (length < text.length) this.#refuse('it sent data of its own after its answer', status);
    else this.#finish(undefined);
  }

  readonly #ended = (): void => this.#refuse('it closed the connection instead of answering CONNECT', undefined);

  readonly #failed = (error: Error): void => this.#finish(error);

  #refuse(what: string, status: number | undefined): void {
    if (this.#over) return;
    const code = status === 407 ? 'ERR_HTTP_PROXY_AUTH' : undefined;
    this.#finish(new ProxyError(this.#proxy.name, what, status, code));
  }

  #finish(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    if (this.slot !== -1) {
      this.#scheduler.timeouts.cancel(this);
      this.#scheduler.timersChanged();
    }
    const socket = this.#socket;
    socket.off('readable', this.#readable).off('end', this.#ended).off('close', this.#ended);
    // A late error of a socket that is given up concerns nobody; one of an open tunnel is told by what runs in it.
    if (error !== undefined) socket.destroy();
    this.#done(error);
  }
}
