// actors.ts: greenlets that do what a random program tells them, beside a stage that says what becomes of each.
//
// A program is a list of cues: an actor is given a deed, ordinary code in between does something that never waits, somebody is killed or thrown
// at, time passes. Cues may follow each other without anybody running in between. After each cue what can be seen of the primitive is compared;
// after each one with `settle`, all that the actors have told, in order.
import fc from 'fast-check';
import {
  current,
  type Greenlet,
  idle,
  isKilled,
  type Op,
  park,
  sleep,
  timeout,
  unpark,
  type Waitable,
} from 'tendril/core';
import { expect } from 'vitest';
import { spawnQuietly, world } from '../../core/world.ts';
import { type Deed, Player, type Stage } from './stage.ts';

/** A deed with what the actor really does. */
export interface RealDeed extends Deed {
  real(): Op<string>;
}

/** A primitive with its model, for one program. */
export interface Game<A> {
  /** What an actor does; undefined if it makes no sense now. */
  deed(act: A, player: Player): RealDeed | undefined;
  /** What ordinary code does: what really happened, and what was expected. */
  direct?(act: A): readonly [real: string, expected: string] | undefined;
  /** Compare what can be seen now. */
  compare(): void;
  /** In a greenlet that ends: let go what it holds. Never waits. */
  leave?(greenlet: Greenlet): void;
  /** The same of the model. */
  left?(player: Player): void;
  /** After each settling. */
  settled?(): void;
  /** Before the actors are killed: bring to an end what would not end by that. */
  over?(): void;
}

export interface Cue<A> {
  readonly slot: number;
  readonly act: A | 'kill' | 'throw' | 'direct' | number;
  /** What `direct` does. */
  readonly with: A;
  readonly settle: boolean;
}

/** Random programs for `slots` actors, of acts that `act` gives. `kills` is how often somebody is killed, thrown at or time passes. */
export function cues<A>(act: fc.Arbitrary<A>, slots: number, most = 24): fc.Arbitrary<Cue<A>[]> {
  const one = fc.record({
    slot: fc.nat({ max: slots - 1 }),
    act: fc.oneof<[fc.WeightedArbitrary<Cue<A>['act']>, ...fc.WeightedArbitrary<Cue<A>['act']>[]]>(
      { weight: 12, arbitrary: act as fc.Arbitrary<Cue<A>['act']> },
      { weight: 2, arbitrary: fc.constant('direct' as const) },
      { weight: 2, arbitrary: fc.constant('kill' as const) },
      { weight: 1, arbitrary: fc.constant('throw' as const) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 6 }) },
    ),
    with: act,
    settle: fc.boolean(),
  });
  return fc.array(one as fc.Arbitrary<Cue<A>>, { maxLength: most, size: 'max' });
}

class ThrownIn extends Error {}

interface Actor {
  readonly player: Player;
  greenlet: Greenlet<unknown>;
  deed: RealDeed | undefined;
}

/** What an error is called in the log. */
export function nameOfError(error: unknown): string {
  if (isKilled(error)) return 'killed';
  if (error instanceof ThrownIn) return 'thrown';
  const { code, message } = error as { code?: string; message: string };
  return code ?? message;
}

/** How often each kind of outcome was told, since it was last cleared. */
export const outcomes: Map<string, number> = new Map();

function count(told: readonly string[]): void {
  for (const line of told) {
    const kind = line.replace(/^\d+: /, '').replace(/\d+/g, 'n');
    outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
  }
}

/** Play `program` with real greenlets and on the stage, and compare. */
export function* perform<A>(program: readonly Cue<A>[], stage: Stage, log: string[], game: Game<A>): Op<void> {
  const actors = new Map<number, Actor>();
  let compared = 0;
  stage.ended = (player) => game.left?.(player);

  const act = function* (actor: Actor): Op<void> {
    try {
      for (;;) {
        const { deed } = actor;
        actor.deed = undefined;
        try {
          if (deed === undefined) yield* park();
          else log.push(`${actor.player.slot}: ${yield* deed.real()}`);
        } catch (error) {
          if (deed !== undefined) log.push(`${actor.player.slot}: ${nameOfError(error)}`);
          if (isKilled(error)) throw error;
        }
      }
    } finally {
      game.leave?.(current());
    }
  };
  const settle = function* (): Op<void> {
    yield* idle();
    stage.run();
    expect(log.slice(compared)).toEqual(stage.log.slice(compared));
    count(log.slice(compared));
    compared = log.length;
    game.settled?.();
  };
  const give = (slot: number, chosen: A): void => {
    const actor = actors.get(slot);
    if (actor !== undefined && actor.player.state !== 'idle' && actor.player.state !== 'gone') return;
    const isNew = actor === undefined || actor.player.state === 'gone';
    const player = isNew ? new Player(slot) : (actor as Actor).player;
    const deed = game.deed(chosen, player);
    if (deed === undefined) return;
    player.deed = deed;
    stage.agenda.push(player);
    if (isNew) {
      const made: Actor = { player, deed, greenlet: current() };
      made.greenlet = spawnQuietly(() => act(made));
      actors.set(slot, made);
    } else {
      (actor as Actor).deed = deed;
      player.state = 'queued';
      unpark((actor as Actor).greenlet);
    }
  };

  for (const cue of program) {
    const actor = actors.get(cue.slot);
    if (cue.act === 'kill') {
      if (actor !== undefined) {
        actor.greenlet.kill();
        stage.kill(actor.player);
      }
    } else if (cue.act === 'throw') {
      if (actor !== undefined && stage.throw(actor.player)) actor.greenlet.throw(new ThrownIn());
    } else if (cue.act === 'direct') {
      const said = game.direct?.(cue.with);
      if (said !== undefined) expect(said[0]).toBe(said[1]);
    } else if (typeof cue.act === 'number') {
      yield* sleep(cue.act);
      stage.advance(cue.act);
      yield* settle();
    } else {
      give(cue.slot, cue.act);
    }
    game.compare();
    if (!cue.settle) continue;
    yield* settle();
    game.compare();
  }
  yield* settle();
  game.compare();
  game.over?.();
  for (const { greenlet, player } of actors.values()) {
    greenlet.kill();
    stage.kill(player);
  }
  yield* settle();
  game.compare();
  const { sleepers, timeouts } = world();
  expect([world().greenlets(), sleepers.size, timeouts.size]).toEqual([[current()], 0, 0]);
}

/** A deed that never waits. */
export function deedAtOnce(real: () => string, model: (player: Player) => string): RealDeed {
  return {
    waits: false,
    *real() {
      return real();
    },
    model,
  };
}

/**
 * A deed that is one wait, within a limit of time if one is given: `look` says what happens at once, `enlist` queues the player and says how it
 * is taken out.
 */
export function deedOfWait<T>(
  stage: Stage,
  wait: () => Waitable<T>,
  told: (value: T) => string,
  look: (player: Player) => string | undefined,
  enlist: (player: Player) => () => void,
  withinMs?: number,
): RealDeed {
  return {
    waits: true,
    *real() {
      if (withinMs === undefined) return told(yield* wait());
      const expired = {};
      const value = yield* timeout(withinMs, wait(), { else: expired });
      return value === expired ? 'expired' : told(value as T);
    },
    model: (player) => {
      const outcome = look(player);
      if (outcome !== undefined || player.state === 'waiting' || player.outcome !== undefined) return outcome;
      return stage.wait(player, enlist(player), withinMs);
    },
  };
}

/** What `action` gives, or what its error is called. */
export function attempt(action: () => unknown): string {
  try {
    return String(action());
  } catch (error) {
    return nameOfError(error);
  }
}

/** `ms` and a little, so that what an actor waits for is never due at the moment at which the program itself goes on. */
export function apart(ms: number): number {
  return ms + 1 / 64;
}

/** A limit of time for one wait in four. */
export const limitMs: fc.Arbitrary<number | undefined> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constantFrom(1, 3, 5).map(apart) },
);
