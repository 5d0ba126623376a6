// session.ts: what an MQTT client and its server know of each other beyond one connection: publications that are not acknowledged.
//
// Give the same session, with the same client id, to one client after the other: the next one sends again what the last one could not finish, marked as a
// duplicate, and recognizes what the server sends again. It lives in memory: with the process it is gone.
//
// Invariant: received.get(id) is true if the server has been told that we have it, false if a reader has not taken it yet.

import type { AsyncResult } from 'tendril';
import { duplicate, pubrel } from './packets.ts';

interface Publication {
  readonly packet: Buffer;
  /** The server has it, and has not been told yet that it need not remember that any more. */
  released: boolean;
  /** Whoever waits for it; nobody after the connection of its client was lost. */
  done: AsyncResult<void> | undefined;
}

export class MqttSession {
  /** Ours, by number. */
  readonly outgoing: Map<number, Publication> = new Map();
  /** Numbers of messages to us, with a QoS of 2, that the server has not released. */
  readonly received: Map<number, boolean> = new Map();
  lastId = 0;

  /** The server knows nothing of it, so we forget it too. */
  clear(): void {
    this.outgoing.clear();
    this.received.clear();
  }

  /** What has to be sent again, in the order in which it was. */
  unfinished(): Buffer[] {
    // What no reader had taken comes again.
    for (const [id, told] of this.received) if (!told) this.received.delete(id);
    return [...this.outgoing].map(([id, { packet, released }]) => (released ? pubrel(id) : duplicate(packet)));
  }

  /** The connection has gone: nobody waits any more. Returns those who did. */
  suspend(): { readonly done: AsyncResult<void> }[] {
    const waiting: { readonly done: AsyncResult<void> }[] = [];
    for (const publication of this.outgoing.values()) {
      const { done } = publication;
      publication.done = undefined;
      if (done !== undefined && !done.ready) waiting.push({ done });
    }
    return waiting;
  }
}
