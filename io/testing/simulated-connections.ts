// simulated-connections.ts: all connections of a simulated network that a system still carries, oldest first, and what is done to many of them at once.
//
// Invariant: a connection is listed  if and only if  one of its ends is not forgotten.

import type { Breakage, Connection } from './simulated-connection.ts';
import type { Link } from './simulated-link.ts';

/** A connection that a system still carries. */
export interface ConnectionState {
  /** Its two addresses; of a Unix socket, `unix` and its path. */
  readonly client: string;
  readonly server: string;
  /** Has the program at this end still got it? */
  readonly clientOpen: boolean;
  readonly serverOpen: boolean;
}

interface Rule {
  readonly links: ReadonlySet<Link>;
  readonly bytes: number;
  readonly how: Breakage;
}

export class Connections {
  readonly #all: Set<Connection> = new Set();
  /** Connections over these links that are made later break too. */
  #rules: Rule[] = [];

  opened(connection: Connection): void {
    this.#all.add(connection);
    for (const { links, bytes, how } of this.#rules) {
      if (links.has(connection.out.link)) connection.breakAfter = { bytesLeft: bytes, how };
    }
  }

  closed(connection: Connection): void {
    this.#all.delete(connection);
  }

  /** Break every connection over `links`: now, or, with `bytes`, when so many more have arrived, and those that are made later too. */
  break(links: ReadonlySet<Link>, how: Breakage, bytes: number): void {
    for (const connection of [...this.#all]) {
      if (!links.has(connection.out.link) || connection.client?.connected !== true) continue;
      if (bytes > 0) connection.breakAfter = { bytesLeft: bytes, how };
      else connection.break(how);
    }
    if (bytes > 0) this.#rules.push({ links, bytes, how });
  }

  /** Nothing breaks any more. */
  heal(): void {
    this.#rules = [];
    for (const connection of [...this.#all]) {
      connection.breakAfter = undefined;
      connection.pathChanged();
    }
  }

  /** The way may have changed for connections over links that `concerned` names. */
  pathsChanged(concerned: (link: Link) => boolean): void {
    for (const connection of [...this.#all]) {
      if (concerned(connection.out.link) || concerned(connection.back.link)) connection.pathChanged();
    }
  }

  states(): ConnectionState[] {
    return [...this.#all].map(({ client, server }) => ({
      client: String(client?.stream.localAddress),
      server: String(client?.stream.remoteAddress),
      clientOpen: client?.state === 'open',
      serverOpen: server?.state === 'open',
    }));
  }
}
