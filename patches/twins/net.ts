// net.ts: the public names of `tendril/patches/net`: those of node:net, each call that waits being an Op.
//
// `connect`, `createServer` and what they give are ours (net-socket.ts, net-server.ts); what does not wait is Node's own, passed through. The defaults of
// autoSelectFamily are Node's and are for Node's own connections: ours try every address, whatever they say.
//
// Not here: names that begin with an underscore, and what only newer versions of Node have (BoundSocket).

export type {
  AddressInfo,
  IPVersion,
  SocketAddressInitOptions,
  SocketReadyState,
} from 'node:net';
export {
  BlockList,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  isIP,
  isIPv4,
  isIPv6,
  SocketAddress,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
} from 'node:net';
export type { NetConnectOptions, NetListenOptions, ServerOptions, SocketOptions } from './net-arguments.ts';
export { type ConnectionHandler, createServer, Server } from './net-server.ts';
export { connect, connect as createConnection, Socket, Socket as Stream } from './net-socket.ts';
