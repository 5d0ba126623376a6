// socket-link.ts: what stands between a Socket and its transport: the transport reports to it, and both sides learn from it whose they are.
//
// All of it is kept out of the socket's public face. It outlives a transport: when TLS is started on an open connection the transport below is given up to
// TLS, and the one that comes of that takes its place here. In between the connection belongs to the handshake, and nobody can read or write it.

import { ClosedError } from '../core/errors.ts';
import { ConnectionResetError } from './errors.ts';
import { handleClosed } from './handles.ts';
import { Inbound, type InboundOwner } from './inbound.ts';
import { Outbound, type OutboundOwner } from './outbound.ts';
import type { Socket } from './socket.ts';
import type { Transport, TransportSink } from './transport.ts';

/** A handshake that has the connection. */
export interface Upgrade {
  /** Somebody else asked for `op` meanwhile. */
  busyError(op: string): Error;
  /** Somebody else has closed the socket. */
  closed(): void;
}

/** What the transport reports to, and what both sides know of their socket: all of it kept out of the socket's public face. */
export class Link implements TransportSink, InboundOwner, OutboundOwner {
  /** What carries the bytes; TLS takes its place when it is started on an open connection. */
  transport: Transport;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  /** Who gets what comes, if not our reading side. */
  diverted: TransportSink | undefined = undefined;
  /** Set while the connection belongs to a handshake. */
  upgrade: Upgrade | undefined = undefined;
  readonly #socket: Socket;

  constructor(socket: Socket, transport: Transport, highWaterMark: number) {
    this.#socket = socket;
    this.transport = transport;
    this.inbound = new Inbound(this, highWaterMark, transport.external);
    this.outbound = new Outbound(this, highWaterMark, transport.external);
  }

  toString(): string {
    return this.#socket.toString();
  }

  lost(op: string, cause: unknown): Error {
    const what = `${op} on ${this.toString()}`;
    return this.transport.lost?.(what, cause, this.outbound) ?? new ConnectionResetError(what, cause, this.outbound);
  }

  closedError(op: string): Error {
    if (this.upgrade !== undefined && !this.#socket.closed) return this.upgrade.busyError(op);
    const how = this.#socket.closed ? 'is closed' : 'was ended by end()';
    return new ClosedError(`${op} on ${this.toString()}, which ${how}`);
  }

  /** Refuse reads and writes while something else has the connection. */
  suspend(suspended: boolean): void {
    this.inbound.suspend(suspended);
    this.outbound.suspend(suspended);
  }

  /** Go on over `transport`, which carries what ours has carried. */
  adopt(transport: Transport): void {
    this.transport = transport;
    transport.start(this);
  }

  /** Why `op` cannot be done on a side that is not open. */
  refusal(op: string): Error {
    return this.outbound.loss === undefined ? this.closedError(op) : this.lost(op, this.outbound.loss.cause);
  }

  received(bytes: Buffer, length: number, lent: boolean): boolean {
    return (this.diverted ?? this.inbound).received(bytes, length, lent);
  }

  ended(): void {
    this.inbound.end();
    this.#socket.peerEnded();
    this.diverted?.ended();
  }

  taken(): void {
    this.outbound.taken();
    this.diverted?.taken();
  }

  failed(error: unknown): void {
    this.inbound.fail(error);
    this.outbound.fail(error);
    handleClosed(this.#socket);
    this.diverted?.failed(error);
  }

  closed(): void {
    // After an error, or after both sides have ended, both are no-ops.
    if (this.outbound.open) this.outbound.fail(undefined);
    this.inbound.fail(undefined);
    handleClosed(this.#socket);
    this.diverted?.closed();
  }
}
