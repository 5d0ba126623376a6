// tls-start.ts: `socket.startTls(...)`: TLS on a connection that is open already (STARTTLS), and the wait for a handshake.
//
// What an attacker in between could have slipped in before the handshake must not be taken for what the peer said through TLS (CVE-2011-0411). So whatever
// has come and was not read by then goes to TLS: plain text breaks the handshake, while the peer's own first record, which may have come already, begins it.
//
// While the handshake has the connection, reads and writes of other greenlets get BusyError; a close() ends it. However it fails, the connection is closed:
// half a handshake cannot be taken back.

import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { BusyError, ClosedError, TimeoutError } from '../core/errors.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel, requireScheduler } from '../core/kernel.ts';
import type { Op, WaitDescription } from '../core/op.ts';
import { timeout } from '../core/timeout.ts';
import type { Waiter } from '../core/wait-list.ts';
import { checkOptions, ownFlag } from './address.ts';
import type { Pending } from './network.ts';
import type { Socket } from './socket.ts';
import type { Link, Upgrade } from './socket-link.ts';
import { TlsError } from './tls-errors.ts';
import { beginTls, type TlsRole } from './tls-handshake.ts';
import { checkTlsClient, type TlsClient, type TlsClientOptions } from './tls-options.ts';
import { checkTlsServer, type TlsServerOptions } from './tls-server-options.ts';
import type { TlsTransport } from './tls-transport.ts';

/** As a client, or, with {server: true}, as a server. */
export type StartTlsOptions =
  | (TlsClientOptions & { readonly server?: false | undefined })
  | (TlsServerOptions & { readonly server: true });

/** The Op of socket.startTls(). @internal */
export function startTls(socket: Socket, options: StartTlsOptions | undefined): Op<Socket> {
  const where = 'startTls';
  const given = checkOptions(options, where);
  if (ownFlag(given, 'server', false, where)) {
    const server = checkTlsServer(given, where);
    return composite(upgrade, socket, { server }, where);
  }
  const client = checkTlsClient(given, where);
  if (socket.peerName === undefined && client.servername === undefined && !client.insecure) {
    throw typeError(`${where} on ${socket}: whose certificate to expect is not known: give {servername}`);
  }
  return startClient(socket, client, where);
}

/** TLS as a client that has been checked. @internal */
export function startClient(socket: Socket, client: TlsClient, where: string): Op<Socket> {
  return composite(upgrade, socket, { client, host: socket.peerName }, where);
}

function* upgrade(socket: Socket, role: TlsRole, where: string): Op<Socket> {
  const { link } = socket;
  const limitMs = (role.client ?? role.server).handshakeTimeoutMs;
  const handshake = new HandshakeWait(link, role, `${where} on ${socket}`);
  if (link.upgrade !== undefined) throw link.upgrade.busyError('startTls');
  if (link.inbound.waiting) throw handshake.readError();
  if (socket.closed) throw link.closedError('startTls');
  if (!link.outbound.open) throw link.refusal('startTls');
  link.upgrade = handshake;
  try {
    const transport = yield* timeout(limitMs, settle(link, handshake));
    link.upgrade = undefined;
    // Closed after the last word of the handshake, before this greenlet ran.
    if (socket.closed) {
      transport.destroy();
      throw link.closedError('startTls');
    }
    link.suspend(false);
    link.adopt(transport);
    return socket;
  } catch (error) {
    link.upgrade = undefined;
    // Nothing has begun.
    if (error instanceof BusyError) throw error;
    socket.close();
    if (error instanceof TimeoutError)
      throw new TimeoutError(limitMs, handshake, `${handshake.what}: the handshake is not over`);
    throw error;
  }
}

/** Send what was written in plain text, and then shake hands. */
function* settle(link: Link, handshake: HandshakeWait): Op<TlsTransport> {
  const { inbound, outbound } = link;
  while (!outbound.settled()) yield* outbound.flush();
  if (inbound.waiting) throw handshake.readError();
  if (inbound.ended) throw new TlsError(handshake.what, String(link.transport.remoteAddress), 'ECONNRESET');
  link.suspend(true);
  return yield* handshake;
}

/** One handshake over the transport of `link`. */
class HandshakeWait extends ExternalWait<TlsTransport> implements Upgrade {
  readonly what: string;
  readonly #link: Link;
  readonly #role: TlsRole;
  readonly #greenlet: Greenlet = kernel.current;
  #pending: Pending | undefined = undefined;
  #ticket: Ticket<TlsTransport> | undefined = undefined;

  constructor(link: Link, role: TlsRole, what: string) {
    super();
    this.#link = link;
    this.#role = role;
    this.what = what;
  }

  protected override counted(_waiter: Waiter): boolean {
    return this.#link.transport.external;
  }

  protected begin(ticket: Ticket<TlsTransport>): void {
    this.#ticket = ticket;
    ticket.onRetract = () => {
      this.#pending?.cancel();
      ticket.withdraw();
    };
    const { transport: lower, inbound } = this.#link;
    const come = inbound.buffer.take(inbound.buffer.size);
    this.#pending = beginTls(
      { lower, come, role: this.#role, what: this.what, scheduler: requireScheduler() },
      (failure, transport) => {
        if (transport === undefined) ticket.rejectWith(failure);
        else ticket.resolve(transport);
      },
    );
  }

  readError(): Error {
    return new BusyError(`${this.what}, which another greenlet is reading: one greenlet reads at a time`);
  }

  busyError(op: string): Error {
    return new BusyError(`${op} on ${this.#link}, on which ${this.#greenlet.name} is starting TLS: wait until it has`);
  }

  closed(): void {
    this.#pending?.cancel();
    this.#ticket?.rejectWith(() => new ClosedError(`${this.what}, which is closed`));
  }

  describe(): WaitDescription {
    return { op: 'startTls', object: this.#link.toString() };
  }
}
