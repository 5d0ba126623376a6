// seeds.ts: how many seeds the long explorations take: all that they say, or the share of them that TENDRIL_SEEDS_SHARE names, where the time is short.

const share = Number(process.env.TENDRIL_SEEDS_SHARE ?? 1);
if (!(share > 0 && share <= 1))
  throw new RangeError(`TENDRIL_SEEDS_SHARE is ${share}: a number above 0, and at most 1`);

/** As many of `seeds` as this run takes. */
export function seedsOf(seeds: number): number {
  return Math.ceil(seeds * share);
}
