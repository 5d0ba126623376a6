// spawn.test-d.ts: what the types of bodies, greenlets, pools and recursion promise, and what they refuse.
//
// Checked by `npm run typecheck` and never run. A line under `@ts-expect-error` must not compile: tsc reports one that does.
import {
  type Body,
  Channel,
  call,
  fn,
  forEach,
  type Greenlet,
  type GreenletOutcome,
  Group,
  joinAll,
  Mutex,
  main,
  noBlock,
  type Op,
  Pool,
  PriorityQueue,
  Queue,
  run,
  shield,
  sleep,
  spawn,
  spawnLater,
  spawnWith,
  until,
  yieldNow,
} from 'tendril';
import type { ResultOf } from 'tendril/core';
import { simulate } from 'tendril/testing';
import { expectTypeOf } from 'vitest';

function* state(ok: boolean): Op<'up' | 'down'> {
  yield* sleep(1);
  return ok ? 'up' : 'down';
}

function* pair<T>(value: T): Op<readonly [T, T]> {
  yield* sleep(1);
  return [value, value];
}

export function* spawning(): Op<void> {
  expectTypeOf(spawn(state, true)).toEqualTypeOf<Greenlet<'up' | 'down'>>();
  expectTypeOf(spawnWith({ name: 'a', daemon: true }, state, true)).toEqualTypeOf<Greenlet<'up' | 'down'>>();
  expectTypeOf(spawnLater(5, state, true)).toEqualTypeOf<Greenlet<'up' | 'down'>>();
  expectTypeOf(run(state, false)).toEqualTypeOf<Promise<'up' | 'down'>>();

  // A body without an annotation: what it returns is what one gets.
  const inferred = spawn(function* () {
    yield* sleep(1);
    return { id: 1 };
  });
  expectTypeOf(inferred).toEqualTypeOf<Greenlet<{ id: number }>>();
  const literal = spawn(function* () {
    yield* sleep(1);
    return 'ready' as const;
  });
  expectTypeOf(yield* literal.get()).toEqualTypeOf<'ready'>();
  expectTypeOf(spawn(function* () {})).toEqualTypeOf<Greenlet<void>>();

  // A body that returns an Op is one too; a generic body is.
  expectTypeOf(spawn(() => new Channel<number>().receive())).toEqualTypeOf<Greenlet<number>>();
  expectTypeOf(yield* spawn(pair<string>, 'a').get()).toEqualTypeOf<readonly [string, string]>();

  // Rest parameters and ones that may be left out.
  function* sum(start: number, ...more: number[]): Op<number> {
    yield* yieldNow();
    return more.reduce((a, b) => a + b, start);
  }
  expectTypeOf(spawn(sum, 1, 2, 3)).toEqualTypeOf<Greenlet<number>>();
  function* greet(name = 'you', loud?: boolean): Op<string> {
    yield* yieldNow();
    return loud ? name.toUpperCase() : name;
  }
  expectTypeOf(spawn(greet)).toEqualTypeOf<Greenlet<string>>();
  expectTypeOf(spawn(greet, 'Ada', true)).toEqualTypeOf<Greenlet<string>>();
}

export function* looking(greenlet: Greenlet<'up' | 'down'>): Op<void> {
  expectTypeOf(yield* greenlet.get()).toEqualTypeOf<'up' | 'down'>();
  expectTypeOf(yield* greenlet.join()).toEqualTypeOf<void>();
  expectTypeOf(greenlet.promise()).toEqualTypeOf<Promise<'up' | 'down'>>();
  expectTypeOf(greenlet.outcome).toEqualTypeOf<GreenletOutcome<'up' | 'down'> | undefined>();
  if (greenlet.outcome?.ok === true) expectTypeOf(greenlet.outcome.value).toEqualTypeOf<'up' | 'down'>();
  if (greenlet.outcome?.ok === false) expectTypeOf(greenlet.outcome.error).toEqualTypeOf<unknown>();
  expectTypeOf(greenlet.state).toEqualTypeOf<'new' | 'ready' | 'running' | 'parked' | 'done'>();
  greenlet.link((ended) => expectTypeOf(ended).toEqualTypeOf<Greenlet<'up' | 'down'>>());
  expectTypeOf(yield* joinAll([greenlet])).toEqualTypeOf<Greenlet<'up' | 'down'>[]>();
  expectTypeOf<ResultOf<ReturnType<typeof state>>>().toEqualTypeOf<'up' | 'down'>();
  expectTypeOf<typeof state>().toExtend<Body<[boolean], 'up' | 'down'>>();
}

// A generator function that calls itself needs its result's type written down, and nothing else.
export function* factorial(n: number): Op<number> {
  yield* yieldNow();
  return n <= 1 ? 1 : n * (yield* factorial(n - 1));
}

interface Tree {
  readonly value: string;
  readonly children: readonly Tree[];
}

export function* visit(tree: Tree, depth = 0): Op<string[]> {
  const found = [`${depth} ${tree.value}`];
  for (const child of tree.children) found.push(...(yield* visit(child, depth + 1)));
  return found;
}

export function* isEven(n: number): Op<boolean> {
  return n === 0 ? true : yield* isOdd(n - 1);
}

export function* isOdd(n: number): Op<boolean> {
  return n === 0 ? false : yield* isEven(n - 1);
}

export const deep: (n: number) => Op<number> = fn(function* (n: number): Op<number> {
  return n === 0 ? 0 : 1 + (yield* deep(n - 1));
});

export function* wrapping(): Op<void> {
  expectTypeOf(yield* call(factorial(3))).toEqualTypeOf<number>();
  expectTypeOf(yield* deep(3)).toEqualTypeOf<number>();
  expectTypeOf(fn(state)).toEqualTypeOf<(ok: boolean) => Op<'up' | 'down'>>();
  expectTypeOf(yield* shield(state(true))).toEqualTypeOf<'up' | 'down'>();
  expectTypeOf(yield* shield(100, state(true))).toEqualTypeOf<'up' | 'down'>();
  expectTypeOf(yield* noBlock(state(true))).toEqualTypeOf<'up' | 'down'>();
  expectTypeOf(yield* new Mutex().use(state(true))).toEqualTypeOf<'up' | 'down'>();
  expectTypeOf(yield* until(Promise.resolve('text'))).toEqualTypeOf<string>();
  expectTypeOf(yield* until(async (signal) => signal.aborted)).toEqualTypeOf<boolean>();
  expectTypeOf(simulate(() => state(true)))
    .resolves.toHaveProperty('value')
    .toEqualTypeOf<'up' | 'down'>();
}

export function* pools(): Op<void> {
  const pool = new Pool(4);
  const sizes = yield* pool.map(
    function* (word) {
      expectTypeOf(word).toEqualTypeOf<string>();
      yield* sleep(1);
      return word.length;
    },
    ['a', 'b'],
  );
  expectTypeOf(sizes).toEqualTypeOf<number[]>();
  expectTypeOf(yield* pool.map(state, [true, false])).toEqualTypeOf<('up' | 'down')[]>();
  expectTypeOf(yield* pool.map(state, new Set([true]))).toEqualTypeOf<('up' | 'down')[]>();
  expectTypeOf(yield* pool.map(pair<number>, [1])).toEqualTypeOf<(readonly [number, number])[]>();

  const next = yield* pool.imap(state, [true]).next();
  if (next.done !== true) expectTypeOf(next.value).toEqualTypeOf<'up' | 'down'>();
  yield* forEach(pool.imapUnordered(state, [true]), function* (value) {
    expectTypeOf(value).toEqualTypeOf<'up' | 'down'>();
  });

  expectTypeOf(yield* pool.spawn(state, true)).toEqualTypeOf<Greenlet<'up' | 'down'>>();
  expectTypeOf(pool.trySpawn(state, true)).toEqualTypeOf<Greenlet<'up' | 'down'> | undefined>();
  expectTypeOf(yield* pool.apply(state, true)).toEqualTypeOf<'up' | 'down'>();
  expectTypeOf(new Group().spawn(state, true)).toEqualTypeOf<Greenlet<'up' | 'down'>>();
}

export function* loops(): Op<void> {
  yield* forEach(new Channel<Tree>(), function* (tree) {
    expectTypeOf(tree).toEqualTypeOf<Tree>();
  });
  yield* forEach(new Queue<number>(), function* (item) {
    expectTypeOf(item).toEqualTypeOf<number>();
  });
  yield* forEach(new Map<string, number>(), function* ([key, value]) {
    expectTypeOf(key).toEqualTypeOf<string>();
    expectTypeOf(value).toEqualTypeOf<number>();
  });
  expectTypeOf(new Queue<'a' | 'b'>().tryGet()).toEqualTypeOf<{ value: 'a' | 'b' } | undefined>();
  expectTypeOf(new Queue({ items: [1, 2] })).toEqualTypeOf<Queue<number>>();
  new PriorityQueue<Tree>({ compare: (a, b) => a.value.localeCompare(b.value) });
}

export function* refusals(): Op<void> {
  // @ts-expect-error the arguments are checked
  spawn(state, 'yes');

  // @ts-expect-error one that is needed is missing
  spawn(state);

  // @ts-expect-error one too many
  spawn(state, true, 5);

  // @ts-expect-error spawn takes the function, not what it returns
  spawn(state(true));

  // @ts-expect-error an async function is no body
  spawn(async () => 1);

  // @ts-expect-error an async generator function is none
  spawn(async function* () {});

  // @ts-expect-error a plain function that returns no Op is none
  spawn(() => 1);

  // @ts-expect-error a generator that yields something of its own is no Op
  spawn(function* () {
    yield 5;
  });

  // @ts-expect-error the delay comes first, as a number
  spawnLater('5', state, true);

  // @ts-expect-error there is no such option
  spawnWith({ title: 'a' }, state, true);

  // @ts-expect-error main takes a body without arguments
  main(state);

  // @ts-expect-error a greenlet's value is what its body returns
  spawn(state, true) satisfies Greenlet<number>;

  // @ts-expect-error without the star an Op is handed to the scheduler, which takes none
  yield sleep(1);

  // @ts-expect-error a promise is no Op
  yield* Promise.resolve(1);

  // @ts-expect-error nor is a generator function
  yield* state;

  const pool = new Pool(2);
  // @ts-expect-error the items do not fit the body
  yield* pool.map(state, ['yes']);

  // @ts-expect-error Pool.spawn may wait: it gives an Op, not a greenlet
  pool.spawn(state, true).kill();

  // @ts-expect-error a shield takes the grace first
  yield* shield(state(true), 100);

  // @ts-expect-error its own body has another parameter
  fn(state)('yes');

  // @ts-expect-error a queue takes items of its own type only
  new Queue<number>().tryPut('one');

  // @ts-expect-error what runs in a loop must be an Op
  yield* forEach(new Channel<number>(), (value) => value);
}

// @ts-expect-error without an annotation a generator that calls itself has no type: say Op<number>
export function* untyped(n: number) {
  yield* sleep(1);
  const rest: number = n === 0 ? 0 : yield* untyped(n - 1);
  return rest;
}
