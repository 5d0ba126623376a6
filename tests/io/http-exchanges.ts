// http-exchanges.ts: an HTTP server under test, and clients that are bare sockets and say exactly what a test wants.
import net from 'node:net';
import { callback, type Greenlet, http, hub, type Op, run, type Scope, scope, sleep } from 'tendril';
import { expect } from 'vitest';
import { descriptors, descriptorsBackAt } from './descriptors.ts';
import { host, nothingLeft } from './peers.ts';

type Options = Parameters<typeof http.serve>[2];

export interface Ground {
  readonly server: http.HttpServer;
  readonly running: Greenlet<unknown>;
  readonly s: Scope;
  readonly port: number;
  readonly url: string;
  /** What went to the hub's error event. */
  readonly errors: unknown[];
}

/** Serve `handler` while `body` runs, then stop, and check that nothing is left: no handle, no greenlet, no timer, no descriptor. */
export async function served(
  handler: http.HttpHandler,
  body: (ground: Ground) => Op<unknown>,
  options?: Options,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  const unlink = hub.on('error', (error) => errors.push(error));
  const before = descriptors();
  try {
    await run(function* () {
      yield* scope(function* (s) {
        const server = http.serve({ host, port: 0 }, handler, options);
        const running = s.spawn(() => server);
        const { port } = yield* server.ready();
        try {
          yield* body({ server, running, s, port, url: `http://${host}:${port}`, errors });
        } finally {
          running.kill();
        }
        yield* running.join();
        expect({ closed: server.closed, ...server.stats }).toMatchObject({ closed: true, connections: 0, inFlight: 0 });
      });
      http.closeIdle();
      yield* descriptorsBackAt(before);
    });
    nothingLeft();
  } finally {
    unlink();
  }
  return errors;
}

/** A bare client. */
export class RawClient {
  readonly socket: net.Socket;
  text = '';
  ended = false;
  /** Closed, by whomever; `reset` if by an error. */
  closed = false;
  error: string | undefined = undefined;
  #look: () => void = () => {};

  constructor(port: number, allowHalfOpen = true) {
    this.socket = net.connect({ host, port, allowHalfOpen });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.text += text;
      this.#look();
    });
    this.socket.on('end', () => {
      this.ended = true;
      this.#look();
    });
    this.socket.on('error', (error: Error & { code: string }) => {
      this.error = error.code;
    });
    this.socket.on('close', () => {
      this.closed = true;
      this.#look();
    });
  }

  send(text: string | Uint8Array): this {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return this;
  }

  /** Wait until `done`. */
  until(done: (client: this) => boolean): Op<void> {
    return callback<void>((settle) => {
      this.#look = () => {
        if (done(this)) settle(null);
      };
      this.#look();
    });
  }

  /** Wait until what was received holds `text`, and return all that was. */
  *has(text: string): Op<string> {
    yield* this.until((client) => client.text.includes(text) || client.closed);
    expect(this.text).toContain(text);
    return this.text;
  }

  /** Wait until the server has ended the connection, and close it; returns all that was received. */
  *rest(): Op<string> {
    yield* this.until((client) => client.ended || client.closed);
    this.socket.destroy();
    return this.text;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** The status lines in `text`. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
}

/** Wait until `done`, polling. */
export function* eventually(done: () => boolean): Op<void> {
  for (let i = 0; i < 5000 && !done(); i += 1) yield* sleep(1);
  expect(done()).toBe(true);
}
