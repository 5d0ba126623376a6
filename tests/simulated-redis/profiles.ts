// profiles.ts: kinds of bad days: what goes wrong, and how often.
import type { ExploreOptions } from 'tendril/testing';
import type { TormentOptions } from './torment.ts';

export interface Profile extends TormentOptions {
  readonly name: string;
  readonly options: ExploreOptions;
}

// One of eight latencies, in whole milliseconds, as all pauses are: so that much happens at the same moment.
const net = { latency: { minMs: 1, maxMs: 8 }, userTimeoutMs: 20_000 };
const choppy = { shortRead: 0.3, shortWrite: 0.2, join: 0.3 };
/** When the faults end at the latest, and how long everything may take then. */
const heal = { afterMs: 15_000, withinMs: 30_000 };
const limits = { net, heal, maxTurns: 200_000, maxSteps: 100_000 };

export const PROFILES: readonly Profile[] = [
  { name: 'kills and short reads', mischief: 0, lossless: true, options: { ...limits, faults: choppy } },
  {
    name: 'resets',
    mischief: 2,
    options: { ...limits, faults: { ...choppy, reset: 0.01, end: 0.01, drop: 0.02, delay: 0.02, refuse: 0.1 } },
  },
  {
    name: 'partitions',
    mischief: 2,
    options: { ...limits, faults: { partition: 0.5, clog: 0.5, drop: 0.03, blackhole: 0.05, dns: 0.05 } },
  },
  {
    name: 'crashes',
    mischief: 2,
    crashes: true,
    options: { ...limits, faults: { ...choppy, crash: 0.5, reset: 0.005, drop: 0.02 } },
  },
];
