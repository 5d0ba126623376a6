// datagram-send.ts: sending one datagram: its name is looked up if it has one, then the host is given it.
//
// It is done when the operating system has the datagram, which also holds back who sends faster than that. A kill in between cannot take it back: the
// answer of the system is an orphan then.
//
// Invariant: `#waiting` holds the tickets of those who wait here; after close() there are none.

import type { ClosedError } from '../core/errors.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import type { WaitDescription } from '../core/op.ts';
import { canExist, familyOf, hostPort } from './address.ts';
import { codeOf, DatagramError, DnsError } from './errors.ts';
import type { DatagramHandle, Network } from './network.ts';

/** What sending needs to know of its socket. */
interface Sender {
  readonly closed: boolean;
  readonly stats: { sent: number };
  closedError(op: string): ClosedError;
  /** The error that nobody has been told yet, if there is one. */
  takeFailure(op: string): Error | undefined;
  toString(): string;
}

/** The sending side of a datagram socket. */
export class Outgoing {
  readonly sender: Sender;
  readonly #handle: DatagramHandle;
  readonly network: Network;
  readonly #waiting: Set<Ticket<void>> = new Set();

  constructor(sender: Sender, handle: DatagramHandle, network: Network) {
    this.sender = sender;
    this.#handle = handle;
    this.network = network;
  }

  /** Begin; `ticket` is settled when the datagram has left. */
  begin(ticket: Ticket<void>, { bytes, host, port }: Send): void {
    if (this.sender.closed) throw this.sender.closedError('send');
    const failure = this.sender.takeFailure('send');
    if (failure !== undefined) throw failure;
    if (familyOf(host) !== 0) {
      this.#send(ticket, bytes, host, host, port);
      return;
    }
    if (!canExist(host)) throw new DnsError(host, 'ENOTFOUND');
    this.#waiting.add(ticket);
    const asked = this.network.lookup(
      host,
      this.#family,
      (error, [first]) => {
        if (!this.#waiting.delete(ticket)) return;
        if (first === undefined) ticket.rejectWith(() => new DnsError(host, codeOf(error) ?? 'ENOTFOUND', error));
        else this.#send(ticket, bytes, host, first.address, port);
      },
      () => ticket.withdraw(),
    );
    ticket.onRetract = () => {
      this.#waiting.delete(ticket);
      if (asked.cancel()) ticket.withdraw();
    };
  }

  #send(ticket: Ticket<void>, bytes: Uint8Array, name: string, address: string, port: number): void {
    const what = (): string => `send to ${hostPort(name, port)} on ${this.sender.toString()}`;
    if (familyOf(address) !== this.#family) {
      ticket.rejectWith(() => new DatagramError(what(), 'EAFNOSUPPORT'));
      return;
    }
    ticket.onRetract = undefined;
    this.#waiting.add(ticket);
    this.#handle.send(bytes, address, port, (error) => {
      this.#waiting.delete(ticket);
      if (error !== undefined) {
        ticket.rejectWith(() => new DatagramError(what(), codeOf(error) ?? 'ERR_DATAGRAM', error));
        return;
      }
      this.sender.stats.sent += 1;
      ticket.resolve();
    });
  }

  get #family(): number {
    return familyOf(this.#handle.address.host);
  }

  /** The socket is closed: who waits is told. */
  close(): void {
    for (const ticket of this.#waiting) ticket.rejectWith(() => this.sender.closedError('send'));
    this.#waiting.clear();
  }
}

export class Send extends ExternalWait<void> {
  readonly bytes: Uint8Array;
  readonly host: string;
  readonly port: number;
  readonly #outgoing: Outgoing;

  constructor(outgoing: Outgoing, bytes: Uint8Array, host: string, port: number) {
    super();
    this.#outgoing = outgoing;
    this.bytes = bytes;
    this.host = host;
    this.port = port;
  }

  protected override counted(): boolean {
    return this.#outgoing.network.external;
  }

  protected begin(ticket: Ticket<void>): void {
    this.#outgoing.begin(ticket, this);
  }

  describe(): WaitDescription {
    return { op: `send to ${hostPort(this.host, this.port)}`, object: this.#outgoing.sender.toString() };
  }
}
