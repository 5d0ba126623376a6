// simulated-handshake.ts: how a connection comes about: the one that connects, and the listener on the other host.
//
// SYN, SYN-ACK, ACK: connecting takes one round trip, being accepted half a one more. A SYN is sent again after 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 s, and
// given up after 131 s with ETIMEDOUT (Linux 6.5 and later: tcp_syn_linear_timeouts 4, tcp_syn_retries 6; the first ones measured). A listener with
// `backlog` n holds n + 1 connections; a SYN beyond that is dropped, so who connects then is slow (measured with a stopped server).
// Node accepts what there is at once. Without a descriptor it accepts and closes, and says nothing to the server (libuv's trick): measured.
//
// Invariants:
//   an attempt calls back at most once, and not after cancel()
//   pending is the number of connections that are in the handshake or in the queue

import { Address } from '../address.ts';
import type { ListenHandle, ListenSink, Pending, TransportOptions } from '../network.ts';
import type { Transport } from '../transport.ts';
import type { Boot } from './simulated-boot.ts';
import { Alarm } from './simulated-clock.ts';
import { Connection } from './simulated-connection.ts';
import { type Handshake, SystemEnd } from './simulated-end.ts';
import { connectError } from './simulated-errors.ts';
import type { PacketKind, PacketSink } from './simulated-flow.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** When a SYN is sent again, and when it is given up. */
const SYN_AGAIN_MS: readonly number[] = [1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64].map((seconds) => seconds * 1000);

export type Connected = (error: unknown, transport: Transport | undefined) => void;

/** One attempt to connect to one address. */
export class Attempt implements Pending, PacketSink {
  readonly #boot: Boot;
  readonly #host: SimulatedHost;
  readonly remote: Address;
  readonly #end: SystemEnd;
  readonly #connection: Connection;
  readonly #retry: Alarm;
  #done: Connected | undefined;
  #tries = 0;

  constructor(
    boot: Boot,
    host: SimulatedHost,
    local: Address,
    remote: Address,
    options: TransportOptions,
    done: Connected,
  ) {
    const { net } = boot;
    this.#boot = boot;
    this.#host = host;
    this.remote = remote;
    this.#done = done;
    this.#connection = new Connection(
      net,
      false,
      net.topology.link(boot.host, host),
      net.topology.link(host, boot.host),
      this,
    );
    const { keepAliveMs } = options;
    const shape = { local, remote, keepAliveMs, accepted: false };
    this.#end = new SystemEnd(boot, this.#connection, shape, { arrived: (kind) => this.#answered(kind) });
    this.#connection.client = this.#end;
    this.#connection.back.target = this.#end;
    this.#retry = new Alarm(net.clock, () => this.#again());
    boot.attempts.add(this);
    this.#syn();
  }

  #syn(): void {
    // One that is kept on its way need not be sent again.
    if (!this.#connection.out.has('syn')) this.#connection.out.send('syn', undefined, false);
    this.#retry.set(this.#boot.net.clock.now() + (SYN_AGAIN_MS[this.#tries] as number));
    this.#tries += 1;
  }

  #again(): void {
    if (this.#tries === SYN_AGAIN_MS.length) this.fail('ETIMEDOUT');
    else this.#syn();
  }

  /** Something has arrived on the other host, which knows no end of this connection yet. */
  arrived(kind: PacketKind): void {
    if (kind !== 'syn') return;
    const { port } = this.remote;
    const { out, back } = this.#connection;
    const verdict = this.#host.verdict(port);
    if (verdict === 'blackhole') return;
    const listener = verdict === 'refuse' ? undefined : this.#host.boot?.listenerAt(this.remote);
    if (listener === undefined) {
      back.send('rst', undefined, false);
      return;
    }
    if (listener.full) {
      this.#boot.net.log?.(`${this.#connection.labelOf(out)} syn dropped, the backlog is full`);
      return;
    }
    const end = listener.request(this.#connection, this.#end.stream.localAddress, this.remote);
    this.#connection.server = end;
    out.target = end;
    back.send('syn-ack', undefined, true, this.#host.slownessMs(port));
  }

  /** The other host has answered. */
  #answered(kind: PacketKind): void {
    if (kind === 'rst') this.fail('ECONNREFUSED');
    if (kind !== 'syn-ack') return;
    const done = this.#finish();
    this.#end.established();
    this.#end.taken();
    this.#connection.out.send('ack', undefined);
    done?.(undefined, this.#end.stream);
  }

  /** It has failed. */
  fail(code: string): void {
    const done = this.#finish();
    this.#end.abandon();
    done?.(connectError(code, this.remote.host, this.remote.port), undefined);
  }

  #finish(): Connected | undefined {
    const done = this.#done;
    this.#done = undefined;
    this.#retry.cancel();
    this.#boot.attempts.delete(this);
    return done;
  }

  cancel(): boolean {
    if (this.#done === undefined) return true;
    this.#finish();
    this.#end.abandon();
    return true;
  }
}

/** Something that listens, on a port or a path. */
export class Listening implements ListenHandle {
  readonly address: Address;
  readonly #boot: Boot;
  readonly #backlog: number;
  readonly #options: TransportOptions;
  readonly #sink: ListenSink;
  readonly #requested: Set<SystemEnd> = new Set();
  #queue: SystemEnd[] = [];
  #closed = false;

  constructor(boot: Boot, address: Address, backlog: number, options: TransportOptions, sink: ListenSink) {
    this.#boot = boot;
    this.address = address;
    this.#backlog = backlog;
    this.#options = options;
    this.#sink = sink;
  }

  get full(): boolean {
    return this.#requested.size + this.#queue.length > this.#backlog;
  }

  /** A SYN has come. */
  request(connection: Connection, client: Address, target: Address): SystemEnd {
    const end: SystemEnd = this.#make(connection, this.#shown(target), this.#shown(client), {
      arrived: (kind) => {
        if (kind === 'syn' || !this.#requested.delete(end)) return;
        if (kind === 'rst') {
          end.abandon();
          return;
        }
        end.established();
        this.#arrived(end);
      },
    });
    this.#requested.add(end);
    return end;
  }

  /** A connection to our path: it is there at once. */
  join(connection: Connection): SystemEnd {
    const end = this.#make(connection, this.address, new Address('', 0, ''));
    end.established();
    this.#requested.add(end);
    this.#boot.net.clock.soon(() => {
      if (this.#requested.delete(end)) this.#arrived(end);
    });
    return end;
  }

  #make(connection: Connection, local: Address, remote: Address, handshake?: Handshake) {
    const { keepAliveMs } = this.#options;
    return new SystemEnd(this.#boot, connection, { local, remote, keepAliveMs, accepted: true }, handshake);
  }

  /** As a socket that listens on `::` shows an IPv4 address. */
  #shown(address: Address): Address {
    if (this.address.host !== '::' || address.host.includes(':')) return address;
    return new Address(`::ffff:${address.host}`, address.port);
  }

  #arrived(end: SystemEnd): void {
    if (this.#closed) {
      end.reset();
      return;
    }
    this.#queue.push(end);
    this.accept();
  }

  /** Node takes what waits, unless it is kept from it. */
  accept(): void {
    while (this.#queue.length > 0 && !this.#boot.host.stalls(this.address)) {
      const end = this.#queue.shift() as SystemEnd;
      const refused = this.#boot.exhausted;
      end.taken();
      if (refused) end.stream.destroy();
      else this.#sink.connected(end.stream);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#boot.forget(this);
    for (const end of this.#requested) end.reset();
    this.#requested.clear();
    for (const end of this.#queue) end.reset();
    this.#queue = [];
  }

  /** The host has crashed. */
  vanish(): void {
    this.#closed = true;
    for (const end of [...this.#requested, ...this.#queue]) end.vanish();
    this.#requested.clear();
    this.#queue = [];
    this.#boot.net.clock.soon(() => this.#sink.closed());
  }
}
