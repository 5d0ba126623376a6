// leftovers.ts: is everything as it was? Greenlets, handles of ours, and what keeps Node's loop alive.
//
// Closing takes the operating system a moment, so the question is asked again until it is answered well, or PATIENCE_MS are over.

import { hub, now, type Op, openHandles, sleep } from 'tendril';

/** What was there at one moment: how many of each kind. */
export type Snapshot = ReadonlyMap<string, number>;

const PATIENCE_MS = 3_000;

export function* snapshot(): Op<Snapshot> {
  yield* sleep(1); // so that the timer of this wait is in every snapshot, and not in some
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  counts.set('greenlet', hub.stats().greenlets);
  counts.set('handle of ours', openHandles().total);
  return counts;
}

/** What there is more of than `before`: empty if nothing is left over. */
export function* leftovers(before: Snapshot): Op<string[]> {
  const untilMs = now() + PATIENCE_MS;
  for (;;) {
    const after = yield* snapshot();
    const more = [...after].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    if (more.length === 0 || now() > untilMs)
      return more.map(([kind, count]) => `${kind}: ${before.get(kind) ?? 0} at the start, ${count} now`);
    yield* sleep(10);
  }
}
