// requests.ts: the requests of a client to its manager, and their replies.
//
// Requests are numbered, and wait in `#pending` for their replies. A call that is killed or times out is cancelled over there and stays in `#pending` without a
// waiter until its reply comes: what that brings is given back (`unwanted`). So a lock that was handed over at the very moment is free again, and a value
// taken from a queue is in it again. Only if the connection is lost at that moment, nobody can know.
//
// Invariants, between any two steps:
//   it has ended  implies  #pending is empty
// Source: S6 (a command whose reply is pending may have happened: its waiter leaves a tombstone).

import type { Ticket } from '../../core/external.ts';
import type { Op } from '../../core/op.ts';
import { spawnWith } from '../../core/spawn.ts';
import type { Socket } from '../../io/socket.ts';
import { Unreadable } from '../channels/receiving-side.ts';
import { revive } from '../thrown.ts';
import type { Call, Requester } from './call-wait.ts';
import { ManagedCallKilledError, ManagedReleasedError, ManagerLostError, unreadable } from './errors.ts';
import { frameOf, type Reply, type Request } from './frames.ts';
import { Wire } from './wire.ts';

interface Pending {
  readonly call: Call<unknown>;
  /** Undefined: nobody waits any more. */
  ticket: Ticket<unknown> | undefined;
}

/** Makes the error of whoever asks for `what` after the end. */
type Ended = (what: string) => Error;

export class Requests implements Requester {
  readonly #wire: Wire;
  readonly #pending: Map<number, Pending> = new Map();
  #ids = 0;
  #ended: Ended | undefined = undefined;

  /** `whyLost` says what has become of the manager. */
  constructor(socket: Socket, whyLost: () => Op<string>) {
    this.#wire = new Wire(socket);
    spawnWith({ daemon: true, name: 'manager-writer' }, () => this.#wire.write());
    spawnWith({ daemon: true, name: 'manager-reader' }, () => this.#read(whyLost));
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  begin<T>(call: Call<T>, ticket: Ticket<T>): void {
    if (this.#ended !== undefined) {
      const ended = this.#ended;
      ticket.rejectWith(() => ended(call.what));
      return;
    }
    this.#ids += 1;
    const id = this.#ids;
    const frame = call.frame(id);
    const pending: Pending = { call: call as Call<unknown>, ticket: ticket as Ticket<unknown> };
    this.#pending.set(id, pending);
    ticket.onRetract = () => {
      ticket.withdraw();
      pending.ticket = undefined;
      this.send(['cancel', id]);
    };
    this.#wire.send(frame);
  }

  /** Send what has no reply. */
  send(request: Request): void {
    if (this.#ended === undefined) this.#wire.send(frameOf(request));
  }

  *#read(whyLost: () => Op<string>): Op<void> {
    let cause: unknown;
    try {
      for (let message = yield* this.#wire.receive(); message !== null; message = yield* this.#wire.receive())
        this.#replied(message as Reply);
    } catch (error) {
      cause = error;
    }
    if (this.#ended !== undefined) return;
    let why = 'this program is ending';
    try {
      why = yield* whyLost();
    } finally {
      this.end((what) => new ManagerLostError(what, why, cause));
    }
  }

  #replied([kind, id, content]: Reply): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    const { call, ticket } = pending;
    if (content instanceof Unreadable)
      ticket?.rejectWith(() => unreadable(`${call.what}: the result cannot be read here`, content));
    else if (ticket === undefined) {
      if (kind === 'value') call.unwanted(content);
    } else if (kind === 'value') ticket.resolve(call.result(content));
    else if (kind === 'thrown') ticket.rejectWith(() => withCaller(revive(content)));
    else if (kind === 'killed') ticket.rejectWith(() => new ManagedCallKilledError(call.what));
    else ticket.rejectWith(() => new ManagedReleasedError(call.what));
  }

  /** End the connection: whoever waits, and whoever comes, gets `ended`. Idempotent. */
  end(ended: Ended): void {
    if (this.#ended !== undefined) return;
    this.#ended = ended;
    this.#wire.close();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { call, ticket } of pending) ticket?.rejectWith(() => ended(call.what));
  }
}

/** The stack of the manager, and below it where the call was made. */
function withCaller(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const here = String(new Error('here').stack).split('\n').slice(1).join('\n');
  thrown.stack = `${thrown.stack}\n    --- in the manager process; called from\n${here}`;
  return thrown;
}
