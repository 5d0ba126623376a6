// connect.ts: `websocket.connect(url)`: a connection of ours, and the handshake of ws over it.
//
// One limit for all of it. If it ends early, by a kill or a timeout, nothing is left open.

import { WebSocket as NodeSocket } from 'ws';
import { AsyncResult } from '../../core/async-result.ts';
import { typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { kernel } from '../../core/kernel.ts';
import { nameOf, type Op, type Resume, type Trap } from '../../core/op.ts';
import { timeout } from '../../core/timeout.ts';
import { checkOptions, own, ownMs } from '../address.ts';
import { connect as connectSocket } from '../connect.ts';
import { checkHeaders, type RequestHeaders } from '../http-headers.ts';
import { SocketStream } from '../http-server-stream.ts';
import type { Socket } from '../socket.ts';
import { type ConnectTlsOptions, connectTls } from '../tls-connect.ts';
import { WebSocketError } from './errors.ts';
import {
  nodeOptions,
  protocolsOf,
  type WebSocketOptions,
  type WebSocketSettings,
  webSocketSettings,
} from './options.ts';
import { type NodeWebSocket, WebSocket } from './websocket.ts';

const TIMEOUT_MS = 30_000;

export interface WebSocketConnectOptions extends WebSocketOptions {
  /** The subprotocols that we can speak, the best first. The server has to choose one of them. */
  readonly protocols?: readonly string[] | undefined;
  readonly headers?: RequestHeaders | undefined;
  /** For the connection and the handshake: 30,000 ms by default. */
  readonly timeoutMs?: number | undefined;
  /** For `wss:`: the options of connectTls. */
  readonly tls?: ConnectTlsOptions | undefined;
}

interface Plan {
  readonly url: URL;
  readonly secure: boolean;
  readonly protocols: readonly string[];
  readonly headers: Record<string, string>;
  readonly tls: ConnectTlsOptions | undefined;
  readonly settings: WebSocketSettings;
}

/**
 * Connect to a WebSocket server: `ws:` or `wss:`.
 *
 * Switches until both have agreed. If it throws, nothing is left open.
 *
 * @throws TypeError or RangeError, at the call, for a bad URL or option. @throws ConnectError, DnsError or TlsError if there is no connection.
 * @throws WebSocketError (ERR_WEBSOCKET_HANDSHAKE) if the server refuses, with its `status`, or answers what is no handshake.
 * @throws TimeoutError after `timeoutMs`. @throws Killed if the greenlet is killed while it waits.
 * @see https://www.rfc-editor.org/rfc/rfc6455
 */
export function connect(url: string | URL, options?: WebSocketConnectOptions): Op<WebSocket> {
  const where = 'websocket.connect';
  const given = checkOptions(options, where);
  const headers: Record<string, string> = {};
  const flat = checkHeaders(own<RequestHeaders>(given, 'headers') ?? {});
  for (let at = 0; at < flat.length; at += 2) headers[flat[at] as string] = flat[at + 1] as string;
  const target = urlOf(url, where);
  const plan: Plan = {
    url: target,
    secure: target.protocol === 'wss:' || target.protocol === 'https:',
    protocols: protocolsOf(given, where),
    headers,
    tls: own<ConnectTlsOptions>(given, 'tls'),
    settings: webSocketSettings(given, where),
  };
  return timeout(ownMs(given, 'timeoutMs', TIMEOUT_MS, where), composite(connecting, plan));
}

function urlOf(url: unknown, where: string): URL {
  if (typeof url !== 'string' && !(url instanceof URL)) throw typeError(`${where} takes a URL, not ${nameOf(url)}`);
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw typeError(`${where}: invalid url ${JSON.stringify(String(url).slice(0, 200))}`, 'ERR_INVALID_URL', { cause });
  }
  if (!/^(wss?|https?):$/.test(parsed.protocol))
    throw typeError(`${where}: the protocol must be ws: or wss:, not ${parsed.protocol}`, 'ERR_INVALID_PROTOCOL');
  if (parsed.hash !== '') throw typeError(`${where}: the URL of a WebSocket has no fragment`, 'ERR_INVALID_URL');
  if (parsed.username !== '' || parsed.password !== '')
    throw typeError(
      `${where}: a URL with a user name or password is not sent: set the authorization header`,
      'ERR_INVALID_URL',
    );
  return parsed;
}

function* connecting(plan: Plan): Generator<Trap, WebSocket, Resume> {
  const { url, secure } = plan;
  const endpoint = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
  };
  const socket: Socket = yield* secure ? connectTls(endpoint, plan.tls ?? {}) : connectSocket(endpoint);
  try {
    return yield* handshake(plan, socket);
  } catch (error) {
    socket.close();
    throw error;
  }
}

function* handshake(plan: Plan, socket: Socket): Generator<Trap, WebSocket, Resume> {
  const { scheduler } = kernel.current.scope;
  const opened = new AsyncResult<void>({ name: `handshake of ${plan.url.href}` });
  const settle = (error: Error | undefined): void => {
    if (opened.ready) return;
    if (error === undefined) opened.set();
    else opened.setError(error);
  };
  const refused = (cause: Error, status?: number): void =>
    settle(
      new WebSocketError(`handshake with ${plan.url.href}: ${cause.message}`, 'ERR_WEBSOCKET_HANDSHAKE', {
        cause,
        ...(status === undefined ? {} : { status }),
      }),
    );
  const stream = new SocketStream(socket, scheduler, { gone: () => {} });
  // Already encrypted, if it is to be: ws need not know.
  const plain = new URL(plan.url);
  plain.protocol = 'ws:';
  const raw = new NodeSocket(plain, [...plan.protocols], {
    ...nodeOptions(plan.settings),
    headers: { ...plan.headers, host: plan.url.host },
    createConnection: (() => stream) as never,
  });
  raw.on('open', () => settle(undefined));
  raw.on('error', refused);
  raw.on('unexpected-response', (_request, response) => {
    refused(new Error(`the server answered ${response.statusCode}`), response.statusCode);
    stream.destroy();
  });
  // A message may come in the same packet as the answer: whoever keeps it has to be there before.
  const webSocket = new WebSocket(raw as unknown as NodeWebSocket, socket, scheduler, plan.settings);
  try {
    stream.begin();
    yield* opened.get();
    return webSocket;
  } catch (error) {
    stream.destroy();
    raw.terminate();
    webSocket.terminate();
    throw error;
  }
}
