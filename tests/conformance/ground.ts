// ground.ts: what the same socket behaviours are run on: loopback TCP, Unix sockets, TLS, the simulated network.
//
// A ground opens a place for one case: a world with nothing in it. The case gets its addresses from the place and uses the public sockets for
// everything else, so no case knows where it runs. What the case opens through the place is closed after it, and then nothing may be left: no handle,
// no greenlet, no wait, no timer, no error that the case has not asked for.
import {
  type ConnectOptions,
  connect,
  current,
  type Endpoint,
  type Greenlet,
  type Listener,
  type ListenOptions,
  listen,
  type Op,
  openHandles,
  type Socket,
  type SocketOptions,
  sleep,
  timeout,
} from 'tendril';
import { requireScheduler } from '../../core/kernel.ts';

/** Host and port, or a path. */
export type AddressKind = 'TCP' | 'Unix';

export type GroundName = AddressKind | 'TLS' | `simulated ${AddressKind}`;

export interface Ground {
  readonly name: GroundName;
  readonly kind: AddressKind;
  /** Run `body` in a place of its own, and say what it has returned. */
  open(body: (place: Place) => Op<unknown>): Promise<unknown>;
}

/** Where a ground's addresses come from. */
export interface Site {
  readonly kind: AddressKind;
  /** An address that is free to listen on. */
  free(): Endpoint;
  /** An address at which nobody listens: a connection is refused. */
  deserted(): Op<Endpoint>;
  /** An address from which no answer comes. */
  silent(): Op<Endpoint>;
  /** How to listen and connect there, if not by `listen` and `connect`. */
  listen?(endpoint: Endpoint, options?: ListenOptions): Op<Listener>;
  connect?(endpoint: Endpoint, options?: ConnectOptions): Op<Socket>;
  /** How long until what is under way has arrived. */
  readonly settleMs: number;
  /** How long a case may take. */
  readonly limitMs: number;
}

/** Which end of a connection: the one that connected, or the one that was accepted. */
export type Role = 'connected' | 'accepted';

export interface PairOptions {
  readonly near?: SocketOptions;
  readonly far?: SocketOptions;
}

interface Closable {
  close(): void;
}

/** What a case gets. */
export class Place {
  readonly site: Site;
  /** Errors that nobody was given. A case that expects some takes them out. */
  readonly errors: unknown[] = [];
  readonly #opened: Closable[] = [];

  constructor(site: Site) {
    this.site = site;
  }

  /** Have `opened` closed after the case. */
  keep<T extends Closable>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  *listen(options?: ListenOptions, endpoint: Endpoint = this.site.free()): Op<Listener> {
    return this.keep(yield* this.site.listen?.(endpoint, options) ?? listen(endpoint, options));
  }

  *connect(to: Listener, options?: ConnectOptions): Op<Socket> {
    return this.keep(yield* this.dial(to.address, options));
  }

  /** Connect to whatever is there; what comes of it is the case's to close. */
  dial(endpoint: Endpoint, options?: ConnectOptions): Op<Socket> {
    return this.site.connect?.(endpoint, options) ?? connect(endpoint, options);
  }

  *accept(listener: Listener): Op<Socket> {
    return this.keep(yield* listener.accept());
  }

  /** Both ends of a new connection. */
  *pair(role: Role, { near, far }: PairOptions = {}): Op<{ near: Socket; far: Socket }> {
    const [connecting, accepting] = role === 'connected' ? [near, far] : [far, near];
    const listener = yield* this.listen(accepting);
    const connected = yield* this.connect(listener, connecting);
    const accepted = yield* this.accept(listener);
    listener.close();
    return role === 'connected' ? { near: connected, far: accepted } : { near: accepted, far: connected };
  }

  /** Wait until everything that is under way has arrived. Only for what must not happen: what must is waited for. */
  settle(): Op<void> {
    return sleep(this.site.settleMs);
  }

  close(): void {
    for (const opened of this.#opened) opened.close();
  }
}

/** Run `body` in a new place on `site`, close everything, and say what is left. */
export function* visit<T>(site: Site, body: (place: Place) => Op<T>): Op<T> {
  const place = new Place(site);
  const { events } = requireScheduler();
  const unlink = events.on('error', (error) => place.errors.push(error));
  const before = others();
  try {
    const value = yield* timeout(site.limitMs, body(place));
    place.close();
    const left = leftovers(place, before);
    if (left.length > 0) throw new Error(`left over: ${left.join('; ')}`);
    return value;
  } finally {
    place.close();
    for (const greenlet of others()) if (!before.has(greenlet)) greenlet.kill('its case has ended');
    unlink();
  }
}

function others(): Set<Greenlet<unknown>> {
  const me = current();
  return new Set(
    requireScheduler()
      .greenlets()
      .filter((greenlet) => greenlet !== me),
  );
}

function leftovers(place: Place, before: ReadonlySet<Greenlet<unknown>>): string[] {
  const { stats } = requireScheduler();
  return [
    ...openHandles().names,
    ...[...others()].filter((greenlet) => !before.has(greenlet)).map(String),
    ...place.errors.map((error) => `unseen ${String(error)}`),
    ...(stats.orphans === 0 ? [] : [`${stats.orphans} orphans`]),
  ];
}
