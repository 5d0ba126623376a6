// kernel.test-d.ts: what the types of the kernel promise, and what they refuse.
//
// Checked by `npm run typecheck` and never run. A line under `@ts-expect-error` must not compile: tsc reports one that does.
import { Channel, type Greenlet, type Op, run, select, sleep, spawn, timeout, type Waitable } from 'tendril';
import { expectTypeOf } from 'vitest';

function* double(value: number): Op<number> {
  yield* sleep(1);
  return value * 2;
}

export function* inference(): Op<void> {
  const jobs = new Channel<string>(1);
  expectTypeOf(jobs.receive()).toExtend<Waitable<string>>();
  expectTypeOf(jobs.send('a')).toExtend<Waitable<void>>();
  expectTypeOf(jobs.trySend('a')).toEqualTypeOf<boolean>();

  const greenlet = spawn(double, 21);
  expectTypeOf(greenlet).toEqualTypeOf<Greenlet<number>>();
  expectTypeOf(yield* greenlet.get()).toEqualTypeOf<number>();
  expectTypeOf(yield* double(1)).toEqualTypeOf<number>();
  expectTypeOf(yield* timeout(10, double(1))).toEqualTypeOf<number>();
  expectTypeOf(run(double, 1)).toEqualTypeOf<Promise<number>>();

  const first = yield* select({ job: jobs.receive(), done: greenlet.get() });
  if (first.key === 'job') expectTypeOf(first.value).toEqualTypeOf<string>();
  else expectTypeOf(first.value).toEqualTypeOf<number>();
}

export function* refusals(): Op<void> {
  const jobs = new Channel<string>();

  // @ts-expect-error a channel takes values of its own type only
  yield* jobs.send(1);

  // @ts-expect-error the arguments of a body are checked at spawn
  spawn(double, 'twenty-one');

  // @ts-expect-error a body that takes an argument must get it
  spawn(double);

  // @ts-expect-error an async function is no body: it returns a promise
  spawn(async () => 1);

  // @ts-expect-error select takes Waitables; a generator object is none
  yield* select({ job: jobs.receive(), computed: double(1) });

  // @ts-expect-error a promise is no Op: until() makes one of it
  yield* Promise.resolve(1);
}
