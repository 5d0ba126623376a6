// tls-connect.ts: `connectTls({host, port})`: a connection in TLS from the start.
//
// It is connect(), with all of its races and limits, and then startTls() on what won: a handshake with one server is enough. A kill or a timeout at any
// moment leaves nothing open.

import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import type { Op } from '../core/op.ts';
import { checkOptions, type Endpoint, own } from './address.ts';
import { type ConnectOptions, connect } from './connect.ts';
import type { Socket } from './socket.ts';
import { checkTlsClient, type TlsClient, type TlsClientOptions } from './tls-options.ts';
import { startClient } from './tls-start.ts';

export interface ConnectTlsOptions extends ConnectOptions, TlsClientOptions {}

/**
 * Connect to a TLS server, verify it, and give the connection.
 *
 * Switches. `timeoutMs` (30,000) is for the connection, `handshakeTimeoutMs` (10,000) for what follows. The server must show a certificate of a CA in
 * `ca` for `servername`, by default the host. Nothing of yours is sent before. If it throws, nothing is left open.
 *
 * @throws TypeError or RangeError, at the call, for a bad address or option. @throws TlsError, at the call, for PEM that is none, a key of another
 * certificate, an unknown cipher; later, with OpenSSL's or Node's code, if the server cannot be trusted or the two cannot agree.
 * @throws ConnectError, DnsError as `connect`. @throws TimeoutError after one of the limits. @throws Killed if the greenlet is killed while it waits.
 * @see https://nodejs.org/api/tls.html#tlsconnectoptions-callback
 */
export function connectTls(endpoint: Endpoint, options?: ConnectTlsOptions): Op<Socket> {
  const where = 'connectTls';
  const given = checkOptions(options, where);
  const client = checkTlsClient(given, where);
  const connecting = connect(endpoint, options);
  if (own(endpoint, 'path') !== undefined && client.servername === undefined && !client.insecure) {
    throw typeError(`${where}: whose certificate to expect at a path is not known: give {servername}`);
  }
  return composite(connectAndStart, connecting, client);
}

function* connectAndStart(connecting: Op<Socket>, client: TlsClient): Op<Socket> {
  const socket = yield* connecting;
  return yield* startClient(socket, client, 'connectTls');
}
