// simulated-grounds.ts: the simulated network, by port and by path.
//
// Each case runs several times: first as it goes without any chance, then with seeds, which decide who runs next, how long each packet travels, where the stream
// is cut and how much of a write is taken at once; the last ones over a slow network. What is seen must be the same each time.
import { isDeepStrictEqual } from 'node:util';
import { type Endpoint, listen, type Op, sleep } from 'tendril';
import { type SimulatedWorld, type SimulateOptions, simulate } from 'tendril/testing';
import { type AddressKind, type Ground, type Place, type Site, visit } from './ground.ts';

const HOST = '127.0.0.1';
const SILENT_PORT = 7;
/** Longer than anything that the network still has to do when everything is closed: the last try to reach somebody. */
const AFTER_ALL_MS = 1_000_000;
/** The options of a slow network. */
export const slow: SimulateOptions = { net: { loopback: { minMs: 5, maxMs: 55 } } };

/** Ways to run a case. */
const variants: readonly SimulateOptions[] = [{}, { seed: 1 }, { seed: 2, ...slow }];

class SimulatedSite implements Site {
  readonly kind: AddressKind;
  readonly settleMs = 1_000;
  readonly limitMs = 600_000;
  readonly #world: SimulatedWorld;
  #names = 0;

  constructor(kind: AddressKind, world: SimulatedWorld) {
    this.kind = kind;
    this.#world = world;
  }

  free(): Endpoint {
    this.#names += 1;
    return this.kind === 'Unix' ? { path: `/run/s${this.#names}` } : { host: HOST, port: 0 };
  }

  *deserted(): Op<Endpoint> {
    const listener = yield* listen(this.free());
    listener.close();
    return listener.address;
  }

  *silent(): Op<Endpoint> {
    this.#world.net.home.blackhole(SILENT_PORT);
    return { host: HOST, port: SILENT_PORT };
  }
}

/** What `body` sees in a world of its own. */
export async function seenIn<T>(
  kind: AddressKind,
  body: (place: Place) => Op<T>,
  options: SimulateOptions,
): Promise<T> {
  const { value, leaked } = await simulate(function* (world) {
    const seen = yield* visit(new SimulatedSite(kind, world), body);
    yield* sleep(AFTER_ALL_MS);
    const left = [
      ...world.net.leftovers(),
      ...world.net.connections().map(({ client }) => `a connection of ${client}`),
    ];
    if (left.length > 0) throw new Error(`left on the network: ${left.join('; ')}`);
    return seen;
  }, options);
  if (leaked.length > 0) throw new Error(`left parked: ${leaked.join('; ')}`);
  return value;
}

/** What `body` sees each time; if that is not always the same, what it sees the first time that it is not. */
export async function seenInAll<T>(
  kind: AddressKind,
  body: (place: Place) => Op<T>,
  runs: readonly SimulateOptions[],
): Promise<unknown> {
  let first: { readonly seen: T } | undefined;
  for (const options of runs) {
    try {
      const seen = await seenIn(kind, body, options);
      first ??= { seen };
      if (!isDeepStrictEqual(seen, first.seen)) return { differs: options, seen };
    } catch (error) {
      throw new Error(`in a simulation with ${JSON.stringify(options)}: ${String(error)}`, { cause: error });
    }
  }
  return first?.seen;
}

export const simulatedTcp: Ground = {
  name: 'simulated TCP',
  kind: 'TCP',
  open: (body) => seenInAll('TCP', body, variants),
};
export const simulatedUnix: Ground = {
  name: 'simulated Unix',
  kind: 'Unix',
  open: (body) => seenInAll('Unix', body, variants),
};
