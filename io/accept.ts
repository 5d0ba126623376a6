// accept.ts: the wait for a connection, and the connections that wait for somebody to accept them.
//
// Which of the two waits is for the listener to say (listen.ts): never both, unless it is paused.

import { readyResult } from '../core/kernel.ts';
import type { WaitDescription } from '../core/op.ts';
import { Wait } from '../core/wait.ts';
import type { Waiter, WaitList } from '../core/wait-list.ts';
import { handleClosed, handleOpened } from './handles.ts';
import type { Socket } from './socket.ts';
import type { Transport } from './transport.ts';

/** What accepting needs to know of its listener. */
interface Accepted {
  /** The oldest connection that may be given out, if there is one. */
  take(): Socket | undefined;
  toString(): string;
}

/** A connection that waits to be accepted: a handle of ours, but no Socket yet. */
export class Unaccepted {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
    handleOpened('socket', this);
  }

  take(): Transport {
    handleClosed(this);
    return this.#transport;
  }

  drop(): void {
    this.take().destroy();
  }

  toString(): string {
    return `socket ${this.#transport.localAddress} -> ${this.#transport.remoteAddress}, not accepted`;
  }
}

export class Accept extends Wait<Socket> {
  readonly #listener: Accepted;
  readonly #acceptors: WaitList;
  readonly #external: boolean;

  constructor(listener: Accepted, acceptors: WaitList, external: boolean) {
    super();
    this.#external = external;
    this.#listener = listener;
    this.#acceptors = acceptors;
  }

  look(): boolean {
    const socket = this.#listener.take();
    if (socket === undefined) return false;
    readyResult.value = socket;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#acceptors.push(waiter);
    if (this.#external) waiter.owner().scope.scheduler.externalStarted();
  }
  retract(waiter: Waiter): void {
    this.#acceptors.remove(waiter);
    if (this.#external) waiter.owner().scope.scheduler.externalEnded();
  }
  describe(): WaitDescription {
    return { op: 'accept', object: this.#listener.toString() };
  }
}
