// across-tasks.test.ts: what is shared across threads goes into the tasks of an executor: a channel's end that is moved, and shared objects.
import { run, spawn, timeout } from 'tendril';
import { type defineTasks, move } from 'tendril/executors';
import { channelPair, openChannel } from 'tendril/executors/channels';
import { SharedCounter, SharedMutex } from 'tendril/executors/shared';
import { ThreadExecutor } from 'tendril/executors/threads';
import { expect, it } from 'vitest';
import { moduleFile } from '../program-file.ts';
import { thrownBy } from '../thrown-by.ts';

const program = moduleFile(`
  import { defineTasks } from 'tendril/executors';
  import { forEach } from 'tendril';
  import { openChannel } from 'tendril/executors/channels';
  import { SharedCounter, SharedMutex } from 'tendril/executors/shared';
  export const tasks = defineTasks(import.meta.url, {
    *double(far) {
      const numbers = openChannel(far);
      let count = 0;
      yield* forEach(numbers, function* (n) { count += 1; yield* numbers.send(2 * n); });
      return count;
    },
    *fails(far) {
      const numbers = openChannel(far);
      try {
        yield* numbers.receive();
        throw new Error('no good');
      } finally {
        numbers.close();
      }
    },
    *hold(lockHandle, readyHandle) {
      yield* SharedMutex.from(lockHandle).acquire();
      SharedCounter.from(readyHandle).add(1);
      for (;;);
    },
    *increment(lockHandle, doneHandle, times) {
      const lock = SharedMutex.from(lockHandle);
      const done = SharedCounter.from(doneHandle);
      for (let i = 0; i < times; i += 1) yield* lock.use((function* () { done.set(done.get() + 1); })());
    },
  });
`);

type Name = 'double' | 'increment' | 'fails' | 'hold';

async function tasksOf(): Promise<ReturnType<typeof defineTasks<Record<Name, (...args: unknown[]) => unknown>>>> {
  return ((await import(/* @vite-ignore */ program.href)) as { tasks: Awaited<ReturnType<typeof tasksOf>> }).tasks;
}

it('an end that a task closes in a finally is closed for the other side, also if it throws', async () => {
  const tasks = await tasksOf();
  const executor = new ThreadExecutor(1);
  await run(function* () {
    const [numbers, far] = channelPair<number>({ capacity: 2, name: 'numbers' });
    const failed = executor.submit(tasks.fails, move(far));
    yield* numbers.send(1);
    expect(yield* timeout(10_000, numbers.next())).toEqual({ done: true, value: undefined });
    expect(yield* thrownBy(failed.result())).toMatchObject({ message: 'no good' });
    expect(() => openChannel(far)).toThrow('has been transferred to another thread');
    yield* executor.shutdown();
  });
});

it('the lock of a task that was terminated with it can be taken over', async () => {
  const tasks = await tasksOf();
  const executor = new ThreadExecutor(1);
  await run(function* () {
    const [lock, ready, done] = [new SharedMutex(), new SharedCounter(), new SharedCounter()];
    const endless = executor.submit(tasks.hold, lock.handle, ready.handle);
    yield* ready.waitFor(1);
    const thread = lock.ownerThread as number;
    const waiting = executor.submit(tasks.increment, lock.handle, done.handle, 10);
    endless.cancel({ terminate: true });
    expect(yield* thrownBy(endless.result())).toMatchObject({ code: 'ERR_TASK_CANCELLED' });
    expect([lock.ownerThread === thread, lock.takeOver(thread)]).toEqual([true, true]);
    lock.release();
    yield* timeout(10_000, waiting.result());
    expect(done.get()).toBe(10);
    yield* executor.shutdown();
  });
});

it('a task gets an end of a channel, and the handles of shared objects', async () => {
  const tasks = await tasksOf();
  const executor = new ThreadExecutor(2);
  await run(function* () {
    const [numbers, far] = channelPair<number>({ capacity: 2, name: 'numbers' });
    const counted = executor.submit(tasks.double, move(far));
    const sender = spawn(function* () {
      for (let i = 1; i <= 10; i += 1) yield* numbers.send(i);
    });
    let sum = 0;
    for (let i = 0; i < 10; i += 1) sum += yield* numbers.receive();
    yield* sender.get();
    numbers.close();
    expect([sum, yield* counted.result()]).toEqual([110, 10]);

    const lock = new SharedMutex();
    const done = new SharedCounter();
    const both = [1, 2].map(() => executor.submit(tasks.increment, lock.handle, done.handle, 1000));
    for (const one of both) yield* one.result();
    expect(done.get()).toBe(2000);
    yield* executor.shutdown();
  });
});
