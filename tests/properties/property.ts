// property.ts: what a property of the kernel is, and short words for writing one.
//
// A property is a small program that throws when a promise of ours is broken. It is run under thousands of schedules; whatever it decides by itself (who is
// killed, and where) it asks of its world, so that a failure can be replayed and shrunk. It must end in every schedule: it waits for others with sleep(),
// which lets the clock jump when nobody else can run, never by spinning on yieldNow().
import {
  type Greenlet,
  GreenletKilledError,
  InternalError,
  isKilled,
  type Op,
  sleep,
  spawn,
  TimeoutError,
} from 'tendril/core';
import type { World } from 'tendril/testing';

export interface PropertyOf<W extends World> {
  /** A sentence about what a user sees. */
  readonly name: string;
  /** The rules of the semantics that it is about. */
  readonly rules: string;
  readonly body: (world: W) => Op<void>;
  /** Run so many of it at once, each with things of its own: for bodies of few steps. */
  readonly times?: number;
}

/** A property of the kernel. */
export interface Property extends PropertyOf<World> {
  /** False for what shows only where greenlets are not preempted at each Op: there the step budget is real. */
  readonly preempts?: false;
}

/** The first promise that was broken in this run: whoever found out may have been killed, or caught, before anybody heard of it. */
let broken: Error | undefined;

function breach(promise: string): Error {
  const error = new Error(`broken promise: ${promise}`);
  broken ??= error;
  return error;
}

/** `body`, so many times at once, failing also if what it found broken was swallowed on the way. */
export function strict<W extends World>(body: (world: W) => Op<void>, times = 1): (world: W) => Op<void> {
  return function* strictly(world) {
    broken = undefined;
    world.always(() => {
      if (broken !== undefined) throw broken;
    });
    if (times === 1) yield* body(world);
    else yield* joinEach(Array.from({ length: times }, () => spawn(body, world)));
  };
}

/** Throw unless `holds`. */
export function must(holds: boolean, promise: string): asserts holds {
  if (!holds) throw breach(promise);
}

/** Throw unless `actual` and `expected`, which are plain data, are the same. */
export function same(actual: unknown, expected: unknown, promise: string): void {
  if (Object.is(actual, expected)) return;
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw breach(`${promise}: ${is}, not ${should}`);
}

/** Throw unless the same numbers are in both, each as often, in whatever order. */
export function sameNumbers(actual: readonly number[], expected: readonly number[], promise: string): void {
  const byValue = (a: number, b: number): number => a - b;
  same([...actual].sort(byValue), [...expected].sort(byValue), promise);
}

/** A pause of a length that the world chooses; the shortest is to give way once. */
export function pause(world: World, lengths = 3): Op<void> {
  return sleep(world.choose(lengths, 'pause'));
}

/** Spawn what may fail or be killed without anybody minding, but for what the kernel has to say of itself. */
export function spawnQuietly<T>(body: () => Op<T>): Greenlet<T> {
  const greenlet = spawn(body);
  greenlet.link(({ outcome }) => {
    if (outcome?.ok === false && outcome.error instanceof InternalError) broken ??= outcome.error;
  });
  return greenlet;
}

/** Up to `most` times: wait a little, and perhaps kill one of `victims`. */
export function* killSome(world: World, victims: readonly Greenlet<unknown>[], most: number): Op<void> {
  for (let left = most; left > 0; left -= 1) {
    yield* pause(world, 2);
    if (world.chance(0.6, 'kill')) world.pick(victims)?.kill();
  }
}

/** Kill all of `greenlets` and wait until they have ended. */
export function* endAll(greenlets: readonly Greenlet<unknown>[]): Op<void> {
  for (const greenlet of greenlets) greenlet.kill();
  yield* joinEach(greenlets);
}

/** Wait until each of `greenlets` has ended. @throws the error of one that failed; to be killed is no failure. */
export function* joinEach(greenlets: readonly Greenlet<unknown>[]): Op<void> {
  for (const greenlet of greenlets) yield* greenlet.join();
  for (const { outcome } of greenlets)
    if (outcome?.ok === false && !(outcome.error instanceof GreenletKilledError)) throw outcome.error;
}

/** Make `count` greenlets one after the other, each when its predecessor waits: so they stand in a known order. */
export function* lineUp<G>(count: number, make: (index: number) => G): Op<G[]> {
  const made: G[] = [];
  for (let index = 0; index < count; index += 1) {
    made.push(make(index));
    // The clock moves on when nobody can run: whoever was made waits by then.
    yield* sleep(1);
  }
  return made;
}

/** What `op` throws; undefined if it returns. */
export function* thrownBy(op: Op<unknown>): Op<unknown> {
  try {
    yield* op;
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Did the caller give up, and not the thing that it waited for? */
export function isKilledOrTimeout(error: unknown): boolean {
  return isKilled(error) || error instanceof TimeoutError;
}

/** The code of a failure; 'KILLED' of a kill. */
export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}
