// index.ts: the public names of `tendril/websocket`: WebSockets, both sides.
//
// It needs the package `ws`, which programs that use it install beside tendril.

export { accept, serve, type WebSocketAcceptOptions, type WebSocketHandler } from './accept.ts';
export { connect, type WebSocketConnectOptions } from './connect.ts';
export { WebSocketError } from './errors.ts';
export type { WebSocketOptions } from './options.ts';
export { WebSocket } from './websocket.ts';
