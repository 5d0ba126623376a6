// simulated-end.ts: one end of a simulated connection as its operating system has it; what Node makes of it is simulated-stream.ts.
//
// The rules of Linux, measured through our own transport on real loopback (Linux 6; the same on Unix sockets where it says nothing else):
//   Node closes with data unread in the system     RST at once, and what had not been sent is gone; what is on its way arrives before it
//   Node closes otherwise                          what the system has taken is sent, then FIN; what Node held is gone
//   data reaches an end that Node has closed       RST
//   anything reaches an end that is forgotten      RST, unless it is one itself
//   RST comes                                      what has arrived can still be read; what was to be sent is gone
//   Unix socket                                    there is no RST on the way: what is under way to an end that is closed counts as unread
//
// Invariants:
//   state 'open'    implies  Node has the stream, or it waits in the listener's queue
//   lostBy is set   implies  the system has given the connection up, and nothing more is sent or acknowledged

import { InternalError } from '../../core/errors.ts';
import type { Address } from '../address.ts';
import type { Boot } from './simulated-boot.ts';
import type { Connection } from './simulated-connection.ts';
import type { Flow, PacketKind, PacketSink } from './simulated-flow.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import { Receiving } from './simulated-receiving.ts';
import { Sending } from './simulated-sending.ts';
import { SimulatedStream } from './simulated-stream.ts';
import { Watch } from './simulated-watch.ts';

/** handshake: not yet connected; open; orphan: Node is done with it, the system still sends; gone: forgotten. */
type State = 'handshake' | 'open' | 'orphan' | 'gone';

/** What takes part in the handshake until the end is open. */
export interface Handshake {
  arrived(kind: PacketKind): void;
}

/** What an end is made with. */
export interface EndOptions {
  readonly local: Address;
  readonly remote: Address;
  readonly keepAliveMs: number;
  /** Was it accepted, or made by us? */
  readonly accepted: boolean;
}

export class SystemEnd implements PacketSink {
  readonly net: SimulatedNetwork;
  readonly boot: Boot;
  readonly connection: Connection;
  readonly accepted: boolean;
  readonly outgoing: Flow;
  readonly sending: Sending;
  readonly receiving: Receiving;
  readonly stream: SimulatedStream;
  readonly #watch: Watch;
  #state: State = 'handshake';
  #handshake: Handshake | undefined;
  /** Why the system gave it up: ECONNRESET, ETIMEDOUT. */
  lostBy: string | undefined = undefined;

  constructor(boot: Boot, connection: Connection, options: EndOptions, handshake?: Handshake) {
    this.net = boot.net;
    this.boot = boot;
    this.connection = connection;
    this.accepted = options.accepted;
    this.#handshake = handshake;
    this.outgoing = options.accepted ? connection.back : connection.out;
    this.sending = new Sending(this, this.outgoing);
    this.receiving = new Receiving(this);
    this.stream = new SimulatedStream(this, options.local, options.remote);
    this.#watch = new Watch(this, options.keepAliveMs);
  }

  /** The other end, once there is one. */
  get peer(): SystemEnd | undefined {
    return this.accepted ? this.connection.client : this.connection.server;
  }

  get state(): State {
    return this.#state;
  }

  /** Does the system still carry it? */
  get connected(): boolean {
    return this.lostBy === undefined && (this.#state === 'open' || this.#state === 'orphan');
  }

  /** With which error a write fails at once; undefined if it does not. */
  get writeError(): string | undefined {
    if (this.connection.unix) return this.lostBy !== undefined || this.peer?.state !== 'open' ? 'EPIPE' : undefined;
    if (this.lostBy === undefined) return undefined;
    return this.receiving.peerEnded ? 'EPIPE' : this.lostBy;
  }

  /** The handshake is done; Node does not have it yet. */
  established(): void {
    this.#state = 'open';
    this.#handshake = undefined;
    this.#watch.changed();
  }

  /** Node has it: it counts as a descriptor. */
  taken(): void {
    this.boot.ends.add(this);
  }

  arrived(kind: PacketKind, bytes: Buffer | undefined): void {
    this.#watch.heard();
    switch (this.#state) {
      case 'handshake':
        this.#handshake?.arrived(kind);
        return;
      case 'open':
        if (this.lostBy === undefined) this.#arrivedOpen(kind, bytes);
        else if (kind !== 'rst') this.#refuse();
        return;
      case 'orphan':
        this.#arrivedOrphan(kind);
        return;
      case 'gone':
        if (kind !== 'rst') this.#refuse();
        return;
      default: {
        const never: never = this.#state;
        throw new InternalError(`an end of a connection is ${String(never)}`);
      }
    }
  }

  #arrivedOpen(kind: PacketKind, bytes: Buffer | undefined): void {
    if (kind === 'data') this.receiving.add(bytes as Buffer);
    else if (kind === 'fin') this.receiving.end();
    else if (kind === 'rst') this.lose('ECONNRESET');
  }

  #arrivedOrphan(kind: PacketKind): void {
    if (kind === 'fin') {
      this.receiving.peerEnded = true;
      this.settle();
    } else if (kind === 'data' || kind === 'rst') {
      this.#forget();
      if (kind === 'data') this.#refuse();
    }
  }

  #refuse(): void {
    if (!this.outgoing.has('rst')) this.outgoing.send('rst', undefined);
  }

  /** Something was written or ended, or the way to the peer or back has changed, or the peer is no more. */
  changed(): void {
    this.#watch.changed();
  }

  /** Give the connection up. Node hears of it when it reads, or holds a write. */
  lose(code: string): void {
    if (!this.connected) return;
    if (this.#state === 'orphan') {
      this.#forget();
      return;
    }
    const { waits } = this.sending;
    this.lostBy = code;
    this.sending.purge();
    if (!this.connection.unix) this.outgoing.orphan();
    this.#watch.changed();
    this.receiving.pump();
    if (waits && this.#state === 'open') this.stream.fail('write', this.writeError ?? code);
  }

  /** Node closes the stream: send what is there and end, or reset. */
  close(): void {
    this.boot.ends.delete(this);
    if (this.lostBy !== undefined) {
      this.#forget();
      return;
    }
    this.sending.takeWhatFits();
    this.sending.drop();
    const { connection, receiving } = this;
    const unread = receiving.unreadBytes + (connection.unix ? connection.flowTo(this).bytes : 0);
    if (unread > 0) {
      this.reset();
      return;
    }
    this.#state = 'orphan';
    this.sending.end();
    this.settle();
    this.#watch.changed();
  }

  /** Forget the connection and tell the peer so: once, and if that is lost he learns it when he sends something. */
  reset(): void {
    this.#forget();
    this.outgoing.send('rst', undefined, false);
  }

  /** An attempt to connect has failed, or was given up. */
  abandon(): void {
    this.#handshake = undefined;
    this.#forget();
  }

  /** The host has crashed: nothing is sent any more, and whoever still waits hears that the network is down. */
  vanish(): void {
    this.boot.ends.delete(this);
    const open = this.#state === 'open';
    this.#forget();
    this.outgoing.orphan();
    if (open) this.stream.vanish();
  }

  /** Forget an orphan that has nothing left to do. */
  settle(): void {
    if (this.#state === 'orphan' && this.sending.endSent && this.receiving.peerEnded) this.#forget();
  }

  #forget(): void {
    this.#state = 'gone';
    this.sending.purge();
    this.outgoing.link.forget(this.receiving);
    this.#watch.changed();
    this.connection.endGone();
  }
}
