// http.ts: the public names of `tendril/patches/http`: those of node:http, each call that waits being an Op.
//
// Both the client and the server are Node's own underneath, so agents, options and limits mean what they mean there. `get` and `request().end()` give a response
// whose body is read by waiting (http-incoming.ts); `createServer` takes a generator function (http-server.ts). What does not wait is Node's own, passed through.
//
// Not here: names that begin with an underscore, and what only newer versions of Node have (WebSocket and its events, setGlobalProxyFromEnv).

export type {
  AgentOptions,
  ClientRequestArgs,
  IncomingHttpHeaders,
  OutgoingHttpHeader,
  OutgoingHttpHeaders,
} from 'node:http';
export {
  Agent,
  globalAgent,
  METHODS,
  maxHeaderSize,
  STATUS_CODES,
  setMaxIdleHTTPParsers,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
export { ClientRequest, get, type RequestOptions, request } from './http-client.ts';
export type { RequestHandler } from './http-exchange.ts';
export { IncomingMessage, type MessageSocket } from './http-incoming.ts';
export { type Chunk, OutgoingMessage } from './http-outgoing.ts';
export { ServerResponse } from './http-response.ts';
export { createServer, Server, type ServerOptions } from './http-server.ts';
