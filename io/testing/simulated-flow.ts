// simulated-flow.ts: the packets of one direction of one connection, in order, from the moment they leave to the moment they arrive.
//
// One timer for the oldest packet, whatever its size. A packet that finds its link blocked waits, and all behind it: that is what TCP's sending
// again comes to, bytes are late and never lost. Only what is sent once and never again (a SYN, which its sender repeats himself; a RST
// that answers nothing) is lost when the link is down.
//
// Invariants:
//   packets arrive in the order in which they were sent
//   holding        implies  the link has this flow among those that wait, and no timer is armed
//   not holding    implies  the timer is armed if and only if a packet is under way

import type { Timer } from '../../core/timers.ts';
import type { Connection } from './simulated-connection.ts';
import type { Link, WaitsForLink } from './simulated-link.ts';

export type PacketKind = 'syn' | 'syn-ack' | 'ack' | 'data' | 'fin' | 'rst';

interface Packet {
  readonly kind: PacketKind;
  bytes: Buffer | undefined;
  /** Sent again until it arrives. */
  readonly sure: boolean;
  /** When it may arrive; later if one before it does. Infinity: when the link is free. */
  atMs: number;
}

/** Where packets arrive. */
export interface PacketSink {
  arrived(kind: PacketKind, bytes: Buffer | undefined): void;
}

export class Flow implements Timer, WaitsForLink {
  order = 0;
  slot = -1;
  readonly link: Link;
  readonly connection: Connection;
  /** Who gets the packets. */
  target: PacketSink;
  /** Somebody on the way has ended the connection: nothing passes any more. */
  severed = false;
  readonly #packets: Packet[] = [];
  #holding = false;

  constructor(link: Link, connection: Connection, target: PacketSink) {
    this.link = link;
    this.connection = connection;
    this.target = target;
  }

  /** Send one packet, `extraMs` later than the link would have it. */
  send(kind: PacketKind, bytes: Buffer | undefined, sure = true, extraMs = 0): void {
    const { link, connection } = this;
    const { net } = connection;
    if (this.severed) {
      if (kind === 'data') net.clock.soon(() => connection.senderOf(this)?.arrived('rst', undefined));
      return;
    }
    const delayMs = extraMs + (net.nemesis?.sending(this) ?? 0);
    const lost = !sure && (link.down || !link.to.up);
    const late = delayMs > 0 ? ` ${delayMs} ms late` : '';
    if (net.log !== undefined) this.#log(kind, bytes, lost ? ' lost' : link.blocked ? ' held' : late);
    if (lost) return;
    const packet: Packet = { kind, bytes, sure, atMs: Number.POSITIVE_INFINITY };
    this.#packets.push(packet);
    if (this.#holding) return;
    if (link.blocked) {
      if (this.#packets.length === 1) this.#hold();
      return;
    }
    packet.atMs = net.clock.now() + link.delayMs() + delayMs;
    if (this.#packets.length === 1) this.#arm();
  }

  /** Is a packet of this kind under way? */
  has(kind: PacketKind): boolean {
    return this.#packets.some((packet) => packet.kind === kind);
  }

  /** How many bytes are under way. */
  get bytes(): number {
    return this.#packets.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  }

  /** Forget what has not arrived. */
  purge(): void {
    this.#packets.length = 0;
    this.#stop();
  }

  /** The sender is no more: forget what waits to be sent again. What is on the way goes on. */
  orphan(): void {
    if (this.#holding) this.purge();
  }

  /** The oldest packet has arrived. */
  due(): void {
    const packets = this.#packets;
    const nowMs = this.connection.net.clock.now();
    for (;;) {
      const packet = packets[0];
      if (packet === undefined) return;
      if (this.link.blocked) {
        this.#hold();
        return;
      }
      if (packet.atMs > nowMs) {
        // Infinity: it was sent while the link was blocked, behind others that were on their way.
        if (packet.atMs === Number.POSITIVE_INFINITY) this.linkFree();
        else if (this.slot === -1) this.#arm();
        return;
      }
      packets.shift();
      const next = packets[0];
      if (packet.kind === 'data' && next?.kind === 'data' && this.connection.net.segments.joins()) {
        next.bytes = Buffer.concat([packet.bytes as Buffer, next.bytes as Buffer]);
        continue;
      }
      if (packet.kind === 'data' && this.connection.breaks(this, packet.bytes as Buffer)) return;
      this.target.arrived(packet.kind, packet.bytes);
    }
  }

  linkFree(): void {
    this.#holding = false;
    const nowMs = this.connection.net.clock.now();
    const atMs = nowMs + this.link.delayMs();
    for (const packet of this.#packets)
      if (packet.atMs <= nowMs || packet.atMs === Number.POSITIVE_INFINITY) packet.atMs = atMs;
    if (this.#packets.length > 0) this.#arm();
  }

  #hold(): void {
    if (this.link.down || !this.link.to.up) {
      const sure = this.#packets.filter((packet) => packet.sure);
      this.#packets.length = 0;
      this.#packets.push(...sure);
    }
    if (this.#packets.length === 0) return;
    this.#holding = true;
    this.link.wait(this);
  }

  #stop(): void {
    if (this.#holding) this.link.forget(this);
    this.#holding = false;
    if (this.slot === -1) return;
    const { scheduler } = this.connection.net.clock;
    scheduler.sleepers.cancel(this);
    scheduler.timersChanged();
  }

  #arm(): void {
    const { scheduler } = this.connection.net.clock;
    scheduler.sleepers.armAt(this, (this.#packets[0] as Packet).atMs);
    scheduler.timersChanged();
  }

  #log(kind: PacketKind, bytes: Buffer | undefined, what: string): void {
    const { connection } = this;
    const size = bytes === undefined ? '' : ` ${bytes.length}`;
    connection.net.log?.(`${connection.labelOf(this)} ${kind}${size}${what}`);
  }
}
