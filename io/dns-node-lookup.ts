// dns-node-lookup.ts: the `lookup` option for connections that Node opens for us (HTTP), so that their lookups keep to the same limit.
//
// Node does not take a lookup back when its connection is given up: it would still wait for its turn, in front of others. So the one that is begun while a
// connection is made is told when that closes. A time limit is ours too: Node has none.
//
// Invariants:
//   `done` is called at most once, and not after giveUp()
//   the timer is armed  implies  the lookup is queued or under way

import type { LookupFunction, Socket } from 'node:net';
import type { Timer } from '../core/timers.ts';
import { LOOKUP_TIMEOUT_MS, lookups, lookupTimedOut } from './dns-lookups.ts';
import { scheduler } from './hub.ts';
import { networkOf, type Pending, type Resolved } from './network.ts';
import './node-network.ts';

type Done = Parameters<LookupFunction>[2];

class NodeLookup implements Timer {
  order = 0;
  slot = -1;
  readonly #host: string;
  readonly #all: boolean;
  readonly #done: Done;
  #pending: Pending | undefined = undefined;

  constructor(host: string, all: boolean, done: Done) {
    this.#host = host;
    this.#all = all;
    this.#done = done;
  }

  begin(family: number): void {
    this.#pending = lookups.ask(
      this.#host,
      family,
      (error, addresses) => {
        this.#disarm();
        this.#tell(error, addresses);
      },
      () => {},
    );
    scheduler.sleepers.arm(this, LOOKUP_TIMEOUT_MS);
    scheduler.timersChanged();
  }

  due(): void {
    const error = lookupTimedOut(this.#host, LOOKUP_TIMEOUT_MS, networkOf(scheduler))();
    this.#pending?.cancel();
    this.#tell(error, []);
  }

  /** Nobody wants the answer any more. */
  giveUp(): void {
    if (this.slot === -1) return;
    this.#disarm();
    this.#pending?.cancel();
  }

  #disarm(): void {
    scheduler.sleepers.cancel(this);
    scheduler.timersChanged();
  }

  #tell(error: unknown, addresses: readonly Resolved[]): void {
    const failed = (error ?? null) as NodeJS.ErrnoException | null;
    if (this.#all) this.#done(failed, [...addresses]);
    else this.#done(failed, addresses[0]?.address ?? '', addresses[0]?.family);
  }
}

let begun: NodeLookup | undefined;

/** As dns.lookup of Node, but at most three at once, together with all other lookups of ours, and none for longer than 5 s. */
export const nodeLookup: LookupFunction = (host, options, done) => {
  const { family } = options;
  begun = new NodeLookup(host, options.all === true, done);
  begun.begin(family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : (family ?? 0));
};

/** Call `connect`, which makes a socket with `nodeLookup`; its lookup is given up when the socket closes. */
export function connectWithLookup(connect: () => Socket): Socket {
  begun = undefined;
  const socket = connect();
  const lookup = begun as NodeLookup | undefined; // net.connect asks before it returns
  begun = undefined;
  if (lookup !== undefined) socket.once('close', () => lookup.giveUp());
  return socket;
}
