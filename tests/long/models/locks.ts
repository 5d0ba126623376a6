// locks.ts: two locks of a kind (Mutex, RLock, RWLock) against plain ones: hand-over, owners, self-locks and cycles of two.
import fc from 'fast-check';
import { type Greenlet, Mutex, type Op, RLock, RWLock, type Waitable } from 'tendril/core';
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
import { DEADLOCK, type ModelLock, ModelOwnedLock, ModelRWLock, type Side, type WaitsFor } from './model-locks.ts';
import { type Player, Stage } from './stage.ts';

export type Kind = 'mutex' | 'rlock' | 'rwlock';

interface Act {
  readonly do: 'acquire' | 'tryAcquire' | 'release';
  readonly lock: number;
  readonly side: Side;
  readonly withinMs: number | undefined;
}

interface RealSide {
  acquire(): Waitable<void>;
  tryAcquire(): boolean;
  release(): void;
}

/** A lock with its model. */
class Pair {
  readonly model: ModelLock;
  readonly #lock: Mutex | RLock | RWLock;
  constructor(stage: Stage, kind: Kind) {
    this.model = kind === 'rwlock' ? new ModelRWLock(stage) : new ModelOwnedLock(stage, kind === 'rlock');
    this.#lock = watch(kind === 'rwlock' ? new RWLock() : kind === 'rlock' ? new RLock() : new Mutex());
  }

  side(side: Side): RealSide {
    const lock = this.#lock;
    if (!(lock instanceof RWLock)) return lock;
    return side === 'read' ? lock.read() : lock.write();
  }

  releaseAll(greenlet: Greenlet): void {
    const lock = this.#lock;
    if (!(lock instanceof RWLock)) {
      while (lock.owner === greenlet) lock.release();
      return;
    }
    if (lock.writer === greenlet) lock.write().release();
    while (lock.readHolds.has(greenlet)) lock.read().release();
  }

  seen(): unknown {
    const lock = this.#lock;
    if (lock instanceof RWLock) return [lock.writer !== undefined, lock.readers, lock.waiting];
    return [lock.locked, lock.waiters.size, lock instanceof RLock ? lock.depth : undefined];
  }
}

class LockGame implements Game<Act> {
  readonly #stage: Stage;
  readonly #locks: readonly Pair[];
  readonly #waitsFor: WaitsFor = new Map();

  constructor(stage: Stage, kinds: readonly Kind[]) {
    this.#stage = stage;
    this.#locks = kinds.map((kind) => new Pair(stage, kind));
  }

  deed({ do: verb, lock, side, withinMs }: Act): RealDeed {
    const pair = this.#locks[lock] as Pair;
    const { model } = pair;
    if (verb === 'tryAcquire')
      return deedAtOnce(
        () => String(pair.side(side).tryAcquire()),
        (player) => String(model.take(player, side)),
      );
    if (verb === 'release')
      return deedAtOnce(
        () => attempt(() => pair.side(side).release() ?? 'released'),
        (player) => model.release(player, side),
      );
    return deedOfWait<void>(
      this.#stage,
      () => pair.side(side).acquire(),
      () => 'acquired',
      (player) => {
        if (model.take(player, side)) return 'acquired';
        if (model.obstructed(player, side)) return DEADLOCK;
        return withinMs === undefined && this.#closesCycle(player, () => model.blocker(side)) ? DEADLOCK : undefined;
      },
      (player) => {
        if (withinMs === undefined) this.#waitsFor.set(player, () => model.blocker(side));
        else this.#waitsFor.delete(player);
        return model.enlist(player, side);
      },
      withinMs,
    );
  }

  direct({ lock, side }: Act): readonly [string, string] {
    return [attempt(() => (this.#locks[lock] as Pair).side(side).release()), 'ERR_NOT_OWNER'];
  }

  compare(): void {
    expect(this.#locks.map((pair) => pair.seen())).toEqual(this.#locks.map((pair) => pair.model.seen()));
  }

  leave(greenlet: Greenlet): void {
    for (const pair of this.#locks) pair.releaseAll(greenlet);
  }

  left(player: Player): void {
    for (const { model } of this.#locks) model.releaseAll(player);
  }

  #closesCycle(player: Player, blocker: () => Player | undefined): boolean {
    let next = blocker();
    for (let links = 0; links < 10 && next !== undefined; links += 1) {
      if (next === player) return true;
      next = next.state === 'waiting' ? this.#waitsFor.get(next)?.() : undefined;
    }
    return false;
  }
}

export interface Program {
  readonly kinds: readonly Kind[];
  readonly cues: Cue<Act>[];
}

export function programs(kind: Kind): fc.Arbitrary<Program> {
  return fc.record({
    kinds: fc.constant([kind, kind]),
    cues: cues(
      fc.record<Act>({
        do: fc.constantFrom<Act['do']>('acquire', 'acquire', 'acquire', 'tryAcquire', 'release', 'release'),
        lock: fc.nat({ max: 1 }),
        side: fc.constantFrom<Side>('read', 'write'),
        withinMs: limitMs,
      }),
      4,
      32,
    ),
  });
}

export function* playLocks({ kinds, cues }: Program): Op<void> {
  const stage = new Stage();
  yield* perform(cues, stage, [], new LockGame(stage, kinds));
}
