// conditions.ts: Condition over a Mutex or an RLock against a plain one: whoever waits has let the lock go, and has it again whatever happens.
import fc from 'fast-check';
import { Condition, type Greenlet, Mutex, type Op, RLock, timeout } from 'tendril/core';
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
import { DEADLOCK, ModelOwnedLock, NOT_OWNER } from './model-locks.ts';
import { Line, type Player, Stage } from './stage.ts';

interface Act {
  readonly do: 'acquire' | 'release' | 'wait' | 'waitFor' | 'notify' | 'raise' | 'lower';
  readonly count: number;
  readonly withinMs: number | undefined;
}

class ConditionGame implements Game<Act> {
  readonly #stage: Stage;
  readonly #lock: ModelOwnedLock;
  readonly #waiters = new Line<{ player: Player }>();
  readonly #condition: Condition;
  #raised = false;
  #expected = false;

  constructor(stage: Stage, reentrant: boolean) {
    this.#stage = stage;
    this.#lock = new ModelOwnedLock(stage, reentrant);
    this.#condition = watch(new Condition(reentrant ? new RLock() : new Mutex()));
  }

  deed({ do: verb, count, withinMs }: Act): RealDeed {
    const condition = this.#condition;
    const lock = this.#lock;
    switch (verb) {
      case 'acquire':
        return deedOfWait<void>(
          this.#stage,
          () => condition.acquire(),
          () => 'acquired',
          (player) => (lock.take(player) ? 'acquired' : lock.obstructed(player) ? DEADLOCK : undefined),
          (player) => lock.enlist(player),
          withinMs,
        );
      case 'release':
        return deedAtOnce(
          () => attempt(() => condition.release() ?? 'released'),
          (player) => lock.release(player),
        );
      case 'notify':
        return deedAtOnce(
          () => attempt(() => condition.notify(count) ?? 'notified'),
          (player) => this.#notify(player, count),
        );
      case 'raise':
      case 'lower':
        return deedAtOnce(
          () => String((this.#raised = verb === 'raise')),
          () => String((this.#expected = verb === 'raise')),
        );
      default:
        return this.#wait(verb, withinMs);
    }
  }

  compare(): void {
    const { waiting, lock } = this.#condition;
    expect([waiting, lock.locked, lock.waiters.size, lock instanceof RLock ? lock.depth : undefined]).toEqual([
      this.#waiters.size,
      ...(this.#lock.seen() as unknown[]),
    ]);
  }

  leave(greenlet: Greenlet): void {
    while (this.#condition.lock.owner === greenlet) this.#condition.release();
  }

  left(player: Player): void {
    this.#lock.releaseAll(player);
  }

  #wait(verb: 'wait' | 'waitFor', withinMs: number | undefined): RealDeed {
    const condition = this.#condition;
    const asks = verb === 'waitFor';
    return {
      waits: false, // who does not have the lock is told so, killed or not
      real: function* (this: ConditionGame): Op<string> {
        const wait: Op<unknown> = asks ? condition.waitFor(() => this.#raised) : condition.wait();
        if (withinMs === undefined) yield* wait;
        else if ((yield* timeout(withinMs, wait, { else: 'expired' })) === 'expired') return 'expired';
        return 'notified';
      }.bind(this),
      model: (player) => {
        if (this.#lock.owner !== player) return NOT_OWNER;
        this.#stage.limit(player, withinMs);
        return this.#begin(player, asks, true);
      },
    };
  }

  /** To be notified; `first` of a wait that asks before it waits. */
  #begin(player: Player, asks: boolean, first: boolean): string | undefined {
    const pending = this.#stage.pending(player);
    if (pending !== undefined) return pending;
    if (asks && first && this.#expected) return 'notified';
    const taken = this.#lock.releaseAll(player);
    player.onward = (outcome) => this.#regain(player, taken, outcome, asks, 0);
    return this.#stage.wait(player, this.#waiters.push({ player }));
  }

  /** The lock comes back, before whatever became of the wait is told. Errors thrown in meanwhile are kept for later. */
  #regain(player: Player, taken: number, outcome: string, asks: boolean, late: number): string | undefined {
    const lock = this.#lock;
    if (lock.owner !== player && !lock.take(player)) {
      player.masked = true;
      // Thrown in before it came to wait: each is thrown at the start of the wait, and caught.
      late += player.thrown;
      player.thrown = 0;
      player.onward = (again) => this.#regain(player, taken, outcome, asks, late + (again === 'thrown' ? 1 : 0));
      return this.#stage.wait(player, lock.enlist(player));
    }
    player.masked = false;
    lock.depth = taken;
    player.thrown += late;
    if (outcome !== 'notified') return outcome === 'expired' && player.killed ? 'killed' : outcome;
    if (!asks || this.#expected) return outcome;
    return this.#begin(player, asks, false);
  }

  #notify(player: Player, count: number): string {
    if (this.#lock.owner !== player) return NOT_OWNER;
    for (let left = count; left > 0; left -= 1) {
      const waiter = this.#waiters.shift();
      if (waiter === undefined) break;
      this.#stage.commit(waiter.player, 'notified');
    }
    return 'notified';
  }
}

export interface Program {
  readonly reentrant: boolean;
  readonly cues: Cue<Act>[];
}

export const programs: fc.Arbitrary<Program> = fc.record({
  reentrant: fc.boolean(),
  cues: cues(
    fc.record<Act>({
      do: fc.constantFrom<Act['do']>(
        'acquire',
        'acquire',
        'acquire',
        'release',
        'release',
        'wait',
        'wait',
        'waitFor',
        'notify',
        'notify',
        'raise',
        'lower',
      ),
      count: fc.constantFrom(1, 1, 2, Number.POSITIVE_INFINITY),
      withinMs: limitMs,
    }),
    4,
    40,
  ),
});

export function* playCondition({ reentrant, cues }: Program): Op<void> {
  const stage = new Stage();
  yield* perform(cues, stage, [], new ConditionGame(stage, reentrant));
}
