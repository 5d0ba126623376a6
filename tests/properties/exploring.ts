// exploring.ts: explore properties in other processes, two at a time, and collect what they say.
import type { Explored } from './explore-program.ts';
import type { Copy } from './mutated-copy.ts';

export type Table = 'kernel' | 'network';

/** The machine that this has to pass on has two cores. */
const AT_ONCE = 2;

/** Do `work` for each of `items`, two at a time; results are in the order of the items. */
export async function twoAtATime<I, R>(
  items: readonly I[],
  work: (item: I, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++)
      results[index] = await work(items[index] as I, index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** Explore the properties with these `names` in `copy`, in one process; with `first` only as far as the first that is broken. */
export async function exploreIn(
  copy: Copy,
  table: Table,
  seeds: number,
  mode: 'first' | 'all',
  names: readonly string[],
): Promise<Explored[]> {
  const printed = await copy.run(
    'tests/properties/explore-program.ts',
    [table, String(seeds), mode, ...names],
    300_000,
  );
  return printed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Explored);
}
