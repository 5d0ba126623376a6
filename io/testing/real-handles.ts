// real-handles.ts: what Node opens, as async_hooks shows it: what it is called, whether it is real, and how it is closed again.
//
// The types are the names that Node gives to its own resources. Unknown ones count as real: a new version of Node that opens something new is
// noticed, and can be allowed. What a program makes itself (AsyncResource) opens nothing.
//
// Not real, although they look like it: what the console opens to print; zlib and crypto in their synchronous forms, which use the same objects.

// Taken at load: fake timers do not know what they did not make.
const { clearTimeout, clearImmediate } = globalThis;

const NEVER_REAL: readonly string[] = ['PROMISE', 'TickObject', 'Microtask', 'WRITEWRAP', 'SHUTDOWNWRAP', 'JSSTREAM'];
const PARSERS: readonly string[] = ['HTTPINCOMINGMESSAGE', 'HTTPCLIENTREQUEST'];

/** Types that are never an error: they wait for nothing, or are part of something that was counted when it was opened. */
export const notReal: ReadonlySet<string> = new Set([...NEVER_REAL, ...PARSERS]);

interface Kind {
  readonly types: RegExp;
  readonly what: string;
  readonly instead: string;
}

const network = 'use connect() and listen() of tendril, which a simulation gives its own network';
const kinds: readonly Kind[] = [
  { types: /^Timeout$/, what: 'a timer', instead: 'use sleep(), timeout() or spawnLater() of tendril' },
  { types: /^Immediate$/, what: 'an immediate', instead: 'use yieldNow() of tendril' },
  { types: /^(TCP|PIPE|TLS|TTY)/, what: 'a socket', instead: network },
  { types: /^UDP/, what: 'a datagram socket', instead: network },
  { types: /^(GETADDRINFO|GETNAMEINFO|QUERY|DNSCHANNEL)/, what: 'a DNS lookup', instead: network },
  { types: /^(FS|STATWATCHER|FILEHANDLE|DIRHANDLE)/, what: 'a file', instead: 'read it before the simulation begins' },
  { types: /^PROCESSWRAP$/, what: 'a child process', instead: 'give the body a stand-in for it' },
  { types: /^(WORKER|MESSAGEPORT)$/, what: 'a worker or its port', instead: 'give the body a stand-in for it' },
  { types: /^SIGNALWRAP$/, what: 'a signal handler', instead: 'give the body a channel for it' },
];

/** What a resource of `type` is called, and what to use in its place. */
export function kindOf(type: string): { readonly what: string; readonly instead: string } {
  return (
    kinds.find(({ types }) => types.test(type)) ?? { what: 'something', instead: 'give the body a stand-in for it' }
  );
}

const PRINTING = /\(?node:internal\/(console|bootstrap)\//;
const SYNCHRONOUS = /Sync\]? \(node:zlib:/;
/** Node keeps the text of the current second in it, whoever asked first. */
const DATE_HEADER = /\butcDate \(node:/;

/** Is this resource part of something that is over when the call that made it returns, or of printing? `frames` is where it was made. */
export function isHarmless(type: string, resource: object, frames: readonly string[]): boolean {
  if (frames.some((frame) => PRINTING.test(frame))) return true;
  if (type === 'Timeout') return frames.some((frame) => DATE_HEADER.test(frame));
  // The jobs of crypto are told apart by whom they call when they are done: nobody, if they are done at once.
  if (resource.constructor.name.endsWith('Job')) return typeof (resource as { ondone?: unknown }).ondone !== 'function';
  return type === 'ZLIB' && frames.some((frame) => SYNCHRONOUS.test(frame));
}

type Closing = 'destroy' | 'close' | 'kill' | 'stop' | 'stopThread';

/** Close what can be closed. `frames` is where it was made. A request that is under way (a file, a lookup) cannot be stopped. */
export function closeRealHandle(type: string, resource: object, frames: readonly string[]): void {
  if (type === 'Timeout' && madeByNode(frames)) return; // its owner is closed, or it is a timer that Node shares
  if (type === 'Timeout') clearTimeout(resource as NodeJS.Timeout);
  else if (type === 'Immediate') clearImmediate(resource as NodeJS.Immediate);
  // Half of a worker's ports belong to the worker; they go with it.
  else if (type === 'MESSAGEPORT' && frames.some((frame) => /new Worker/.test(frame))) return;
  else closeOwner(ownerOf(resource)) || closeOwner(resource);
}

function closeOwner(owner: object | undefined): boolean {
  if (owner === undefined) return false;
  const methods = owner as Partial<Record<Closing, (argument?: string) => unknown>>;
  for (const name of ['destroy', 'kill', 'stop', 'stopThread', 'close'] as const) {
    if (typeof methods[name] !== 'function') continue;
    try {
      methods[name](...(name === 'kill' ? ['SIGKILL'] : []));
    } catch {
      // It was never opened, or is closed already.
    }
    return true;
  }
  return false;
}

/** The socket, server, child or watcher that a handle of Node's belongs to. */
function ownerOf(handle: object): object | undefined {
  const key = Object.getOwnPropertySymbols(handle).find(({ description }) => description === 'owner_symbol');
  const owner: unknown = key === undefined ? undefined : (handle as Record<symbol, unknown>)[key];
  return typeof owner === 'object' && owner !== null ? owner : undefined;
}

function madeByNode(frames: readonly string[]): boolean {
  const maker = frames.find((frame) => !/node:(internal\/)?timers|<anonymous>/.test(frame));
  return maker !== undefined && /node:/.test(maker);
}
