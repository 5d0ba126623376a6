// datagram-socket.ts: a UDP socket: datagrams go out one by one and come in one by one, whole or not at all.
//
// What comes waits here until somebody receives it; beyond `maxPending` the newest is dropped and counted, as the operating system does. Several
// receivers are served in order.
//
// A connected socket has one peer: it sends to nobody else and hears nobody else. That the peer's port is closed comes back as an error (ECONNREFUSED),
// which the next receive or send throws, once, as in POSIX.
//
// Invariants, between any two steps:
//   a receiver waits   implies  nothing is pending
//   closed             implies  nobody waits and nothing is pending
//   a failure is kept  implies  the socket is connected and no receiver waits
//   the registry of handles has this socket  if and only if  it is open
// Sources: gevent's DatagramServer, trio's socket.recvfrom (names), Go's net.UDPConn.

/// <reference lib="esnext.disposable" preserve="true" />

import { typeError } from '../core/bad-argument.ts';
import { ClosedError, UsageError } from '../core/errors.ts';
import { Fifo } from '../core/fifo.ts';
import { readyResult } from '../core/kernel.ts';
import type { Waitable, WaitDescription } from '../core/op.ts';
import { LAZY } from '../core/status.ts';
import { Wait } from '../core/wait.ts';
import { type Waiter, WaitList } from '../core/wait-list.ts';
import { type Address, checkHost, checkPort, familyOf, own, shownValue } from './address.ts';
import { Outgoing, Send } from './datagram-send.ts';
import { codeOf, DatagramError } from './errors.ts';
import { handleClosed, handleOpened } from './handles.ts';
import type { DatagramHandle, Network } from './network.ts';

/** One datagram that has come. The bytes are yours. */
export interface Datagram {
  readonly bytes: Buffer;
  readonly from: Address;
}

/** Where a datagram goes: an IP address or a name, and a port. An Address is one too. */
export interface DatagramPeer {
  readonly host: string;
  readonly port: number;
}

/** What a datagram socket has counted. */
export interface DatagramStats {
  /** Datagrams handed to the operating system, and those handed to receive(). */
  sent: number;
  received: number;
  /** Datagrams that came when too many waited already. */
  dropped: number;
  /** Errors of receiving, which end nothing. */
  receiveErrors: number;
}

/** A UDP socket. `udp()` makes them. */
export class DatagramSocket {
  /** Where it receives; `port` is the real one. Valid also after close(). */
  readonly localAddress: Address;
  readonly stats: DatagramStats = { sent: 0, received: 0, dropped: 0, receiveErrors: 0 };
  readonly #handle: DatagramHandle;
  readonly #maxPending: number;
  readonly #pending: Fifo<Datagram> = new Fifo();
  readonly #receivers: WaitList = new WaitList();
  readonly #receive: Receive;
  readonly #outgoing: Outgoing;
  /** The only peer, of a connected socket. */
  readonly remoteAddress: Address | undefined;
  #closed = false;
  /** Closed for receiving. */
  #deaf = false;
  #failure: { readonly error: unknown } | undefined = undefined;

  /** @internal: udp() makes them. */
  constructor(handle: DatagramHandle, network: Network, maxPending: number, remote?: Address) {
    this.remoteAddress = handle.remote ?? remote;
    this.#handle = handle;
    this.#outgoing = new Outgoing(this, handle, network);
    this.#maxPending = maxPending;
    this.localAddress = handle.address;
    this.#receive = new Receive(this, this.#receivers, network.external);
    handleOpened('datagram socket', this);
  }

  /** True after close(). */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many datagrams have come and wait to be received. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Send `bytes` as one datagram; to its peer if the socket is connected. Nothing says whether it arrives.
   *
   * Switches until the operating system has it; do not change the bytes before. A name is looked up each time. If it throws anything but Killed, nothing
   * was sent; if it is killed, it may have been.
   *
   * @throws TypeError for anything but bytes or a string, or a bad host; RangeError for a bad port; UsageError for `to` on a connected socket.
   * @throws DatagramError with Node's code: EMSGSIZE, EAFNOSUPPORT (an address of the other family), ENETUNREACH, ..., ECONNREFUSED if the connected peer has
   * refused an earlier one. @throws DnsError if the name cannot be resolved. @throws ClosedError after close(), or when it is
   * called while we wait. @throws Killed if the greenlet is killed while it waits.
   * @see https://nodejs.org/api/dgram.html#socketsendmsg-offset-length-port-address-callback
   */
  send(bytes: Uint8Array | string, to?: DatagramPeer): Waitable<void> {
    if (typeof bytes !== 'string' && !(bytes instanceof Uint8Array))
      throw typeError(`send takes bytes or a string, not ${shownValue(bytes)}`);
    const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const peer = this.remoteAddress;
    if (peer !== undefined) {
      if (to !== undefined)
        throw new UsageError(
          `send on ${this.toString()}: it has one peer, so send takes no address; open another one with udp()`,
        );
      return new Send(this.#outgoing, data, peer.host, peer.port);
    }
    if (typeof to !== 'object' || to === null) throw typeError(`send takes {host, port}, not ${shownValue(to)}`);
    const port = checkPort(own<unknown>(to, 'port'), 'send');
    const host = checkHost(own<unknown>(to, 'host'), 'send');
    return new Send(this.#outgoing, data, host, port);
  }

  /**
   * Receive what is sent to the multicast group `group` from now on, on the interface with the address `onInterface`, or on what the system chooses. Never
   * switches. Several sockets of one host can share a group and port if all of them are opened with `reuseAddress`.
   *
   * @throws TypeError for anything but IP addresses. @throws DatagramError with Node's code: EINVAL (no multicast address), ENODEV (no such interface), EADDRINUSE
   * (it has joined). @throws ClosedError after close(). @throws UsageError if the network has no groups: that of a simulation.
   * @see https://nodejs.org/api/dgram.html#socketaddmembershipmulticastaddress-multicastinterface
   */
  joinGroup(group: string, onInterface?: string): void {
    this.#member('joinGroup', group, onInterface);
  }

  /** Leave a group. Never switches; close() leaves them all. @throws as `joinGroup`; EADDRNOTAVAIL if it has not joined. */
  leaveGroup(group: string, onInterface?: string): void {
    this.#member('leaveGroup', group, onInterface);
  }

  #member(op: 'joinGroup' | 'leaveGroup', group: string, onInterface: string | undefined): void {
    checkAddress(group, 'the group', op);
    if (onInterface !== undefined) checkAddress(onInterface, 'the interface', op);
    if (this.#closed) throw this.closedError(op);
    const handle = this.#handle;
    if (handle.join === undefined || handle.leave === undefined)
      throw new UsageError(
        `${op} on ${this.toString()}: this network has no multicast groups; test it on real sockets`,
      );
    try {
      if (op === 'joinGroup') handle.join(group, onInterface);
      else handle.leave(group, onInterface);
    } catch (error) {
      throw new DatagramError(`${op} ${group} on ${this.toString()}`, codeOf(error) ?? 'ERR_DATAGRAM', error);
    }
  }

  /**
   * Receive the oldest datagram that has come.
   *
   * Switches only if there is none. If it throws, none was taken.
   *
   * @throws DatagramError ECONNREFUSED if the socket is connected and its peer has refused what was sent.
   * @throws ClosedError after close(), or when it is called while we wait. @throws Killed if the greenlet is killed while it waits.
   */
  receive(): Waitable<Datagram> {
    return this.#receive;
  }

  /** Receive nothing more, now or ever: who waits gets ClosedError, what has come or comes is dropped. Sending goes on. @internal */
  stopReceiving(): void {
    this.#deaf = true;
    while (this.#pending.size > 0) this.#pending.shift();
    this.#refuseReceivers();
  }

  #refuseReceivers(): void {
    for (let { head } = this.#receivers; head !== undefined; head = this.#receivers.head) {
      this.#receive.retract(head);
      head.fire(() => this.closedError('receive'), LAZY);
    }
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Close, at once: who waits gets ClosedError, what has come is dropped. Never switches; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#handle.close();
    this.handleGone();
  }

  /** The handle is closed, or gone by itself. @internal */
  handleGone(): void {
    if (this.#closed) return;
    this.#closed = true;
    handleClosed(this);
    while (this.#pending.size > 0) this.#pending.shift();
    this.#outgoing.close();
    this.#refuseReceivers();
  }

  /** A datagram has come. @internal */
  arrived(datagram: Datagram): void {
    const receiver = this.#receivers.head;
    if (this.#closed || this.#deaf) return;
    const peer = this.remoteAddress;
    // Of a stranger: it came before the system had connected the socket, or the network leaves that to us.
    if (peer !== undefined && (datagram.from.port !== peer.port || datagram.from.host !== peer.host)) return;
    if (receiver !== undefined) {
      this.#receive.retract(receiver);
      this.stats.received += 1;
      receiver.fire(datagram, 0);
    } else if (this.#pending.size < this.#maxPending) {
      this.#pending.push(datagram);
    } else {
      this.stats.dropped += 1;
    }
  }

  /** Something could not be received. Of a connected socket it is the peer's answer to what was sent. @internal */
  receiveFailed(error: unknown): void {
    if (this.#closed) return;
    this.stats.receiveErrors += 1;
    if (this.remoteAddress === undefined) return;
    const receiver = this.#receivers.head;
    if (receiver === undefined) {
      this.#failure = { error };
      return;
    }
    this.#receive.retract(receiver);
    receiver.fire(() => this.#failed('receive', error), LAZY);
  }

  /** @internal */
  takeFailure(op: string): Error | undefined {
    const failure = this.#failure;
    if (failure === undefined) return undefined;
    this.#failure = undefined;
    return this.#failed(op, failure.error);
  }

  #failed(op: string, error: unknown): DatagramError {
    return new DatagramError(`${op} on ${this.toString()}`, codeOf(error) ?? 'ERR_DATAGRAM', error);
  }

  /** @internal */
  take(): Datagram | undefined {
    if (this.#closed || this.#deaf) throw this.closedError('receive');
    if (this.#pending.size === 0) {
      const failure = this.takeFailure('receive');
      if (failure !== undefined) throw failure;
      return undefined;
    }
    this.stats.received += 1;
    return this.#pending.shift();
  }

  /** @internal */
  closedError(op: string): ClosedError {
    return new ClosedError(`${op} on ${this.toString()}, which is closed`);
  }

  /** `datagram socket 127.0.0.1:5353`. */
  toString(): string {
    const peer = this.remoteAddress;
    return `datagram socket ${this.localAddress}${peer === undefined ? '' : ` -> ${peer}`}`;
  }
}

function checkAddress(address: unknown, what: string, where: string): void {
  if (typeof address !== 'string' || familyOf(address) === 0)
    throw typeError(`${where}: ${what} must be an IP address, not ${shownValue(address)}`);
}

class Receive extends Wait<Datagram> {
  readonly #socket: DatagramSocket;
  readonly #receivers: WaitList;
  readonly #external: boolean;

  constructor(socket: DatagramSocket, receivers: WaitList, external: boolean) {
    super();
    this.#socket = socket;
    this.#receivers = receivers;
    this.#external = external;
  }

  look(): boolean {
    const datagram = this.#socket.take();
    if (datagram === undefined) return false;
    readyResult.value = datagram;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#receivers.push(waiter);
    if (this.#external) waiter.owner().scope.scheduler.externalStarted();
  }
  retract(waiter: Waiter): void {
    this.#receivers.remove(waiter);
    if (this.#external) waiter.owner().scope.scheduler.externalEnded();
  }
  describe(): WaitDescription {
    return { op: 'receive', object: this.#socket.toString() };
  }
}
