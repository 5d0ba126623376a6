// tls-handshake.ts: from a connection to a TLS connection: one handshake, as client or as server.
//
// It takes over what carries the bytes: the Node socket of a TCP connection or Unix socket, whose handle Node's TLS reads and writes itself; or a stream of
// ours over any other transport. From then on whatever the peer sends is taken for TLS, so plain text that it has sent before can never be read as if it
// had come through TLS. However it ends but well, the connection is closed.
//
// A client verifies the server before anybody gets the connection: so nothing of the application's is sent before.
//
// Invariant: done is called at most once, and not after cancel()

import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { InternalError } from '../core/errors.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { codeOf } from './errors.ts';
import type { Pending } from './network.ts';
import { TlsError } from './tls-errors.ts';
import { TlsInfo } from './tls-info.ts';
import { nodeTlsOptions, rememberSession, type TlsClient } from './tls-options.ts';
import type { Sni, SniDone, TlsServer } from './tls-server-options.ts';
import { TlsTransport, watchEnd } from './tls-transport.ts';
import type { Transport } from './transport.ts';
import { TransportStream } from './transport-stream.ts';

// Taken at load: patches never reach us.
const { connect, TLSSocket } = tls;

/** As of other sockets: how much Node may hold of a connection that nobody reads. */
const NODE_HIGH_WATER_MARK = 16_384;

const NOTHING = Buffer.alloc(0);

/** Which end we are. `host`: whom a client has connected to. */
export type TlsRole =
  | { readonly client: TlsClient; readonly host: string | undefined; readonly server?: undefined }
  | { readonly server: TlsServer; readonly client?: undefined };

/** What is not in the types of Node's TLS sockets. */
interface ServerSide {
  _handle?: { verifyError?(): (Error & { code?: string }) | null } | null;
  _releaseControl?(): boolean;
}

/** Told why it failed, by what makes the error where somebody waits for it, or what has been agreed on. */
type HandshakeDone = (failure: () => Error, transport: TlsTransport | undefined) => void;

/** What a handshake begins with. */
export interface Beginning {
  /** It is given up to the handshake. */
  readonly lower: Transport;
  /** What has come over it already. */
  readonly come?: Buffer | undefined;
  readonly role: TlsRole;
  /** Names the operation in errors. */
  readonly what: string;
  readonly scheduler: Scheduler;
}

/** Begin a handshake. `done` is called from the host, later. */
export function beginTls(beginning: Beginning, done: HandshakeDone): Pending {
  return new Handshake(beginning, done);
}

class Handshake implements Pending {
  readonly #lower: Transport;
  readonly #what: string;
  readonly #done: HandshakeDone;
  readonly #socket: tls.TLSSocket;
  #over = false;
  /** Gives up the search for the certificate that was asked for. */
  #forgetName: (() => void) | undefined = undefined;
  #cut = false;
  #info: TlsInfo | undefined = undefined;

  constructor({ lower, come = NOTHING, role, what, scheduler }: Beginning, done: HandshakeDone) {
    this.#lower = lower;
    this.#what = what;
    this.#done = done;
    const under: Duplex = lower.release?.(come) ?? overTransport(lower, come, scheduler);
    const socket = role.client === undefined ? this.#asServer(under, role.server) : this.#asClient(under, role);
    this.#socket = socket;
    watchEnd(socket, under instanceof net.Socket ? undefined : () => under.readableEnded, () => {
      this.#cut = true;
      if (this.#info !== undefined) this.#info.truncated = true;
    });
    socket.on('error', (error) => this.#failed(error));
    // A half-open connection would be kept, and it may say so before it is closed.
    socket.on('end', () => this.#failed(undefined));
    socket.on('close', () => this.#failed(undefined));
  }

  cancel(): boolean {
    this.#finish();
    this.#socket.destroy();
    return true;
  }

  #asClient(under: Duplex, { client, host }: { readonly client: TlsClient; readonly host: string | undefined }) {
    const options = nodeTlsOptions(client, host);
    const socket = connect({ ...options, socket: under, highWaterMark: NODE_HIGH_WATER_MARK } as tls.ConnectionOptions);
    socket.on('session', (session: Buffer) => {
      if (socket.authorized) rememberSession(session, client, host);
      this.#info?.sessionCame(session);
    });
    socket.on('secureConnect', () => {
      if (this.#over) return;
      const { authorized, authorizationError } = socket;
      this.#agreed(authorized, authorized ? undefined : authorizationError);
    });
    return socket;
  }

  #asServer(under: Duplex, server: TlsServer) {
    const { context, alpn, requestCert, sni } = server;
    const socket = new TLSSocket(
      under as net.Socket,
      {
        isServer: true,
        secureContext: context,
        requestCert: requestCert !== false,
        rejectUnauthorized: requestCert === true,
        highWaterMark: NODE_HIGH_WATER_MARK,
        ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
        ...(sni === undefined
          ? {}
          : { SNICallback: (name: string, chosen: SniDone) => this.#chooseName(sni, name, chosen) }),
      } as tls.TLSSocketOptions,
    );
    socket.on('secure', () => {
      if (this.#over) return;
      const side = socket as unknown as ServerSide;
      const refusal = requestCert === false ? undefined : (side._handle?.verifyError?.() ?? undefined);
      if (refusal !== undefined && requestCert === true) {
        this.#failed(refusal);
        return;
      }
      // Errors that come later are told by 'error' from now on.
      side._releaseControl?.();
      this.#agreed(requestCert !== false && refusal === undefined, refusal?.code ?? refusal?.message);
    });
    return socket;
  }

  #chooseName(sni: Sni, name: string, chosen: SniDone): void {
    this.#forgetName = sni.choose(name, (error, context) => {
      if (!this.#over) chosen(error, context);
    });
  }

  #agreed(authorized: boolean, refusal: Error | string | undefined): void {
    this.#finish();
    const why = refusal instanceof Error ? (codeOf(refusal) ?? refusal.message) : refusal;
    const info = new TlsInfo(this.#socket, authorized, why ?? undefined);
    info.truncated = this.#cut;
    this.#info = info;
    this.#done(neverFailed, new TlsTransport(this.#socket, this.#lower, info));
  }

  #failed(error: Error | undefined): void {
    if (this.#over) return;
    this.#finish();
    this.#socket.destroy();
    const peer = String(this.#lower.remoteAddress);
    const code = codeOf(error) ?? (error === undefined ? 'ECONNRESET' : 'ERR_TLS');
    this.#done(() => new TlsError(this.#what, peer, code, error), undefined);
  }

  #finish(): void {
    this.#over = true;
    this.#forgetName?.();
  }
}

const neverFailed = (): Error => new InternalError('a handshake that went well has failed');

/** A stream over a transport that is no socket of Node's. */
function overTransport(lower: Transport, come: Buffer, scheduler: Scheduler): TransportStream {
  const stream = new TransportStream(scheduler, () => {});
  if (come.length > 0) stream.push(come);
  stream.attach(lower);
  stream.on('error', () => {});
  return stream;
}
