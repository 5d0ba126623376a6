// runs.ts: a property under many schedules, until one of them breaks it.
import { ExplorationError } from '../../core/testing/errors.ts';
import { explore } from '../../core/testing/explore.ts';
import { play } from '../../core/testing/play.ts';
import { World } from '../../core/testing/world.ts';
import type { NetworkProperty } from './network-property.ts';
import type { Property } from './property.ts';

/** A run that broke a property. */
export interface Breach {
  /** How many runs it took, this one included. */
  readonly runs: number;
  readonly error: unknown;
  /** What an exploration prints: the line that replays the run, and its steps. */
  readonly report: string;
}

/** A broken kernel may tick or spin for ever. */
const LIMITS = { maxTurns: 20_000, maxSteps: 100_000, maxMs: 1_000_000 };

/** Run `property` under `seeds` schedules; the first that breaks it, made simple in at most `maxShrinks` attempts. */
export async function firstBreach(
  property: Property | NetworkProperty,
  seeds: number,
  maxShrinks = 0,
): Promise<Breach | undefined> {
  const limits = { seeds, maxShrinks, ...LIMITS };
  if ('options' in property) {
    // Loaded when it is needed: most of what is explored is the kernel alone.
    const simulated = await import('../../io/testing/simulate.ts');
    return found(simulated.explore(property.body, { ...property.options, ...limits }));
  }
  return property.preempts === false ? firstAsInProduction(property, seeds) : found(explore(property.body, limits));
}

async function found(exploring: Promise<unknown>): Promise<Breach | undefined> {
  try {
    await exploring;
    return undefined;
  } catch (error) {
    if (!(error instanceof ExplorationError)) throw error;
    return { runs: error.runs, error: error.cause, report: error.message };
  }
}

/** The oldest greenlet runs and none gives way before its budget is spent; only what the property asks of its world differs. */
async function firstAsInProduction(property: Property, seeds: number): Promise<Breach | undefined> {
  const makeWorld = (...args: ConstructorParameters<typeof World>): World => new World(...args);
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { failure } = await play(property.body, { makeWorld, seed, strict: true, ...LIMITS });
    if (failure !== undefined)
      return { runs: seed, error: failure.error, report: `seed ${seed} failed: ${String(failure.error)}` };
  }
  return undefined;
}
