// pairs.ts: the same behaviours on what has two ends and no addresses: a pair in memory, streams of Node's, pipes.
import { type Op, type Socket, timeout } from 'tendril';
import type { Case } from './case.ts';
import { endingCases } from './cases-end.ts';
import { closingGracefully } from './cases-graceful.ts';
import { killing } from './cases-kill.ts';
import { reading } from './cases-read.ts';
import { resetting } from './cases-reset.ts';
import { selecting } from './cases-select.ts';
import { writing } from './cases-write.ts';
import { type AddressKind, type PairOptions, Place, type Role, type Site } from './ground.ts';

/** Make both ends. */
export type MakePair = (role: Role, options: PairOptions) => Op<{ near: Socket; far: Socket }>;

const subjects: Readonly<Record<string, readonly Case[]>> = {
  Reading: reading,
  Writing: writing,
  Ending: endingCases,
  'Closing with care': closingGracefully,
  Resetting: resetting,
  'Giving up': killing,
  Selecting: selecting,
};

/** The cases, by subject, that need no more than a pair. */
export const pairCases: readonly (readonly [subject: string, cases: readonly Case[]])[] = Object.entries(subjects).map(
  ([subject, cases]) => [subject, cases.filter(({ body }) => !/place\.listen/.test(String(body)))],
);

const nowhere = (): never => {
  throw new Error('there are no addresses here');
};

class PairPlace extends Place {
  readonly #make: MakePair;

  constructor(site: Site, make: MakePair) {
    super(site);
    this.#make = make;
  }

  override *pair(role: Role, options: PairOptions = {}): Op<{ near: Socket; far: Socket }> {
    const { near, far } = yield* this.#make(role, options);
    return { near: this.keep(near), far: this.keep(far) };
  }
}

/** Runs cases on pairs that `make` makes and that behave as those of `kind`; what is under way has arrived after `settleMs`. */
export function onPairs(make: MakePair, kind: AddressKind, settleMs: number): (body: Case['body']) => Op<unknown> {
  const site: Site = { kind, free: nowhere, deserted: nowhere, silent: nowhere, settleMs, limitMs: 8_000 };
  return function* visit(body) {
    const place = new PairPlace(site, make);
    try {
      return yield* timeout(site.limitMs, body(place));
    } finally {
      place.close();
    }
  };
}
