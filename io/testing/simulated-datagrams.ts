// simulated-datagrams.ts: UDP on the simulated network: each datagram on its own, lost, doubled and overtaken as the run decides.
//
// Nothing is sent again: what meets a link that is down, a host that is down or a port that nobody has is gone. On a clogged link it waits, as
// everything does. Each one chooses its own latency, so they may arrive in another order than they left; with the mildest choices they do not.
//
// Invariant: no two bound sockets of one host have the same port and addresses that overlap.

import type { Timer } from '../../core/timers.ts';
import { Address, familyOf } from '../address.ts';
import type { DatagramHandle, DatagramSink } from '../network.ts';
import type { Boot } from './simulated-boot.ts';
import { datagramError } from './simulated-errors.ts';
import type { Link, WaitsForLink } from './simulated-link.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

/** What fits into one datagram: 65,535 bytes less the headers of IP and UDP. */
const MOST_BYTES = 65_507;

export class SimulatedDatagrams implements DatagramHandle {
  readonly address: Address;
  readonly #boot: Boot;
  readonly #sink: DatagramSink;

  constructor(boot: Boot, address: Address, sink: DatagramSink) {
    this.#boot = boot;
    this.address = address;
    this.#sink = sink;
  }

  send(bytes: Uint8Array, host: string, port: number, done: (error: unknown) => void): void {
    const { net } = this.#boot;
    const code = this.#send(Buffer.from(bytes), host, port);
    net.clock.soon(() => done(code === undefined ? undefined : datagramError('send', code, host, port)));
  }

  #send(bytes: Buffer, host: string, port: number): string | undefined {
    const { host: here, net, alive } = this.#boot;
    if (!alive) return 'ENETDOWN';
    if (bytes.length > MOST_BYTES) return 'EMSGSIZE';
    const wildcard = this.address.host === '0.0.0.0' || this.address.host === '::';
    const source = wildcard ? here.sourceFor(host, familyOf(host)) : this.address.host;
    if (source === undefined) return 'ENETUNREACH';
    if (port === 0) return 'EINVAL';
    const target = here.owns(host) ? here : net.topology.at(host);
    const from = new Address(source, this.address.port);
    const to = new Address(host, port);
    if (target === undefined) {
      net.log?.(`${from} > ${to} datagram ${bytes.length} lost`);
      return undefined;
    }
    const link = net.topology.link(here, target);
    if (link.from !== link.to) net.nemesis?.onLink(link);
    const copies = net.nemesis?.happens('duplicate', 'fault duplicate') === true ? 2 : 1;
    for (let i = 0; i < copies; i += 1) new Underway(net, link, from, to, bytes).send();
    return undefined;
  }

  received(bytes: Buffer, from: Address): void {
    this.#sink.received(Buffer.from(bytes), from);
  }

  close(): void {
    this.#boot.datagrams.delete(this);
  }

  /** The host has crashed. */
  vanish(): void {
    this.#boot.net.clock.soon(() => this.#sink.closed());
  }
}

/** One datagram on its way. */
class Underway implements Timer, WaitsForLink {
  order = 0;
  slot = -1;
  readonly #net: SimulatedNetwork;
  readonly #link: Link;
  readonly #from: Address;
  readonly #to: Address;
  readonly #bytes: Buffer;

  constructor(net: SimulatedNetwork, link: Link, from: Address, to: Address, bytes: Buffer) {
    this.#net = net;
    this.#link = link;
    this.#from = from;
    this.#to = to;
    this.#bytes = bytes;
  }

  send(): void {
    const { nemesis } = this.#net;
    if (this.#link.down || nemesis?.happens('drop', 'fault drop') === true) {
      this.#log(' lost');
      return;
    }
    this.#log('');
    this.#travel((nemesis?.delayMs() ?? 0) + (nemesis?.overtakenMs() ?? 0));
  }

  #travel(extraMs: number): void {
    const { clock } = this.#net;
    clock.scheduler.sleepers.armAt(this, clock.now() + this.#link.delayMs() + extraMs);
    clock.scheduler.timersChanged();
  }

  due(): void {
    const link = this.#link;
    if (link.down || !link.to.up) this.#log(' lost');
    else if (link.clogged) link.wait(this);
    else link.to.boot?.datagramsAt(this.#to)?.received(this.#bytes, this.#from);
  }

  linkFree(): void {
    this.#travel(0);
  }

  #log(what: string): void {
    this.#net.log?.(`${this.#from} > ${this.#to} datagram ${this.#bytes.length}${what}`);
  }
}
