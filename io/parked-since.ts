// parked-since.ts: which greenlets have waited in one and the same wait for a long time.
//
// No greenlet keeps the time at which it parked: that would cost every switch. It counts its parks. So who asks again and again learns it from the
// difference: a greenlet counts from the first question that found it in the wait in which it still is. Between the questions nothing is paid for.

import type { Greenlet } from '../core/greenlet.ts';

interface Seen {
  readonly parks: number;
  readonly sinceMs: number;
}

/** Who was seen waiting, and since when. */
export class ParkedSince {
  #seen: WeakMap<Greenlet, Seen> = new WeakMap();

  /** Those of `greenlets` that were seen in the same wait at least `forMs` before `nowMs`. */
  longer(greenlets: readonly Greenlet[], forMs: number, nowMs: number): Greenlet[] {
    return greenlets.filter((greenlet) => {
      if (greenlet.state !== 'parked') return false;
      const seen = this.#seen.get(greenlet);
      if (seen?.parks === greenlet.parks) return nowMs - seen.sinceMs >= forMs;
      this.#seen.set(greenlet, { parks: greenlet.parks, sinceMs: nowMs });
      return forMs === 0;
    });
  }
}
