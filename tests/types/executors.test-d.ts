// executors.test-d.ts: what the types of tasks, futures and executors promise, and what they refuse.
//
// Checked by `npm run typecheck` and never run. A line under `@ts-expect-error` must not compile: tsc reports one that does.
import { all, type Op, select, sleep, timeout, type Waitable } from 'tendril';
import {
  defineTasks,
  type Executor,
  type Future,
  GreenletExecutor,
  type Task,
  type TaskResults,
} from 'tendril/executors';
import { expectTypeOf } from 'vitest';

const tasks = defineTasks(import.meta.url, {
  plain: (text: string, times: number): string => text.repeat(times),
  promised: async (path: string): Promise<Uint8Array> => new Uint8Array(path.length),
  *waits(ms: number): Op<'done'> {
    yield* sleep(ms);
    return 'done';
  },
  optional: (a: number, b?: number): number => a + (b ?? 0),
  text: (): string => 'a string is iterable, and no Op',
  list: (): number[] => [],
});
const executor: Executor = new GreenletExecutor(2);

expectTypeOf(tasks.plain).toExtend<Task<[string, number], string>>();
expectTypeOf(executor.submit(tasks.plain, 'a', 2)).toEqualTypeOf<Future<string>>();
expectTypeOf(executor.submit(tasks.promised, 'a')).toEqualTypeOf<Future<Uint8Array>>();
expectTypeOf(executor.submit(tasks.waits, 5)).toEqualTypeOf<Future<'done'>>();
expectTypeOf(executor.submit(tasks.optional, 5)).toEqualTypeOf<Future<number>>();
expectTypeOf(executor.submit(tasks.text)).toEqualTypeOf<Future<string>>();
expectTypeOf(executor.submit(tasks.list)).toEqualTypeOf<Future<number[]>>();
expectTypeOf(executor.submitWith({ limitMs: 5 }, tasks.plain, 'a', 2)).toEqualTypeOf<Future<string>>();
expectTypeOf(executor.map(tasks.waits, [1, 2])).toEqualTypeOf<TaskResults<'done'>>();
expectTypeOf(executor.submit(tasks.plain, 'a', 2)).toExtend<Waitable<string>>();
expectTypeOf(executor.submit(tasks.plain, 'a', 2).promise()).toEqualTypeOf<Promise<string>>();

export function* uses(): Op<void> {
  const future = executor.submit(tasks.plain, 'a', 2);
  expectTypeOf(yield* future).toEqualTypeOf<string>();
  expectTypeOf(yield* future.result()).toEqualTypeOf<string>();
  expectTypeOf(yield* future.exception()).toEqualTypeOf<unknown>();
  expectTypeOf(yield* timeout(5, future, { else: null })).toEqualTypeOf<string | null>();
  expectTypeOf(yield* all([future, executor.submit(tasks.list)])).toEqualTypeOf<[string, number[]]>();
  const first = yield* select({ future, time: sleep(5) });
  if (first.key === 'future') expectTypeOf(first.value).toEqualTypeOf<string>();
}

// @ts-expect-error a task takes the arguments of its function
executor.submit(tasks.plain, 'a');
// @ts-expect-error and their types
executor.submit(tasks.plain, 'a', 'b');
// @ts-expect-error a closure is no task
executor.submit(() => 1);
// @ts-expect-error a task of two arguments is none for map
executor.map(tasks.plain, ['a']);
// @ts-expect-error items are of the type of the argument
executor.map(tasks.waits, ['a']);
// @ts-expect-error an option that does not exist
executor.submitWith({ timeoutMs: 5 }, tasks.waits, 1);
// @ts-expect-error a validator is of a task that there is
defineTasks(import.meta.url, { a: (x: number) => x }, { validate: { b: () => [] } });
// @ts-expect-error and gives its arguments
defineTasks(import.meta.url, { a: (x: number) => x }, { validate: { a: () => ['text'] } });
