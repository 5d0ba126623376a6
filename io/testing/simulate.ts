// simulate.ts: simulate, explore and replay with a simulated network, and with a guard against real timers and handles.
//
// What they do stands in core/testing, which knows no network. Here a world gets one (`world.net`), so that code on our sockets runs in it unchanged,
// and an exploration lets the process's event loop have a turn now and then, so that a test runner can end it.

import type { Op } from '../../core/op.ts';
import {
  type ExploreOptions as CoreExploreOptions,
  type ReplayOptions as CoreReplayOptions,
  type ExploreHost,
  type ExploreReport,
  exploreIn,
  replayIn,
} from '../../core/testing/explore.ts';
import {
  type SimulateOptions as CoreSimulateOptions,
  type SimulationReport,
  simulateIn,
} from '../../core/testing/simulate.ts';
import { Guard, type GuardOptions } from './guard.ts';
import type { Faults } from './simulated-nemesis.ts';
import { checkSettings, type SimulatedNetworkOptions } from './simulated-settings.ts';
import { type SimulatedWorld, worldMaker } from './simulated-world.ts';

/** The network of each world, and its random faults, which end with `heal`. */
export interface NetworkOptions {
  readonly net?: Omit<SimulatedNetworkOptions, 'faults'> | undefined;
  readonly faults?: Faults | undefined;
}

/** Whether a real timer or handle that the body opens is an error: it is, unless `guard` is false. */
export interface GuardedOptions {
  readonly guard?: boolean | GuardOptions | undefined;
}

export interface SimulateOptions extends CoreSimulateOptions, NetworkOptions {}
export interface ReplayOptions extends CoreReplayOptions, NetworkOptions, GuardedOptions {}
export interface ExploreOptions extends CoreExploreOptions, NetworkOptions, GuardedOptions {}

const { setImmediate, setInterval, clearInterval } = globalThis;
/** The longest that an interval may be; it is only there to be there. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Run `body` once, under a virtual clock and over a simulated network, until every greenlet that it made has ended.
 *
 * Without a seed nothing is left to chance: the oldest greenlet runs and what the world is asked has the mildest answer. With one every decision is drawn
 * from it. `net` and `faults` describe the network.
 *
 * Rejects with the body's error, with DeadlockError if nothing can go on, with LivenessError if a limit in time is reached, or with the
 * first error that nobody looked at.
 */
export function simulate<T>(
  body: (world: SimulatedWorld) => Op<T>,
  options: SimulateOptions = {},
): Promise<SimulationReport<T>> {
  return checked(() => simulateIn(body, options, hostFor(options)));
}

/**
 * Run `body` under many schedules and faults, each in a world of its own; when a run fails, make it simple and say how to repeat it.
 *
 * Rejects with ExplorationError at the first run that fails: by the body's error, a deadlock, an error that nobody looked at, greenlets that were
 * left parked, a limit, a real handle. Its message has the line that replays the run, the steps, and who waited where.
 *
 * @throws NondeterminismError if the same choices do not give the same run. @throws TypeError, RangeError for bad options.
 */
export function explore(
  body: (world: SimulatedWorld) => Op<unknown>,
  options: ExploreOptions = {},
): Promise<ExploreReport> {
  return guarded(options, (guard) => exploreIn(body, options, { ...hostFor(options), guard }));
}

/**
 * Play the one run that `token` stands for, as a failed exploration printed it; `net` and `faults` have to be those of the exploration.
 *
 * Resolves with what the body returns. Rejects with the error of the run; TypeError for a token that is damaged.
 */
export function replay<T>(
  token: string,
  body: (world: SimulatedWorld) => Op<T>,
  options: ReplayOptions = {},
): Promise<T> {
  return guarded(options, (guard) => replayIn(token, body, options, { ...hostFor(options), guard }));
}

/** What is wrong with the options rejects, as everything else does. */
async function checked<T>(action: () => Promise<T>): Promise<T> {
  return action();
}

async function guarded<T>(options: GuardedOptions, action: (guard: Guard | undefined) => Promise<T>): Promise<T> {
  const guard = options?.guard ?? true;
  if (guard === false) return action(undefined);
  const watching = new Guard(guard === true ? {} : guard);
  try {
    return await action(watching);
  } finally {
    watching.close();
  }
}

function hostFor(options: NetworkOptions): ExploreHost<SimulatedWorld> {
  // The core refuses options that are no object.
  const network = networkOptions(options ?? {});
  checkSettings(network);
  return {
    makeWorld: worldMaker(network),
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    hold() {
      const interval = setInterval(() => {}, LONGEST_MS);
      return () => clearInterval(interval);
    },
  };
}

function networkOptions({ net, faults }: NetworkOptions): SimulatedNetworkOptions {
  return faults === undefined ? { ...net } : { ...net, faults };
}
