// simulated-connection.ts: a connection: two ends and a flow in each direction, and what somebody on the way may do to it.
//
// It is made when a SYN is sent. Its other end comes into being on the other host when the SYN gets there, and may never.

import type { SystemEnd } from './simulated-end.ts';
import type { Flow, PacketSink } from './simulated-flow.ts';
import { Flow as Packets } from './simulated-flow.ts';
import type { Link } from './simulated-link.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

/** What becomes of a connection: both ends get a RST, or both get the other's end although neither has sent it. */
export type Breakage = 'reset' | 'end';

export class Connection {
  readonly net: SimulatedNetwork;
  /** A Unix socket: no time, no RST packets. */
  readonly unix: boolean;
  /** From the end that connects to the one that accepts, and back. */
  readonly out: Flow;
  readonly back: Flow;
  client: SystemEnd | undefined = undefined;
  server: SystemEnd | undefined = undefined;
  /** It breaks when so many bytes more have arrived. */
  breakAfter: { bytesLeft: number; readonly how: Breakage } | undefined = undefined;

  constructor(net: SimulatedNetwork, unix: boolean, out: Link, back: Link, listening: PacketSink) {
    this.net = net;
    this.unix = unix;
    this.out = new Packets(out, this, listening);
    this.back = new Packets(back, this, listening);
    net.all.opened(this);
  }

  /** Who sends into `flow`. */
  senderOf(flow: Flow): SystemEnd | undefined {
    return flow === this.out ? this.client : this.server;
  }

  /** What is on its way to `end`. */
  flowTo(end: SystemEnd): Flow {
    return end.accepted ? this.out : this.back;
  }

  /** `10.0.0.1:32768 > 10.0.0.2:80`. */
  labelOf(flow: Flow): string {
    const { client } = this;
    const [near, far] = this.unix
      ? ['unix', String(client?.stream.remoteAddress)]
      : [String(client?.stream.localAddress), String(client?.stream.remoteAddress)];
    return flow === this.out ? `${near} > ${far}` : `${far} > ${near}`;
  }

  /** Break it now, from the middle of the way. Nothing that is under way arrives. */
  break(how: Breakage): void {
    this.breakAfter = undefined;
    for (const flow of [this.out, this.back]) {
      flow.purge();
      flow.severed = true;
    }
    const kind = how === 'reset' ? 'rst' : 'fin';
    for (const end of [this.client, this.server]) {
      if (end === undefined) continue;
      this.net.log?.(`${this.labelOf(this.flowTo(end))} ${kind} (by a fault)`);
      this.net.clock.soon(() => {
        if (how === 'reset' || !end.receiving.peerEnded) end.arrived(kind, undefined);
      });
    }
  }

  /** `bytes` have come to the end of `flow`: if that is what the connection was to break after, deliver what comes before. */
  breaks(flow: Flow, bytes: Buffer): boolean {
    const rule = this.breakAfter;
    if (rule === undefined) return false;
    if (bytes.length < rule.bytesLeft) {
      rule.bytesLeft -= bytes.length;
      return false;
    }
    const before = bytes.subarray(0, rule.bytesLeft);
    this.breakAfter = undefined;
    if (before.length > 0) flow.target.arrived('data', before);
    this.break(rule.how);
    return true;
  }

  pathChanged(): void {
    this.client?.changed();
    this.server?.changed();
  }

  /** One of the ends is not carried any more. */
  endGone(): void {
    const { client, server } = this;
    if (client?.state !== 'gone' || (server !== undefined && server.state !== 'gone')) {
      // The one that is left may be waiting for something that will never come.
      this.pathChanged();
      return;
    }
    this.out.purge();
    this.back.purge();
    this.net.all.closed(this);
  }
}
