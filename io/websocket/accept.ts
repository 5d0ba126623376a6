// accept.ts: the server's side: `accept(request)` in a handler of http.serve, and `serve(target, handler)` for a server of nothing else.
//
// A browser lets every page open a WebSocket to every server, with the cookies of that server. So the page's origin is checked: by default it has to be the
// host that was asked. Other clients send no origin.
//
// When the handler returns the connection is closed as it should be (1000), when it throws with 1011, when the server stops with 1001.

import type { Duplex } from 'node:stream';
import { type WebSocket as NodeSocket, WebSocketServer } from 'ws';
import { typeError } from '../../core/bad-argument.ts';
import { InternalError } from '../../core/errors.ts';
import { kernel } from '../../core/kernel.ts';
import { isOp, nameOf, type Op } from '../../core/op.ts';
import { checkOptions, type Endpoint, own, shownValue } from '../address.ts';
import { HttpError } from '../http-errors.ts';
import { type HttpServer, serve as serveHttp } from '../http-server.ts';
import { blameClient } from '../http-server-body.ts';
import type { ServerRequest } from '../http-server-request.ts';
import type { HttpServeOptions } from '../http-server-settings.ts';
import { SocketStream } from '../http-server-stream.ts';
import type { Listener } from '../listen.ts';
import type { WebSocketError } from './errors.ts';
import { nodeOptions, protocolsOf, type WebSocketOptions, webSocketSettings } from './options.ts';
import { type NodeWebSocket, WebSocket } from './websocket.ts';

export interface WebSocketAcceptOptions extends WebSocketOptions {
  /** The subprotocols that we can speak, the best first. If the client offers others only, none is chosen. */
  readonly protocols?: readonly string[] | undefined;
  /** Which pages may connect: those of the same host (the default), any, those of these origins, or whom a function lets in. */
  readonly origins?:
    | 'same'
    | 'any'
    | readonly string[]
    | ((origin: string, request: ServerRequest) => boolean)
    | undefined;
}

const KEY = /^[+/0-9A-Za-z]{22}==$/;

/**
 * Accept a WebSocket: change the protocol of this request's connection.
 *
 * Never switches. The WebSocket ends with the handler.
 *
 * @throws HttpError, which is the answer if the handler lets it pass, if the request is none for a WebSocket (400, 405, 426) or its origin may not (403).
 * @throws ClosedError if the client has left, or an answer has begun. @throws TypeError or RangeError for bad options.
 */
export function accept(request: ServerRequest, options?: WebSocketAcceptOptions): WebSocket {
  const where = 'websocket.accept';
  const given = checkOptions(options, where);
  const settings = webSocketSettings(given, where);
  const protocols = protocolsOf(given, where);
  checkHandshake(request);
  checkOrigin(request, own<WebSocketAcceptOptions['origins']>(given, 'origins') ?? 'same', where);
  const { message, socket } = request.detach();
  const { scheduler } = kernel.current.scope;
  const stream = new SocketStream(socket, scheduler, { gone: () => {} });
  const server = new WebSocketServer({
    ...nodeOptions(settings),
    noServer: true,
    clientTracking: false,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  let raw: NodeSocket | undefined;
  server.handleUpgrade(message, stream as Duplex, Buffer.alloc(0), (accepted) => {
    raw = accepted;
  });
  if (raw === undefined) throw new InternalError(`${where}: ws has refused ${request}`);
  const blame = (error: WebSocketError): void => void blameClient(error, 400);
  const webSocket = new WebSocket(raw as unknown as NodeWebSocket, socket, scheduler, settings, blame);
  request.whenStopping(() => webSocket.beginClose(1001, ''));
  request.atEnd({
    *close(failed) {
      yield* webSocket.close(failed ? 1011 : 1000);
    },
    abort() {
      webSocket.beginClose(1001, '');
      webSocket.terminate();
    },
  });
  stream.begin();
  return webSocket;
}

function refusal(request: ServerRequest, status: number, what: string): HttpError {
  return blameClient(new HttpError(`websocket.accept of ${request}: ${what}`, 'ERR_WEBSOCKET_HANDSHAKE'), status);
}

function checkHandshake(request: ServerRequest): void {
  const { headers } = request;
  if (request.method !== 'GET') throw refusal(request, 405, 'the method is not GET');
  if (request.upgradesTo?.toLowerCase() !== 'websocket')
    throw refusal(request, 426, 'the client did not ask for a WebSocket');
  if (!KEY.test(String(headers['sec-websocket-key'])))
    throw refusal(request, 400, 'there is no proper sec-websocket-key');
  const version = headers['sec-websocket-version'];
  if (version !== '13' && version !== '8') throw refusal(request, 426, `version ${shownValue(version)} is not ours`);
  const offered = headers['sec-websocket-protocol'];
  if (offered === undefined) return;
  const names = String(offered)
    .split(',')
    .map((name) => name.trim());
  if (new Set(names).size < names.length || names.some((name) => !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)))
    throw refusal(request, 400, 'the subprotocols are malformed');
}

function checkOrigin(
  request: ServerRequest,
  origins: NonNullable<WebSocketAcceptOptions['origins']>,
  where: string,
): void {
  const { origin, host } = request.headers;
  if (origins !== 'same' && origins !== 'any' && !Array.isArray(origins) && typeof origins !== 'function')
    throw typeError(`${where}: origins must be 'same', 'any', an array or a function, not ${shownValue(origins)}`);
  if (origin === undefined || origins === 'any') return;
  const may =
    origins === 'same'
      ? hostOf(origin) === host?.toLowerCase()
      : typeof origins === 'function'
        ? origins(origin, request)
        : (origins as readonly string[]).includes(origin);
  if (!may) throw refusal(request, 403, `the origin ${shownValue(origin)} may not`);
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

/** Serves one WebSocket. */
export type WebSocketHandler = (webSocket: WebSocket, request: ServerRequest) => Op<unknown>;

/**
 * Serve WebSockets on an address, or on a listener: `handler(webSocket, request)` runs in a greenlet of its own for each. Other requests get 426.
 *
 * Returns a server, as http.serve does, with its options besides.
 *
 * @throws TypeError or RangeError for bad arguments.
 */
export function serve(
  target: Listener | Endpoint,
  handler: WebSocketHandler,
  options?: WebSocketAcceptOptions & HttpServeOptions,
): HttpServer {
  const where = 'websocket.serve';
  if (typeof handler !== 'function')
    throw typeError(`${where} takes a generator function as its handler, not ${nameOf(handler)}`);
  const given = checkOptions(options, where);
  webSocketSettings(given, where);
  protocolsOf(given, where);
  return serveHttp(
    target,
    function* (request) {
      const op: unknown = handler(accept(request, options), request);
      if (!isOp(op))
        throw typeError(`${where}: the handler returned ${nameOf(op)}, no Op: is it a generator function (function*)?`);
      yield* op;
    },
    options,
  );
}
