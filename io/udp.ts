// udp.ts: `udp({host, port})`: a socket that sends and receives datagrams.
//
// One indivisible wait: a name is looked up, then the address is bound. Not in here: multicast, broadcast and connected sockets.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { UsageError } from '../core/errors.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { Waitable, WaitDescription } from '../core/op.ts';
import type { Waiter } from '../core/wait-list.ts';
import {
  canExist,
  checkHost,
  checkOptions,
  checkPort,
  familyOf,
  hostPort,
  own,
  ownCount,
  shownValue,
} from './address.ts';
import { DatagramSocket } from './datagram-socket.ts';
import { codeOf, DatagramError, DnsError } from './errors.ts';
import { type Network, networkOf } from './network.ts';
import './node-network.ts';

const DEFAULT_MAX_PENDING = 1024;

/** Where to receive: every address and a free port if nothing is given. */
export interface UdpEndpoint {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}

export interface UdpOptions {
  /** IPv4 (4) or IPv6 (6), where `host` does not say so already: 4 by default. */
  readonly family?: 4 | 6 | undefined;
  /** How many datagrams may wait for receive() before further ones are dropped: 1,024 by default. */
  readonly maxPending?: number | undefined;
}

/**
 * Open a UDP socket. Without an endpoint it takes a free port on every address, which is what a client needs.
 *
 * Switches. If it throws, nothing is left open.
 *
 * @throws RangeError or TypeError, at the call, for a bad address or option. @throws DatagramError with Node's code: EADDRINUSE, EACCES, EADDRNOTAVAIL, ...
 * @throws DnsError if `host` is a name that cannot be resolved. @throws UsageError if the network of a simulation has no datagrams.
 * @throws Killed if the greenlet is killed while it waits.
 * @see https://nodejs.org/api/dgram.html
 */
export function udp(endpoint?: UdpEndpoint, options?: UdpOptions): Waitable<DatagramSocket> {
  const where = 'udp';
  if (endpoint !== undefined && (typeof endpoint !== 'object' || endpoint === null))
    throw typeError(`udp takes {host, port}, not ${shownValue(endpoint)}`);
  const given = checkOptions(options, where);
  const family = own<unknown>(given, 'family');
  if (family !== undefined && family !== 4 && family !== 6)
    throw rangeError(`udp: family must be 4 or 6, not ${shownValue(family)}`);
  const host = own<unknown>(endpoint ?? {}, 'host');
  const name = host === undefined ? (family === 6 ? '::' : '0.0.0.0') : checkHost(host, where);
  if (family !== undefined && familyOf(name) !== 0 && familyOf(name) !== family)
    throw rangeError(`udp: ${name} is no IPv${family} address`);
  const port = checkPort(own<unknown>(endpoint ?? {}, 'port') ?? 0, where);
  return new UdpWait(name, port, family ?? 4, ownCount(given, 'maxPending', DEFAULT_MAX_PENDING, 1, where));
}

class UdpWait extends ExternalWait<DatagramSocket> {
  readonly #host: string;
  readonly #port: number;
  readonly #family: number;
  readonly #maxPending: number;

  constructor(host: string, port: number, family: number, maxPending: number) {
    super();
    this.#host = host;
    this.#port = port;
    this.#family = family;
    this.#maxPending = maxPending;
  }

  protected override counted(waiter: Waiter): boolean {
    return networkOf(waiter.owner().scope.scheduler).external;
  }

  protected begin(ticket: Ticket<DatagramSocket>): void {
    const network = networkOf(requireScheduler());
    if (network.bind === undefined) throw new UsageError('udp: the network of this simulation has no datagrams');
    const host = this.#host;
    if (familyOf(host) !== 0) {
      this.#bind(ticket, network, host);
      return;
    }
    if (!canExist(host)) throw new DnsError(host, 'ENOTFOUND');
    const asked = network.lookup(
      host,
      this.#family,
      (error, addresses) => {
        const [first] = addresses;
        if (first === undefined) ticket.rejectWith(() => new DnsError(host, codeOf(error) ?? 'ENOTFOUND', error));
        else this.#bind(ticket, network, first.address);
      },
      () => ticket.withdraw(),
    );
    ticket.onRetract = () => {
      if (asked.cancel()) ticket.withdraw();
    };
  }

  #bind(ticket: Ticket<DatagramSocket>, network: Network, host: string): void {
    let socket: DatagramSocket | undefined;
    const what = `udp on ${hostPort(this.#host, this.#port)}`;
    const binding = network.bind?.(
      { host, port: this.#port },
      {
        bound: (handle) => {
          socket = new DatagramSocket(handle, network, this.#maxPending);
          ticket.resolve(socket);
        },
        failed(error) {
          if (socket === undefined)
            ticket.rejectWith(() => new DatagramError(what, codeOf(error) ?? 'ERR_DATAGRAM', error));
          else socket.stats.receiveErrors += 1;
        },
        received: (bytes, from) => socket?.arrived({ bytes, from }),
        closed: () => {
          if (socket === undefined) ticket.rejectWith(() => new DatagramError(what, 'ENETDOWN'));
          else socket.handleGone();
        },
      },
    );
    ticket.onRetract = () => {
      binding?.cancel();
      ticket.withdraw();
    };
  }

  describe(): WaitDescription {
    return { op: 'udp', object: hostPort(this.#host, this.#port) };
  }
}
