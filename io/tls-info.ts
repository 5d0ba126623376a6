// tls-info.ts: what the two ends of a TLS connection have agreed on: `socket.tls`.
//
// It is taken when the handshake ends, because Node forgets it when the connection closes. Only the peer's certificate and the session, which few ask
// for, are asked for when they are wanted.

import type { X509Certificate } from 'node:crypto';
import type tls from 'node:tls';

/** What is known of a TLS connection since its handshake. */
export class TlsInfo {
  /** 'TLSv1.3', ... */
  readonly protocol: string;
  /** The name of the cipher as the standards have it: 'TLS_AES_256_GCM_SHA384', ... */
  readonly cipher: string;
  /** The protocol above TLS that both ends speak; undefined if they have not agreed on one. */
  readonly alpn: string | undefined;
  /** The name that the client has asked for; undefined if it asked for none. */
  readonly servername: string | undefined;
  /** Is the peer's certificate verified? Of a client that was not asked for one: no. */
  readonly authorized: boolean;
  /** Why it is not; undefined if nobody has looked, or all is well. */
  readonly authorizationError: string | undefined;
  /** Was the handshake shortened with the session of an earlier connection? */
  readonly sessionReused: boolean;
  /** True once the peer's end has come without the farewell of TLS: somebody in between may have cut what it sent. @internal: `socket.truncatable` */
  truncated = false;
  readonly #socket: tls.TLSSocket;
  #session: Buffer | undefined = undefined;
  #peerCertificate: X509Certificate | undefined = undefined;

  /** @internal: handshakes make them. */
  constructor(socket: tls.TLSSocket, authorized: boolean, authorizationError: string | undefined) {
    const { servername, alpnProtocol } = socket as { servername?: unknown; alpnProtocol?: unknown };
    this.#socket = socket;
    this.protocol = socket.getProtocol() ?? '';
    this.cipher = socket.getCipher()?.standardName ?? '';
    this.alpn = typeof alpnProtocol === 'string' ? alpnProtocol : undefined;
    this.servername = typeof servername === 'string' && servername !== '' ? servername : undefined;
    this.authorized = authorized;
    this.authorizationError = authorizationError;
    this.sessionReused = socket.isSessionReused();
  }

  /** The certificate of the peer; undefined if it has given none, and after the connection is closed unless it was asked for before. */
  get peerCertificate(): X509Certificate | undefined {
    this.#peerCertificate ??= this.#socket.getPeerX509Certificate();
    return this.#peerCertificate;
  }

  /** What shortens the next handshake with this server, if it offers that: give it to connectTls as {session}. A TLS 1.3 server sends it a little later. */
  get session(): Buffer | undefined {
    return this.#session;
  }

  /** @internal */
  sessionCame(session: Buffer): void {
    this.#session = session;
  }
}
