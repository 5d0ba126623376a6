// server-life.ts: the life of a server as an object, whatever it serves: new, starting, serving, stopping, stopped; and who waits for the next of these.
//
// It opens a handle (a listener, a socket) and runs a greenlet that serves on it. How a server stops is its own affair; it tells here when it begins to.
//
// Invariants, between any two steps:
//   state 'serving'   implies  the greenlet is alive
//   a greenlet ended  implies  the handle is closed and the state is 'stopped'
//   a start that failed leads back to 'new'; nothing leads back from 'stopping'
// Source: gevent's BaseServer.

import { isKilled } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import { Greenlet } from '../core/greenlet.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import { shield } from '../core/shield.ts';
import { ServerClosedError } from './errors.ts';

export type ServerState = 'new' | 'starting' | 'serving' | 'stopping' | 'stopped';

/** What a server serves on. */
interface Handle {
  readonly closed: boolean;
  close(): void;
}

/** How a server is begun. */
interface Begin<T extends Handle> {
  /** What it is called in messages. */
  readonly server: { toString(): string };
  open(): Op<T>;
  /** Begin to serve: the body of its greenlet. */
  serve(handle: T): () => Op<void>;
}

export class ServerLife<T extends Handle> {
  /** Up when the greenlet has ended. */
  readonly ended: Event = new Event({ name: 'end of a server' });
  readonly #changed: Event = new Event({ name: 'start of a server' });
  #state: ServerState = 'new';
  #handle: T | undefined;
  #greenlet: Greenlet<void> | undefined = undefined;

  /** With a handle that is open already, if there is one. */
  constructor(handle: T | undefined) {
    this.#handle = handle;
  }

  get state(): ServerState {
    return this.#state;
  }

  get handle(): T | undefined {
    return this.#handle;
  }

  /** What serves; undefined before. */
  get greenlet(): Greenlet<void> | undefined {
    return this.#greenlet;
  }

  /** True when it is stopping or has stopped, and when its handle was closed by somebody else. */
  get closed(): boolean {
    return this.#state === 'stopping' || this.#state === 'stopped' || this.#handle?.closed === true;
  }

  /** Open the handle and serve on it; nothing if it serves already. @throws ServerClosedError */
  *start({ server, open, serve }: Begin<T>): Generator<Trap, void, Resume> {
    while (this.#state === 'starting') yield* this.#changed.wait();
    if (this.closed) throw new ServerClosedError(`start of ${server}, which was stopped: make a new one`);
    if (this.#state === 'serving') return;
    this.#state = 'starting';
    this.#changed.clear();
    try {
      this.#handle ??= yield* open();
      // Stopped in the meantime.
      if (this.closed) {
        this.#handle.close();
        throw new ServerClosedError(`start of ${server}, which was stopped while it started`);
      }
      this.#serve(serve(this.#handle), server.toString());
    } finally {
      if (this.#state === 'starting') this.#state = 'new';
      else if (this.#greenlet === undefined) this.#state = 'stopped';
      this.#changed.set();
    }
  }

  #serve(body: () => Op<void>, name: string): void {
    this.#state = 'serving';
    const greenlet = new Greenlet(body);
    greenlet.rare().name = name;
    this.#greenlet = greenlet;
    greenlet.link(() => {
      this.#handle?.close();
      this.#state = 'stopped';
      this.ended.set();
    });
    greenlet.start();
  }

  /** Wait for the end; who is killed meanwhile stops the server first. */
  *untilEnded(stop: (reason: unknown) => Op<void>): Generator<Trap, void, Resume> {
    try {
      yield* this.ended.wait();
    } catch (error) {
      if (isKilled(error)) yield* shield(Number.POSITIVE_INFINITY, stop(error.reason));
      throw error;
    }
  }

  /** It begins to stop, or does not start any more. */
  stopping(): void {
    if (this.#state === 'new') this.#state = 'stopped';
    else if (this.#state !== 'stopped') this.#state = 'stopping';
  }
}
