// explore-program.ts: explore the Redis client in a process of its own; prints one line of JSON for each exploration.
//
// Arguments: how many seeds for each of the bad days, and for each thing that close() may interrupt; where the seeds begin; and the name of the one
// exploration that is wanted, all of them if there is none. A process of its own, because a test runner's way of loading modules is slow.

import type { Op } from 'tendril';
import { ExplorationError, type ExploreOptions, explore, type SimulatedWorld } from 'tendril/testing';
import { ACTS, CLOSING_NET, closing } from './closing.ts';
import { PROFILES } from './profiles.ts';
import { torment } from './torment.ts';

export interface Explored {
  readonly name: string;
  readonly runs: number;
  readonly distinct: number;
  readonly choices: number;
  readonly ms: number;
  /** The run that failed, step by step, and how to repeat it. */
  readonly report?: string;
}

const [seeds = '1000', closingSeeds = '100', seed = '1', name] = process.argv.slice(2);

async function exploreOne(
  about: string,
  body: (world: SimulatedWorld) => Op<unknown>,
  options: ExploreOptions,
): Promise<void> {
  if (name !== undefined && name !== about) return;
  const startedMs = performance.now();
  const explored = await explore(body, {
    ...options,

    seed: Number(seed),
  }).catch((error: unknown) => {
    if (!(error instanceof ExplorationError)) throw error;
    return { runs: error.runs, distinct: 0, choices: 0, report: error.message };
  });
  const ms = Math.round(performance.now() - startedMs);
  console.log(JSON.stringify({ name: about, ...explored, ms } satisfies Explored));
}

for (const profile of PROFILES)
  await exploreOne(profile.name, torment(profile), { ...profile.options, seeds: Number(seeds) });
for (const [what, act] of Object.entries(ACTS))
  await exploreOne(`closed while ${what}`, closing(act), { net: CLOSING_NET, seeds: Number(closingSeeds) });
