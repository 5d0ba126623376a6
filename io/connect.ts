// connect.ts: `connect({host, port})`: open a connection, trying every address that the host has.
//
// One indivisible wait: lookup, then one attempt for each address, families taking turns. The next attempt begins when one fails, or 250 ms after the
// last began; the first to succeed wins and the others are destroyed (Happy Eyeballs, RFC 8305; Node's own gives up on an address after
// its 250 ms, ours stays in the race). If the wait is given up everything is destroyed at once; a lookup that is in the thread pool already cannot be
// stopped, so it counts as an orphan until its answer has come and is dropped.
//
// Invariants, while a connection is being made:
//   lookup is defined             implies  no attempt has begun
//   the timer is armed            implies  a lookup runs, or an attempt is under way and another address is left
//   the ticket has been settled   implies  no attempt is under way and the timer is not armed

import { rangeError, typeError } from '../core/bad-argument.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { Waitable, WaitDescription } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { timeout } from '../core/timeout.ts';
import type { Timer } from '../core/timers.ts';
import type { Waiter } from '../core/wait-list.ts';
import {
  type CheckedEndpoint,
  canExist,
  checkEndpoint,
  checkOptions,
  type Endpoint,
  familyOf,
  hostPort,
  own,
  ownCount,
  ownFlag,
  ownMs,
  shownValue,
} from './address.ts';
import { LOOKUP_TIMEOUT_MS, lookupTimedOut } from './dns-lookups.ts';
import { type ConnectAttempt, ConnectError, codeOf, DnsError } from './errors.ts';
import { type Network, networkOf, type Pending, type Resolved, type Target, type TransportOptions } from './network.ts';
import './node-network.ts';
import { DEFAULT_HIGH_WATER_MARK, Socket, type SocketOptions } from './socket.ts';
import type { Transport } from './transport.ts';

/** How long an attempt has the field to itself. Fixed, because Node's own figure depends on its version. */
export const ATTEMPT_DELAY_MS = 250;
const CONNECT_TIMEOUT_MS = 30_000;

export interface ConnectOptions extends SocketOptions {
  /** Give up after so long, lookup included: 30,000 ms by default; Infinity leaves it to the system. */
  readonly timeoutMs?: number | undefined;
  /** Use IPv4 (4) or IPv6 (6) only. */
  readonly family?: 4 | 6 | undefined;
  /** Send small pieces at once: true by default, because writes are gathered already. */
  readonly noDelay?: boolean | undefined;
  /** Probe a silent peer after so long, so that one that has vanished is noticed; Infinity (the default) for never. */
  readonly keepAliveMs?: number | undefined;
  /** The local IP address to connect from. */
  readonly localHost?: string | undefined;
}

/**
 * Connect to a TCP server, or to a Unix socket.
 *
 * Switches. If it throws, nothing is left open. A lookup takes at most 5 s.
 *
 * @throws RangeError or TypeError, at the call, for a bad address or option.
 * @throws ConnectError if no address answers; `attempts` has each one's error. @throws DnsError if the host cannot be resolved.
 * @throws TimeoutError after `timeoutMs`. @throws Killed if the greenlet is killed while it waits.
 * @see https://www.rfc-editor.org/rfc/rfc8305
 */
export function connect(endpoint: Endpoint, options?: ConnectOptions): Waitable<Socket> {
  const where = 'connect';
  const target = checkEndpoint(endpoint, where);
  const given = checkOptions(options, where);
  const family = own<unknown>(given, 'family');
  if (family !== undefined && family !== 4 && family !== 6) {
    throw rangeError(`connect: family must be 4 or 6, not ${shownValue(family)}`);
  }
  const wait = new ConnectWait(target, {
    family: family ?? 0,
    transport: transportOptions(given, where),
    highWaterMark: ownCount(given, 'highWaterMark', DEFAULT_HIGH_WATER_MARK, 1, where),
    halfOpen: ownFlag(given, 'halfOpen', true, where),
  });
  const timeoutMs = ownMs(given, 'timeoutMs', CONNECT_TIMEOUT_MS, where);
  return timeoutMs === Number.POSITIVE_INFINITY ? wait : timeout(timeoutMs, wait);
}

/** The options that go to the host. */
export function transportOptions(given: object, where: string): TransportOptions {
  const localHost = own<unknown>(given, 'localHost');
  if (localHost !== undefined && (typeof localHost !== 'string' || familyOf(localHost) === 0)) {
    throw typeError(`${where}: localHost must be an IP address, not ${shownValue(localHost)}`);
  }
  return {
    noDelay: ownFlag(given, 'noDelay', true, where),
    keepAliveMs: ownMs(given, 'keepAliveMs', Number.POSITIVE_INFINITY, where),
    localHost,
  };
}

interface Settings {
  readonly family: number;
  readonly transport: TransportOptions;
  readonly highWaterMark: number;
  readonly halfOpen: boolean;
}

class ConnectWait extends ExternalWait<Socket> {
  readonly target: CheckedEndpoint;
  readonly settings: Settings;

  constructor(target: CheckedEndpoint, settings: Settings) {
    super();
    this.target = target;
    this.settings = settings;
  }

  override look(): boolean {
    const { target } = this;
    // Asking a resolver would only cost time, and some of them hang on such names.
    if (
      target.path === undefined &&
      target.host !== undefined &&
      familyOf(target.host) === 0 &&
      !canExist(target.host)
    ) {
      throw new DnsError(target.host, 'ENOTFOUND');
    }
    return false;
  }

  protected override counted(waiter: Waiter): boolean {
    return networkOf(waiter.owner().scope.scheduler).external;
  }

  protected begin(ticket: Ticket<Socket>): void {
    new Connecting(this, ticket, requireScheduler()).begin();
  }

  describe(): WaitDescription {
    return { op: `connect to ${peerOf(this.target)}` };
  }
}

function peerOf(target: CheckedEndpoint): string {
  return target.path ?? hostPort(target.host ?? 'localhost', target.port);
}

/** One connection in the making. */
class Connecting implements Timer {
  order = 0;
  slot = -1;
  readonly #wait: ConnectWait;
  readonly #ticket: Ticket<Socket>;
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  readonly #left: Target[] = [];
  readonly #underWay = new Set<Pending>();
  readonly #failed: ConnectAttempt[] = [];
  #lookup: Pending | undefined = undefined;

  constructor(wait: ConnectWait, ticket: Ticket<Socket>, scheduler: Scheduler) {
    this.#wait = wait;
    this.#ticket = ticket;
    this.#scheduler = scheduler;
    this.#network = networkOf(scheduler);
    ticket.onRetract = () => this.#giveUp();
  }

  begin(): void {
    const { target, settings } = this.#wait;
    if (target.path !== undefined) {
      this.#try([target]);
      return;
    }
    const { host = 'localhost', port } = target;
    const family = familyOf(host);
    if (family !== 0) {
      this.#try([{ path: undefined, host, port, family }]);
      return;
    }
    this.#arm(LOOKUP_TIMEOUT_MS);
    this.#lookup = this.#network.lookup(
      host,
      settings.family,
      (error, addresses) => this.#resolved(host, port, error, addresses),
      () => this.#ticket.withdraw(),
    );
  }

  #resolved(host: string, port: number, error: unknown, addresses: readonly Resolved[]): void {
    this.#lookup = undefined;
    this.#disarm();
    if (error !== undefined || addresses.length === 0) {
      this.#ticket.rejectWith(() => new DnsError(host, codeOf(error) ?? 'ENOTFOUND', error));
      return;
    }
    const targets = addresses.map(({ address, family }) => ({ path: undefined, host: address, port, family }));
    this.#try(takingTurns(targets));
  }

  #try(targets: readonly Target[]): void {
    this.#left.push(...targets);
    this.#next();
  }

  /** Begin the next attempt. */
  #next(): void {
    const target = this.#left.shift() as Target;
    const address = target.path ?? hostPort(target.host, target.port);
    const attempt = this.#network.connect(target, this.#wait.settings.transport, (error, transport) => {
      this.#underWay.delete(attempt);
      if (transport === undefined) this.#attemptFailed(address, error);
      else this.#connected(transport);
    });
    this.#underWay.add(attempt);
    if (this.#left.length > 0) this.#arm(ATTEMPT_DELAY_MS);
  }

  #attemptFailed(address: string, error: unknown): void {
    this.#failed.push({ address, code: codeOf(error) ?? 'ERR_CONNECT', error });
    if (this.#left.length > 0) {
      this.#disarm();
      this.#next();
    } else if (this.#underWay.size === 0) {
      this.#ticket.rejectWith(() => new ConnectError(peerOf(this.#wait.target), this.#failed));
    }
  }

  #connected(transport: Transport): void {
    this.#stop();
    const { highWaterMark, halfOpen } = this.#wait.settings;
    const socket = new Socket(transport, highWaterMark, halfOpen);
    socket.peerName = this.#wait.target.path === undefined ? (this.#wait.target.host ?? 'localhost') : undefined;
    this.#ticket.resolve(socket);
  }

  /** The timer: the resolver is silent, or it is time for another address. */
  due(): void {
    const { target } = this.#wait;
    if (this.#lookup === undefined) {
      this.#next();
    } else if (target.path === undefined) {
      // The ticket is settled with the error: what the resolver may still say is of no interest, and no orphan of a wait.
      const error = lookupTimedOut(target.host ?? 'localhost', LOOKUP_TIMEOUT_MS, this.#network);
      this.#lookup.cancel();
      this.#lookup = undefined;
      this.#ticket.rejectWith(error);
    }
  }

  #giveUp(): void {
    const lookup = this.#lookup;
    this.#stop();
    if (lookup === undefined || lookup.cancel()) this.#ticket.withdraw();
  }

  #stop(): void {
    this.#disarm();
    this.#lookup = undefined;
    this.#left.length = 0;
    for (const attempt of this.#underWay) attempt.cancel();
    this.#underWay.clear();
  }

  #arm(delayMs: number): void {
    this.#scheduler.sleepers.arm(this, delayMs);
    this.#scheduler.timersChanged();
  }

  #disarm(): void {
    if (this.slot === -1) return;
    this.#scheduler.sleepers.cancel(this);
    this.#scheduler.timersChanged();
  }
}

/** The same targets, families taking turns, beginning with the resolver's first choice. */
function takingTurns(targets: readonly (Target & { readonly family: number })[]): Target[] {
  const first = targets[0]?.family;
  const preferred = targets.filter(({ family }) => family === first);
  const others = targets.filter(({ family }) => family !== first);
  const order: Target[] = [];
  for (let i = 0; i < Math.max(preferred.length, others.length); i += 1) {
    for (const target of [preferred[i], others[i]]) if (target !== undefined) order.push(target);
  }
  return order;
}
