// gather.test-d.ts: what the types of all, race, any, allSettled and scope promise, and what they refuse.
//
// Checked by `npm run typecheck` and never run. A line under `@ts-expect-error` must not compile: tsc reports one that does.
import {
  all,
  allSettled,
  any,
  Channel,
  type Greenlet,
  type Op,
  race,
  type Scope,
  scope,
  sleep,
  spawn,
  supervise,
} from 'tendril';
import { expectTypeOf } from 'vitest';

function* count(): Op<number> {
  yield* sleep(1);
  return 1;
}

function* name(): Op<string> {
  yield* sleep(1);
  return 'a';
}

function* state(): Op<'up' | 'down'> {
  yield* sleep(1);
  return 'up';
}

function* nap(ms: number): Op<void> {
  yield* sleep(ms);
}

function* listen(ready: (port: number) => void, host: string): Op<void> {
  ready(host.length);
  yield* sleep(1);
}

export function* results(): Op<void> {
  // A tuple stays a tuple, in order.
  const both = yield* all([count(), name()]);
  expectTypeOf(both).toEqualTypeOf<[number, string]>();
  const [first, second] = both;
  expectTypeOf(first).toEqualTypeOf<number>();
  expectTypeOf(second).toEqualTypeOf<string>();

  // A list stays a list.
  const many = ['x', 'y'].map(() => count());
  expectTypeOf(yield* all(many)).toEqualTypeOf<number[]>();
  const frozen: readonly Op<string>[] = [name()];
  expectTypeOf(yield* all(frozen)).toEqualTypeOf<string[]>();
  expectTypeOf(yield* all([])).toEqualTypeOf<[]>();

  // Literals survive.
  expectTypeOf(yield* all([state(), count()])).toEqualTypeOf<['up' | 'down', number]>();

  // Ops of ours and generators mix, and nest.
  const jobs = new Channel<{ id: number }>();
  expectTypeOf(yield* all([jobs.receive(), state(), all([count()])])).toEqualTypeOf<
    [{ id: number }, 'up' | 'down', [number]]
  >();

  expectTypeOf(yield* race([count(), name()])).toEqualTypeOf<number | string>();
  expectTypeOf(yield* race(many)).toEqualTypeOf<number>();
  expectTypeOf(yield* race([state(), count()])).toEqualTypeOf<'up' | 'down' | number>();
  expectTypeOf(yield* any([count(), name()])).toEqualTypeOf<number | string>();
  expectTypeOf(yield* allSettled([count(), name()])).toEqualTypeOf<
    [PromiseSettledResult<number>, PromiseSettledResult<string>]
  >();
}

export function* scopes(): Op<void> {
  const value = yield* scope(function* (s) {
    expectTypeOf(s).toEqualTypeOf<Scope>();
    const child = s.spawn(state);
    expectTypeOf(child).toEqualTypeOf<Greenlet<'up' | 'down'>>();
    expectTypeOf(yield* s.start(listen, 'localhost')).toEqualTypeOf<number>();
    return yield* child.get();
  });
  expectTypeOf(value).toEqualTypeOf<'up' | 'down'>();

  expectTypeOf(yield* supervise(count)).toEqualTypeOf<number>();
  expectTypeOf(yield* supervise(state, { restart: 'on-error', backoff: { firstMs: 1 } })).toEqualTypeOf<
    'up' | 'down'
  >();
}

export function* refusals(): Op<void> {
  // @ts-expect-error a promise is no Op
  yield* all([count(), Promise.resolve(1)]);

  // @ts-expect-error a generator function is no Op: call it
  yield* all([count]);

  // @ts-expect-error all takes one array
  yield* all(count(), name());

  // @ts-expect-error a number is no Op
  yield* race([count(), 5]);

  // @ts-expect-error a scope's body is called with the scope and nothing else
  yield* scope(function* (_s: Scope, more: number) {
    yield* sleep(more);
  });

  // @ts-expect-error an async body is none
  yield* scope(async () => 1);

  yield* scope(function* (s) {
    // @ts-expect-error the arguments of a child are checked
    s.spawn(nap, 'twenty');

    // @ts-expect-error the body of s.start takes `ready` first, and its arguments behind it
    yield* s.start(listen, 5);

    // @ts-expect-error a body that takes no `ready` is for s.spawn
    yield* s.start(nap, 20);
  });

  // @ts-expect-error restart is one of two words
  yield* supervise(count, { restart: 'sometimes' });

  const [a, b] = yield* all([count(), name()]);
  // @ts-expect-error there are two results
  (yield* all([count(), name()]))[2];
  // @ts-expect-error the first is a number
  a.toUpperCase();
  b.toUpperCase();

  // @ts-expect-error an Op is no result: yield* is missing
  const total: number = count();
  spawn(count).get() satisfies Op<number>;
  return void total;
}
