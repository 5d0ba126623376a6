// mutants.test.ts: the properties find bugs: each mutant of the kernel, of io and of the Redis sample is broken by one of them within 10,000 runs.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Explored } from '../properties/explore-program.ts';
import { exploreIn, twoAtATime } from '../properties/exploring.ts';
import { MUTANTS, type Mutant } from '../properties/mutants.ts';
import { Copy } from '../properties/mutated-copy.ts';

const SEEDS = 10_000;

interface Verdict {
  readonly mutant: Mutant;
  readonly by: Explored | undefined;
}

async function hunt(mutant: Mutant): Promise<Verdict> {
  const copy = new Copy(mutant);
  try {
    const explored = await exploreIn(copy, mutant.table, SEEDS, 'first', mutant.properties);
    return { mutant, by: explored.find(({ broken }) => broken !== undefined) };
  } finally {
    copy.remove();
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

let verdicts: readonly Verdict[] = [];

beforeAll(async () => {
  const startedMs = performance.now();
  verdicts = await twoAtATime(MUTANTS, hunt);
  const lines = verdicts.map(({ mutant: { name }, by }) =>
    by === undefined
      ? `${name}: not found in ${SEEDS} runs`
      : `${name}: run ${by.runs} of '${by.name}': ${by.broken?.split('\n')[0]}`,
  );
  const runs = verdicts.flatMap(({ by }) => (by === undefined ? [] : [by.runs]));
  console.log(
    [
      ...lines,
      `${runs.length} of ${MUTANTS.length} mutants found, in ${median(runs)} runs (median), ${Math.max(...runs)} at most;`,
      `${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
    ].join('\n'),
  );
}, 600_000);

describe('The properties find', () => {
  it.each(MUTANTS.map(({ name }, index) => ({ name, index })))('$name', ({ index }) => {
    expect(verdicts[index]?.by?.broken, `not found in ${SEEDS} runs`).toBeDefined();
  });
});
