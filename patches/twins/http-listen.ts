// http-listen.ts: the wait for an http server of Node's to listen.
//
// Not net's listen(), which is our own: here Node looks up the host and opens the socket, with all the options that its listen() has.
//
// Invariant: `settled` is down exactly while Node has neither said 'listening' nor 'error'.

import type { Server as NodeServer } from 'node:http';
import type { Event } from '../../core/event.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import type { WaitDescription } from '../../core/op.ts';
import { atCaller } from './net-caller.ts';

/** Node cannot be told to listen no more before it does: if nobody waits any longer, it is closed then. */
export class ListenWait extends ExternalWait<void> {
  readonly #node: NodeServer;
  readonly #args: readonly unknown[];
  readonly #settled: Event;
  constructor(node: NodeServer, args: readonly unknown[], settled: Event) {
    super();
    this.#node = node;
    this.#args = args;
    this.#settled = settled;
  }
  protected begin(ticket: Ticket<void>): void {
    const node = this.#node;
    const over = (): void => {
      node.off('listening', listening);
      node.off('error', failed);
      this.#settled.set();
    };
    const listening = (): void => {
      over();
      ticket.resolve();
    };
    const failed = (error: Error): void => {
      over();
      ticket.rejectWith(() => atCaller(error));
    };
    this.#settled.clear();
    node.on('listening', listening);
    node.on('error', failed);
    try {
      node.listen(...(this.#args as []));
    } catch (error) {
      over();
      throw error;
    }
  }
  protected override orphaned(): void {
    if (this.#node.listening) this.#node.close();
  }
  describe(): WaitDescription {
    return { op: 'listen', object: 'an http server' };
  }
}
