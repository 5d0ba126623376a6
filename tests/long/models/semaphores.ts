// semaphores.ts: Semaphore and BoundedSemaphore against a number and a line.
import fc from 'fast-check';
import { BoundedSemaphore, type Op, Semaphore } from 'tendril/core';
import { expect } from 'vitest';
import { watch } from '../../core/world.ts';
import {
  attempt,
  type Cue,
  cues,
  deedAtOnce,
  deedOfWait,
  type Game,
  limitMs,
  perform,
  type RealDeed,
} from './actors.ts';
import { Line, type Player, Stage } from './stage.ts';

interface Act {
  readonly do: 'acquire' | 'tryAcquire' | 'release';
  readonly withinMs: number | undefined;
}

interface Setup {
  readonly permits: number;
  readonly bounded: boolean;
}

class SemaphoreGame implements Game<Act> {
  readonly #stage: Stage;
  readonly #setup: Setup;
  readonly #semaphore: Semaphore;
  readonly #line = new Line<{ player: Player }>();
  #permits: number;

  constructor(stage: Stage, setup: Setup) {
    this.#stage = stage;
    this.#setup = setup;
    this.#permits = setup.permits;
    this.#semaphore = watch(setup.bounded ? new BoundedSemaphore(setup.permits) : new Semaphore(setup.permits));
  }

  deed({ do: verb, withinMs }: Act): RealDeed {
    if (verb !== 'acquire')
      return deedAtOnce(
        () => this.#real(verb),
        () => this.#expected(verb),
      );
    return deedOfWait<void>(
      this.#stage,
      () => this.#semaphore.acquire(),
      () => 'acquired',
      () => (this.#take() ? 'acquired' : undefined),
      (player) => this.#line.push({ player }),
      withinMs,
    );
  }

  direct({ do: verb }: Act): readonly [string, string] {
    const twin = verb === 'acquire' ? 'tryAcquire' : verb;
    return [this.#real(twin), this.#expected(twin)];
  }

  compare(): void {
    expect([this.#semaphore.permits, this.#semaphore.waiters.size]).toEqual([this.#permits, this.#line.size]);
  }

  #take(): boolean {
    if (this.#permits === 0) return false;
    this.#permits -= 1;
    return true;
  }

  #real(verb: 'tryAcquire' | 'release'): string {
    const semaphore = this.#semaphore;
    if (verb === 'tryAcquire') return String(semaphore.tryAcquire());
    return attempt(() => semaphore.release() ?? 'released').replace(/^ERR_.*/, 'refused');
  }

  #expected(verb: 'tryAcquire' | 'release'): string {
    if (verb === 'tryAcquire') return String(this.#take());
    if (this.#setup.bounded && this.#permits === this.#setup.permits) return 'refused';
    const next = this.#line.shift();
    if (next === undefined) this.#permits += 1;
    else this.#stage.commit(next.player, 'acquired');
    return 'released';
  }
}

export interface Program {
  readonly setup: Setup;
  readonly cues: Cue<Act>[];
}

export function programs(bounded: boolean): fc.Arbitrary<Program> {
  return fc.record({
    setup: fc.record<Setup>({ permits: fc.nat({ max: 3 }), bounded: fc.constant(bounded) }),
    cues: cues(
      fc.record<Act>({
        do: fc.constantFrom<Act['do']>('acquire', 'acquire', 'acquire', 'tryAcquire', 'release', 'release'),
        withinMs: limitMs,
      }),
      5,
    ),
  });
}

export function* playSemaphore({ setup, cues }: Program): Op<void> {
  const stage = new Stage();
  yield* perform(cues, stage, [], new SemaphoreGame(stage, setup));
}
