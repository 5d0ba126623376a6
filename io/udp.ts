// udp.ts: `udp({host, port, remote})`: a socket that sends and receives datagrams.
//
// One indivisible wait: names are looked up, then the address is bound, then it is connected if it is to have one peer.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { UsageError } from '../core/errors.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { Waitable, WaitDescription } from '../core/op.ts';
import type { Waiter } from '../core/wait-list.ts';
import {
  Address,
  canExist,
  checkHost,
  checkOptions,
  checkPort,
  familyOf,
  hostPort,
  own,
  ownCount,
  ownFlag,
  ownText,
  shownValue,
} from './address.ts';
import { type DatagramPeer, DatagramSocket } from './datagram-socket.ts';
import { codeOf, DatagramError, DnsError } from './errors.ts';
import { type DatagramOptions, type Network, networkOf } from './network.ts';
import './node-network.ts';

const DEFAULT_MAX_PENDING = 1024;

/** Where to receive: every address and a free port if nothing is given. */
export interface UdpEndpoint {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** The one peer to send to and hear from: a connected socket, whose `send` takes no address. */
  readonly remote?: DatagramPeer | undefined;
}

export interface UdpOptions {
  /** IPv4 (4) or IPv6 (6), where the addresses do not say so already: 4 by default. */
  readonly family?: 4 | 6 | undefined;
  /** How many datagrams may wait for receive() before further ones are dropped: 1,024 by default. */
  readonly maxPending?: number | undefined;
  /** Allow sending to a broadcast address: false by default. */
  readonly broadcast?: boolean | undefined;
  /** Let other sockets that ask for it too bind the same address: for several receivers of one multicast group. False by default. */
  readonly reuseAddress?: boolean | undefined;
  /** How many routers a datagram may pass, 1 to 255; and one to a group, 0 to 255. What the system says by default (64 and 1, mostly). */
  readonly ttl?: number | undefined;
  readonly multicastTtl?: number | undefined;
  /** Do sockets of this host hear what this one sends to a group? What the system says by default (yes, mostly). */
  readonly multicastLoopback?: boolean | undefined;
  /** The address of the interface by which datagrams to a group leave; the system chooses by default. */
  readonly multicastInterface?: string | undefined;
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
    throw typeError(`udp takes {host, port, remote}, not ${shownValue(endpoint)}`);
  const given = checkOptions(options, where);
  const family = own<unknown>(given, 'family');
  if (family !== undefined && family !== 4 && family !== 6)
    throw rangeError(`udp: family must be 4 or 6, not ${shownValue(family)}`);
  const remote = checkRemote(own<unknown>(endpoint ?? {}, 'remote'), where);
  const host = own<unknown>(endpoint ?? {}, 'host');
  const wanted = family ?? (remote === undefined ? 0 : familyOf(remote.host));
  const name = host === undefined ? (wanted === 6 ? '::' : '0.0.0.0') : checkHost(host, where);
  for (const address of [name, remote?.host ?? name]) {
    if (family !== undefined && familyOf(address) !== 0 && familyOf(address) !== family)
      throw rangeError(`udp: ${address} is no IPv${family} address`);
  }
  if (remote !== undefined && familyOf(name) * familyOf(remote.host) === 24)
    throw rangeError(`udp: ${name} and ${remote.host} are of different families`);
  return new UdpWait({
    host: name,
    port: checkPort(own<unknown>(endpoint ?? {}, 'port') ?? 0, where),
    remote,
    family: family ?? (familyOf(name) || 4),
    maxPending: ownCount(given, 'maxPending', DEFAULT_MAX_PENDING, 1, where),
    options: checkDatagramOptions(given, where),
  });
}

function checkRemote(remote: unknown, where: string): DatagramPeer | undefined {
  if (remote === undefined) return undefined;
  if (typeof remote !== 'object' || remote === null)
    throw typeError(`${where}: remote must be {host, port}, not ${shownValue(remote)}`);
  const port = checkPort(own<unknown>(remote, 'port'), where);
  if (port === 0) throw rangeError(`${where}: port 0 of remote is nobody's`, 'ERR_SOCKET_BAD_PORT');
  return { host: checkHost(own<unknown>(remote, 'host'), where), port };
}

function checkDatagramOptions(given: object, where: string): DatagramOptions | undefined {
  const flag = (key: string): boolean | undefined =>
    own<unknown>(given, key) === undefined ? undefined : ownFlag(given, key, false, where);
  const hops = (key: string, least: number): number | undefined => {
    if (own<unknown>(given, key) === undefined) return undefined;
    const count = ownCount(given, key, 0, least, where);
    if (count > 255) throw rangeError(`${where}: ${key} must be an integer from ${least} to 255, not ${count}`);
    return count;
  };
  const multicastInterface = ownText(given, 'multicastInterface', where);
  if (multicastInterface !== undefined && familyOf(multicastInterface) === 0)
    throw typeError(`${where}: multicastInterface must be an IP address, not ${shownValue(multicastInterface)}`);
  const options: DatagramOptions = {
    broadcast: flag('broadcast'),
    reuseAddress: flag('reuseAddress'),
    ttl: hops('ttl', 1),
    multicastTtl: hops('multicastTtl', 0),
    multicastLoopback: flag('multicastLoopback'),
    multicastInterface,
  };
  return Object.values(options).some((value) => value !== undefined) ? options : undefined;
}

interface Settings {
  readonly host: string;
  readonly port: number;
  readonly remote: DatagramPeer | undefined;
  readonly family: number;
  readonly maxPending: number;
  readonly options: DatagramOptions | undefined;
}

class UdpWait extends ExternalWait<DatagramSocket> {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    super();
    this.#settings = settings;
  }

  protected override counted(waiter: Waiter): boolean {
    return networkOf(waiter.owner().scope.scheduler).external;
  }

  protected begin(ticket: Ticket<DatagramSocket>): void {
    const network = networkOf(requireScheduler());
    const { host, remote, options } = this.#settings;
    if (network.bind === undefined) throw new UsageError('udp: the network of this simulation has no datagrams');
    if (!network.external && options !== undefined)
      throw new UsageError('udp: a simulated network knows no options of datagrams; test them on real sockets');
    for (const name of [host, remote?.host ?? host]) {
      if (familyOf(name) === 0 && !canExist(name)) throw new DnsError(name, 'ENOTFOUND');
    }
    this.#resolve(ticket, network, host, (address) => {
      if (remote === undefined) this.#bind(ticket, network, address, undefined);
      else
        this.#resolve(ticket, network, remote.host, (peer) =>
          this.#bind(ticket, network, address, new Address(peer, remote.port)),
        );
    });
  }

  /** Call `then` with the address of `name`: at once if it is one. */
  #resolve(ticket: Ticket<DatagramSocket>, network: Network, name: string, then: (address: string) => void): void {
    if (familyOf(name) !== 0) {
      then(name);
      return;
    }
    const asked = network.lookup(
      name,
      this.#settings.family,
      (error, [first]) => {
        if (first === undefined) ticket.rejectWith(() => new DnsError(name, codeOf(error) ?? 'ENOTFOUND', error));
        else then(first.address);
      },
      () => ticket.withdraw(),
    );
    ticket.onRetract = () => {
      if (asked.cancel()) ticket.withdraw();
    };
  }

  #bind(ticket: Ticket<DatagramSocket>, network: Network, host: string, remote: Address | undefined): void {
    const { port, maxPending, options } = this.#settings;
    let socket: DatagramSocket | undefined;
    const what = this.#name();
    const binding = network.bind?.(
      { host, port, remote, options },
      {
        bound: (handle) => {
          socket = new DatagramSocket(handle, network, maxPending, remote);
          ticket.resolve(socket);
        },
        failed(error) {
          if (socket === undefined)
            ticket.rejectWith(() => new DatagramError(what, codeOf(error) ?? 'ERR_DATAGRAM', error));
          else socket.receiveFailed(error);
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

  #name(): string {
    const { host, port, remote } = this.#settings;
    return `udp on ${hostPort(host, port)}${remote === undefined ? '' : ` to ${hostPort(remote.host, remote.port)}`}`;
  }

  describe(): WaitDescription {
    const { host, port } = this.#settings;
    return { op: 'udp', object: hostPort(host, port) };
  }
}
