// ownership-kinds.ts: the kinds of handles: how each is recognised, found closed, and destroyed.
//
// Destroying is for good and says nothing: a handle whose owner has ended has nobody who would hear an error, so one that nobody listens for is
// swallowed. It never throws for a handle of Node's own.
//
// `_destroyed` of a timer is a field of Node's that its documents do not name; it is there, with this meaning, in every version from 8 to 26.

import childProcess from 'node:child_process';
import { codeOf } from '../io/errors.ts';

// Taken at load: patches never reach us.
const { clearTimeout, clearImmediate, setTimeout } = globalThis;
const { ChildProcess } = childProcess;
const killChild = ChildProcess.prototype.kill;
const ignore = (): void => {};

/** How long a child has to end before SIGKILL, as with `process.spawn` of tendril. */
const GRACE_MS = 5_000;

// A handle is of the kind that its patch has given it, or that `is` has found: so what a kind does takes an object of its own shape.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Handle = any;

export interface Kind {
  /** As a leak names it. */
  readonly name: string;
  /** Is `handle` of this kind? For what is adopted. Undefined: never. */
  is?(handle: Handle): boolean;
  /** Is it closed, or over? */
  gone(handle: Handle): boolean;
  /** Has the program begun to close it? Then it may finish, if its owner ends well. */
  ending?(handle: Handle): boolean;
  /** Is it no leak, although it is open when its owner ends well? */
  quiet?(handle: Handle): boolean;
  /** Is it destroyed as soon as what opened it is cancelled, before any cleanup? */
  readonly atOnce?: boolean;
  destroy(handle: Handle): void;
}

interface TimerLike {
  readonly _destroyed?: boolean;
}

interface EmitterLike {
  listenerCount(event: string): number;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

interface StreamLike extends EmitterLike {
  readonly destroyed: boolean;
  readonly writableEnded?: boolean;
  destroy(): unknown;
}

interface RequestLike extends StreamLike {
  readonly writableFinished: boolean;
  readonly res?: { readonly complete: boolean } | null;
}

const has = (handle: object, ...names: readonly string[]): boolean =>
  names.every((name) => typeof (handle as Record<string, unknown>)[name] === 'function');

/** What `handle` has to say of its end is for nobody. */
function silence(handle: EmitterLike): void {
  if (handle.listenerCount('error') === 0) handle.on('error', ignore);
}

function destroyStream(handle: StreamLike): void {
  silence(handle);
  handle.destroy();
}

const isTimer = (handle: object, extra: string): boolean =>
  '_destroyed' in handle && has(handle, 'ref', 'unref', 'hasRef') && extra in handle;

export const timer: Kind = {
  name: 'timer',
  is: (handle: object) => isTimer(handle, '_idleTimeout'),
  gone: (handle: TimerLike) => handle._destroyed === true,
  destroy: (handle: NodeJS.Timeout) => clearTimeout(handle),
};

export const immediate: Kind = {
  name: 'immediate',
  is: (handle: object) => isTimer(handle, '_onImmediate'),
  gone: (handle: TimerLike) => handle._destroyed === true,
  destroy: (handle: NodeJS.Immediate) => clearImmediate(handle),
};

export const socket: Kind = {
  name: 'socket',
  is: (handle: object) => has(handle, 'destroy', 'setNoDelay'),
  gone: (handle: StreamLike) => handle.destroyed,
  ending: (handle: StreamLike) => handle.writableEnded === true,
  destroy: destroyStream,
};

export const request: Kind = {
  name: 'request',
  is: (handle: object) => has(handle, 'destroy', 'setHeader', 'onSocket'),
  // Over when the answer has come whole, although a connection that is not kept alive has yet to close.
  gone: (handle: RequestLike) => handle.destroyed || (handle.res?.complete === true && handle.writableFinished),
  atOnce: true,
  destroy: destroyStream,
};

export const stream: Kind = {
  name: 'stream',
  is: (handle: object) => has(handle, 'destroy', 'on') && 'destroyed' in handle,
  gone: (handle: StreamLike) => handle.destroyed,
  ending: (handle: StreamLike) => handle.writableEnded === true,
  destroy: destroyStream,
};

interface ServerLike extends EmitterLike {
  readonly listening: boolean;
  close(): unknown;
  once(event: string, listener: () => void): unknown;
  closeAllConnections?(): void;
}

/** The servers whose listen() has to look up a name first. */
const lookingUp = new WeakSet<object>();

/** `handle` will listen, or fail, later: until then it is not gone although it does not listen. */
export function listensLater(handle: object, settled: (done: () => void) => void): void {
  lookingUp.add(handle);
  settled(() => void lookingUp.delete(handle));
}

export const server: Kind = {
  name: 'server',
  is: (handle: object) => has(handle, 'listen', 'close', 'address'),
  gone: (handle: ServerLike) => !handle.listening && !lookingUp.has(handle),
  destroy(handle: ServerLike) {
    silence(handle);
    // The name that it listens on may still be looked up.
    if (handle.listening) handle.close();
    else handle.once('listening', () => handle.close());
    // Its connections are its own, and only with its end do they have one. Those of a bare net.Server were handed to its listeners.
    handle.closeAllConnections?.();
  },
};

interface Closeable extends EmitterLike {
  close(): unknown;
}

export const datagrams: Kind = {
  name: 'datagram socket',
  is: (handle: object) => has(handle, 'bind', 'send', 'close'),
  // It says that it is closed only a tick later.
  gone(handle: { address(): unknown }) {
    try {
      handle.address();
      return false;
    } catch (error) {
      return codeOf(error) === 'ERR_SOCKET_DGRAM_NOT_RUNNING';
    }
  },
  destroy(handle: Closeable) {
    silence(handle);
    handle.close();
  },
};

export const child: Kind = {
  name: 'child process',
  is: (handle: object) => handle instanceof ChildProcess,
  gone: (handle: childProcess.ChildProcess) =>
    handle.pid === undefined || handle.exitCode !== null || handle.signalCode !== null,
  // The program has asked it to end; that it does is seen to.
  quiet: (handle: childProcess.ChildProcess) => handle.killed,
  destroy(handle: childProcess.ChildProcess) {
    silence(handle);
    killChild.call(handle, 'SIGTERM');
    const grace = setTimeout(() => {
      if (!child.gone(handle)) killChild.call(handle, 'SIGKILL');
    }, GRACE_MS);
    grace.unref();
    handle.once('exit', () => clearTimeout(grace));
  },
};

/** The watchers of whole trees that were closed: they have no field that tells, and say so only a tick later. */
const closedTrees = new WeakSet<object>();

/** Note when `handle`, a watcher, is closed. */
export function noteClose(handle: object): void {
  if ('_handle' in handle) return;
  const { close } = handle as { close(): unknown };
  const value = (): unknown => {
    closedTrees.add(handle);
    return close.call(handle);
  };
  Object.defineProperty(handle, 'close', { value, configurable: true, writable: true });
}

export const watcher: Kind = {
  name: 'watcher',
  is: (handle: object) => has(handle, 'close', 'ref', 'unref', 'on') && handle.constructor.name === 'FSWatcher',
  gone: (handle: { readonly _handle?: unknown }) => handle._handle === null || closedTrees.has(handle),
  destroy(handle: Closeable) {
    silence(handle);
    handle.close();
  },
};

interface StatWatcherLike {
  listeners(event: string): readonly unknown[];
}

/** One listener of fs.watchFile: the watcher itself is shared by all that watch the file. */
export const fileListener: Kind = {
  name: 'watcher',
  gone: ({ watcher: shared, listener }: { watcher: StatWatcherLike; listener: unknown }) =>
    !shared.listeners('change').includes(listener),
  destroy: ({ stop }: { stop(): void }) => stop(),
};

export const fileHandle: Kind = {
  name: 'file handle',
  is: (handle: object) => has(handle, 'close', 'stat', 'datasync') && 'fd' in handle,
  gone: (handle: { readonly fd: number }) => handle.fd === -1,
  destroy(handle: { close(): Promise<void> }) {
    handle.close().then(undefined, ignore);
  },
};

/** Narrow ones first: a request and a socket are streams too. */
const kinds: readonly Kind[] = [
  timer,
  immediate,
  child,
  fileHandle,
  datagrams,
  watcher,
  server,
  request,
  socket,
  stream,
];

/** The kind of a handle that is adopted; undefined if it is none. */
export function kindOf(handle: unknown): Kind | undefined {
  if (typeof handle !== 'object' || handle === null) return undefined;
  const kind = kinds.find((candidate) => candidate.is?.(handle) === true);
  if (kind === watcher) noteClose(handle);
  return kind;
}
