// net-arguments.ts: the arguments of Node's connect() and listen(), in all their forms, as the endpoints and options of our own.
//
// An option that Node has and we cannot honour is a TypeError that names it: silence would be a program that does something else than it says. What Node
// does not know either is ignored, as there. Options are read as own properties only.
//
// A callback at the end is refused too: whoever passes one expects to be called.
// Source: node:net (normalizeArgs, the options of connect, createServer and listen).

import type { ListenOptions as NodeListenOptions, ServerOpts, TcpNetConnectOpts } from 'node:net';
import { typeError } from '../../core/bad-argument.ts';
import { checkEndpoint, checkOptions, type Endpoint, own, ownCount, ownFlag, ownMs } from '../../io/address.ts';
import type { ConnectOptions } from '../../io/connect.ts';
import type { ListenOptions as OurListenOptions } from '../../io/listen.ts';

type Known<T, K extends keyof T> = { readonly [P in K]?: T[P] | undefined };

/** What a socket is told when it is made. */
export interface SocketOptions {
  /** True: our side stays open when the peer has ended its own. False by default, as in Node. */
  readonly allowHalfOpen?: boolean | undefined;
  /** How much is buffered in each direction: 64 KiB by default. */
  readonly highWaterMark?: number | undefined;
}

/** The options of Node's connect() that are honoured. `noDelay` is true by default. */
export interface NetConnectOptions
  extends SocketOptions,
    Known<
      TcpNetConnectOpts,
      | 'host'
      | 'localAddress'
      | 'family'
      | 'noDelay'
      | 'keepAlive'
      | 'keepAliveInitialDelay'
      | 'autoSelectFamily'
      | 'timeout'
    > {
  readonly port?: number | string | undefined;
  readonly path?: string | undefined;
}

/** The options of Node's createServer(): all of those of Node 20. */
export interface ServerOptions
  extends SocketOptions,
    Known<ServerOpts, 'pauseOnConnect' | 'noDelay' | 'keepAlive' | 'keepAliveInitialDelay'> {}

/** The options of Node's listen() that are honoured. */
export interface NetListenOptions extends Known<NodeListenOptions, 'host' | 'backlog' | 'path' | 'exclusive'> {
  readonly port?: number | string | undefined;
  readonly reusePort?: boolean | undefined;
}

/** What is to be known of a socket besides its connection. */
export interface SocketManner {
  /** `timeout`: how long each wait of the socket may take. */
  readonly idleMs: number;
  readonly allowHalfOpen: boolean;
}

export interface Connecting extends SocketManner {
  readonly endpoint: Endpoint;
  readonly options: ConnectOptions;
}

const NOT_OF_CONNECT: Readonly<Record<string, string>> = {
  localPort: 'the system chooses the port',
  hints: 'lookups are our own; resolve the name with tendril/patches/dns first',
  lookup: 'lookups are our own; resolve the name with tendril/patches/dns first',
  autoSelectFamilyAttemptTimeout: 'an attempt has 250 ms before the next one begins, and stays in the race',
  fd: 'sockets are made here',
  handle: 'sockets are made here',
  readable: 'a socket is both',
  writable: 'a socket is both',
  onread: 'read() gives what has come',
  signal: 'kill the greenlet, or use timeout()',
  blockList: 'ask it yourself before you connect',
};
const NOT_OF_SERVERS: Readonly<Record<string, string>> = {
  blockList: 'ask it in the handler',
};
const NOT_OF_LISTEN: Readonly<Record<string, string>> = {
  fd: 'listeners are made here',
  handle: 'listeners are made here',
  _handle: 'listeners are made here',
  readableAll: 'change the mode of the path yourself',
  writableAll: 'change the mode of the path yourself',
  ipv6Only: "listen on '::' takes both; give the host",
  signal: 'use close()',
};

function refuse(given: object, refused: Readonly<Record<string, string>>, where: string): void {
  for (const [option, why] of Object.entries(refused)) {
    if (own(given, option) !== undefined)
      throw typeError(`${where}: the option ${option} is not supported: ${why}`, 'ERR_INVALID_ARG_VALUE');
  }
}

/** Refuse a callback, and what is too much. */
function plainArguments(args: readonly unknown[], most: number, where: string): readonly unknown[] {
  if (args.some((arg) => typeof arg === 'function'))
    throw typeError(`${where} takes no callback: it is an Op, so yield* it and go on`);
  const last = args.findLastIndex((arg) => arg !== undefined);
  if (last >= most) throw typeError(`${where} takes at most ${most} arguments, not ${last + 1}`);
  return args;
}

/** What `value` is as a port, if it is one: a number, or a string of one. */
function portOf(value: unknown): unknown {
  return typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value;
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && typeof portOf(value) !== 'number';
}

function endpointOf(given: object, where: string): Endpoint {
  const path = own<unknown>(given, 'path');
  const endpoint = Object.create(null) as Record<string, unknown>;
  if (path !== undefined) {
    endpoint.path = path;
  } else {
    endpoint.port = portOf(own<unknown>(given, 'port'));
    const host = own<unknown>(given, 'host');
    // To Node an empty name is none.
    if (host !== undefined && host !== null && host !== '') endpoint.host = host;
  }
  checkEndpoint(endpoint, where);
  return endpoint as unknown as Endpoint;
}

/** Keepalive probes as we count them: a delay, or never. */
function keepAliveOf(given: object, where: string): number {
  const delayMs = ownMs(given, 'keepAliveInitialDelay', 0, where);
  return ownFlag(given, 'keepAlive', false, where) ? delayMs : Number.POSITIVE_INFINITY;
}

/** What both kinds of socket are told. Ours stay half-open: Node ends its side when the peer's end is read, and not when it comes. */
function socketOptions(given: object, where: string): Pick<ConnectOptions, 'halfOpen' | 'highWaterMark'> {
  return {
    halfOpen: true,
    highWaterMark: Math.max(1, ownCount(given, 'highWaterMark', 65_536, 0, where)),
  };
}

/** The arguments of connect(): (options), (port, host?) or (path), on a socket that was made with `base`. @throws TypeError or RangeError */
export function connectArguments(args: readonly unknown[], base: object, where: string): Connecting {
  const [first, second] = plainArguments(args, 2, where);
  let asked: object;
  if (typeof first === 'object' && first !== null) asked = first;
  else if (isPath(first)) asked = { path: first };
  else asked = { port: first, host: second };
  const given = Object.assign(Object.create(null), base, asked) as object;
  refuse(given, NOT_OF_CONNECT, where);
  const family = own<unknown>(given, 'family');
  if (own(given, 'autoSelectFamily') === false && family !== 4 && family !== 6)
    throw typeError(
      `${where}: the option autoSelectFamily cannot be false: say which family, 4 or 6`,
      'ERR_INVALID_ARG_VALUE',
    );
  const idleMs = ownMs(given, 'timeout', 0, where) || Number.POSITIVE_INFINITY;
  return {
    endpoint: endpointOf(given, where),
    options: {
      ...socketOptions(given, where),
      family: family === 0 ? undefined : (family as 4 | 6 | undefined),
      localHost: own<string>(given, 'localAddress'),
      noDelay: ownFlag(given, 'noDelay', true, where),
      keepAliveMs: keepAliveOf(given, where),
      ...(idleMs === Number.POSITIVE_INFINITY ? {} : { timeoutMs: idleMs }),
    },
    idleMs,
    allowHalfOpen: ownFlag(given, 'allowHalfOpen', false, where),
  };
}

/** The options of a socket that is not connected yet. @throws TypeError or RangeError */
export function checkSocketOptions(options: unknown, where: string): object {
  const given = checkOptions(options, where);
  refuse(given, NOT_OF_CONNECT, where);
  socketOptions(given, where);
  ownFlag(given, 'allowHalfOpen', false, where);
  return given;
}

/** The options of a server, as those of its listener and its sockets. @throws TypeError or RangeError */
export function serverOptions(
  options: unknown,
  where: string,
): { readonly listener: OurListenOptions; readonly allowHalfOpen: boolean } {
  const given = checkOptions(options, where);
  refuse(given, NOT_OF_SERVERS, where);
  // Nothing is read before the handler asks for it, so there is nothing to pause.
  ownFlag(given, 'pauseOnConnect', false, where);
  return {
    listener: {
      ...socketOptions(given, where),
      noDelay: ownFlag(given, 'noDelay', true, where),
      keepAliveMs: keepAliveOf(given, where),
    },
    allowHalfOpen: ownFlag(given, 'allowHalfOpen', false, where),
  };
}

/** The arguments of listen(): (options), (port?, host?, backlog?) or (path, backlog?). @throws TypeError or RangeError */
export function listenArguments(
  args: readonly unknown[],
  where: string,
): { readonly endpoint: Endpoint; readonly options: OurListenOptions } {
  const [first, second, third] = plainArguments(args, 3, where);
  let given: object;
  if (typeof first === 'object' && first !== null) given = first;
  else if (isPath(first)) given = { path: first, backlog: second };
  else if (typeof second === 'number') given = { port: first, backlog: second };
  else given = { port: first, host: second, backlog: third };
  refuse(given, NOT_OF_LISTEN, where);
  const port = own(given, 'port') ?? 0;
  const backlog = own<unknown>(given, 'backlog');
  return {
    endpoint: endpointOf({ path: own(given, 'path'), host: own(given, 'host'), port }, where),
    options: {
      // To Node 0 is its default.
      ...(backlog === undefined || backlog === 0 ? {} : { backlog: backlog as number }),
      ...(ownFlag(given, 'reusePort', false, where) ? { reusePort: true } : {}),
    },
  };
}
