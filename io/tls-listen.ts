// tls-listen.ts: `listenTls(...)`: a listener whose accept() gives connections after their handshake.
//
// Handshakes go on side by side, each with a limit in time of its own, so a client that is silent or slow holds up nobody. At the limit the connection is
// really closed: Node's own server only tells of it and keeps it for ever. So many go on at once; beyond that the oldest is given up, because an honest
// client is done in a moment, and those that only wait are the oldest soon.
//
// A handshake that fails is no news for a server: it is counted (`listener.stats.tlsErrors`) and told to `onTlsError`, once each.
//
// Invariants, between any two steps:
//   underWay holds the handshakes whose connection is open, the oldest first; each of them is in the registry and has its timer armed, or no limit
//   the listener is closed  implies  underWay is empty

import { typeError } from '../core/bad-argument.ts';
import type { Waitable } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';
import { type Address, checkOptions, type Endpoint, own, ownCount, shownValue } from './address.ts';
import { handleClosed, handleOpened } from './handles.ts';
import { type Gate, type Listener, type ListenOptions, listenThrough } from './listen.ts';
import type { Pending } from './network.ts';
import { TlsError } from './tls-errors.ts';
import { beginTls } from './tls-handshake.ts';
import { checkTlsServer, type TlsServer, type TlsServerOptions } from './tls-server-options.ts';
import type { Transport } from './transport.ts';

const MAX_HANDSHAKES = 2_048;

/** Told of a handshake that failed: why, and whose it was. */
export type OnTlsError = (error: TlsError, peer: Address) => void;

export interface ListenTlsOptions extends ListenOptions, TlsServerOptions {
  /** How many handshakes go on at once; beyond that the oldest is given up: 2,048 by default. */
  readonly maxHandshakes?: number | undefined;
  /** Called for each handshake that fails, between turns; what it throws goes to the hub's `error` event. They are counted in any case. */
  readonly onTlsError?: OnTlsError | undefined;
}

/**
 * Listen for TLS connections on a TCP port (0 takes a free one), or on the path of a Unix socket, as the server whose certificate is in {cert, key}.
 *
 * Switches. accept() gives connections whose handshake is over, in the order in which those end; `serve` works as over `listen`. If it throws, nothing is left open.
 *
 * @throws TypeError or RangeError, at the call, for a bad address or option. @throws TlsError, at the call, for PEM that is none, a key of another
 * certificate, an unknown cipher. @throws ListenError with Node's code, as `listen`. @throws Killed if the greenlet is killed while it waits.
 * @see https://nodejs.org/api/tls.html#tlscreateserveroptions-secureconnectionlistener
 */
export function listenTls(endpoint: Endpoint, options: ListenTlsOptions): Waitable<Listener> {
  const where = 'listenTls';
  const given = checkOptions(options, where);
  const server = checkTlsServer(given, where);
  const most = ownCount(given, 'maxHandshakes', MAX_HANDSHAKES, 1, where);
  const tell = own<unknown>(given, 'onTlsError');
  if (tell !== undefined && typeof tell !== 'function') {
    throw typeError(`${where}: onTlsError must be a function, not ${shownValue(tell)}`);
  }
  const gate = (listener: Listener, scheduler: Scheduler): Gate =>
    new Handshakes(listener, scheduler, server, most, tell as OnTlsError | undefined);
  return listenThrough(gate, where, endpoint, options);
}

/** The handshakes of one listener. */
class Handshakes implements Gate {
  readonly listener: Listener;
  readonly scheduler: Scheduler;
  readonly server: TlsServer;
  readonly #most: number;
  readonly #tell: OnTlsError | undefined;
  readonly #underWay: Set<Arriving> = new Set();

  constructor(listener: Listener, scheduler: Scheduler, server: TlsServer, most: number, tell: OnTlsError | undefined) {
    this.listener = listener;
    this.scheduler = scheduler;
    this.server = server;
    this.#most = most;
    this.#tell = tell;
  }

  enter(transport: Transport): void {
    if (this.#underWay.size >= this.#most) {
      const [oldest] = this.#underWay;
      oldest?.giveUp('ERR_TLS_TOO_MANY_HANDSHAKES');
    }
    const arriving = new Arriving(this, transport);
    this.#underWay.add(arriving);
    arriving.begin();
  }

  close(): void {
    for (const arriving of this.#underWay) arriving.cancel();
  }

  over(arriving: Arriving): void {
    this.#underWay.delete(arriving);
  }

  failed(error: TlsError, peer: Address): void {
    this.listener.stats.tlsErrors += 1;
    const tell = this.#tell;
    if (tell !== undefined) this.scheduler.atTurnEnd(() => tell(error, peer));
  }
}

/** A connection whose handshake goes on: a handle of ours, but no Socket yet. */
class Arriving implements Timer {
  order = 0;
  slot = -1;
  readonly #gate: Handshakes;
  readonly #transport: Transport;
  #pending: Pending | undefined = undefined;

  constructor(gate: Handshakes, transport: Transport) {
    this.#gate = gate;
    this.#transport = transport;
    handleOpened('socket', this);
  }

  begin(): void {
    const { scheduler, server, listener } = this.#gate;
    const limitMs = server.handshakeTimeoutMs;
    if (limitMs !== Number.POSITIVE_INFINITY) {
      scheduler.timeouts.arm(this, limitMs);
      scheduler.timersChanged();
    }
    const beginning = { lower: this.#transport, role: { server }, what: this.toString(), scheduler };
    this.#pending = beginTls(beginning, (failure, transport) => {
      this.#finish();
      if (transport === undefined) this.#gate.failed(failure() as TlsError, this.#transport.remoteAddress);
      else listener.admit(transport);
    });
  }

  /** The timer: it takes too long. */
  due(): void {
    this.giveUp('ERR_TLS_HANDSHAKE_TIMEOUT');
  }

  giveUp(code: string): void {
    this.cancel();
    const peer = this.#transport.remoteAddress;
    this.#gate.failed(new TlsError(this.toString(), String(peer), code), peer);
  }

  cancel(): void {
    this.#finish();
    this.#pending?.cancel();
  }

  #finish(): void {
    this.#gate.over(this);
    handleClosed(this);
    if (this.slot === -1) return;
    this.#gate.scheduler.timeouts.cancel(this);
    this.#gate.scheduler.timersChanged();
  }

  toString(): string {
    return `handshake with ${this.#transport.remoteAddress} at ${this.#transport.localAddress}`;
  }
}
