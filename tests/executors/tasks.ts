// tasks.ts: what the executors are made to run by their conformance suite: tasks that end well, badly, late, never, or with their worker.
//
// Imported by the test (for the references) and by each worker.
import { createHash } from 'node:crypto';
import { Event, type Op, signal, sleep, until } from 'tendril';
import { defineTasks, move } from 'tendril/executors';

let calls = 0;

export const tasks = defineTasks(import.meta.url, {
  add: (a: number, b: number): number => a + b,
  echo: (value: unknown): unknown => value,
  hash: (text: string, rounds: number): string => {
    let digest = text;
    for (let round = 0; round < rounds; round += 1) digest = createHash('sha256').update(digest).digest('hex');
    return digest;
  },
  *later(ms: number, value: string): Op<string> {
    yield* sleep(ms);
    return value;
  },
  *twice(ms: number): Op<number> {
    if (ms < 0) throw new RangeError('negative');
    yield* sleep(ms);
    return ms * 2;
  },
  promised: async (value: string): Promise<string> => value,
  /** Waits until it is asked to stop; `heeds` says by what it hears of it. */
  *untilAborted(): Op<string> {
    const stop = signal();
    yield* until(new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true })));
    return 'was not killed';
  },
  /** Waits for nothing of outside. */
  *untilKilled(): Op<void> {
    yield* new Event().wait();
  },
  /** Finishes all the same. */
  *stubborn(ms: number): Op<string> {
    try {
      yield* sleep(60_000);
    } finally {
      const end = Date.now() + ms;
      while (Date.now() < end);
      // biome-ignore lint/correctness/noUnsafeFinally: a task that does not let itself be killed
      return 'finished all the same';
    }
  },
  fail: (message: string): never => {
    throw Object.assign(new RangeError(message, { cause: new Error('the cause') }), {
      code: 'ERR_OF_MINE',
      attempt: 3,
    });
  },
  throwValue: (value: unknown): never => {
    throw value;
  },
  throwOdd: (): never => {
    throw { toString: () => assertNever() };
  },
  unclonable: (): unknown => ({ list: [1, { callback: () => 1 }] }),
  huge: (bytes: number): Uint8Array => new Uint8Array(bytes),
  spin: (): never => {
    for (;;);
  },
  exit: (code: number): never => process.exit(code),
  killSelf: (): boolean => process.kill(process.pid, 'SIGKILL'),
  exhaust: (): number => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(100_000).fill(kept.length));
  },
  crashLater: (): Promise<never> => {
    setImmediate(() => {
      throw new Error('thrown outside of the task');
    });
    return new Promise(() => {});
  },
  neverSettles: (): Promise<never> => new Promise(() => {}),
  moved: (bytes: Uint8Array): Uint8Array => move(bytes.fill(7)),
  *count(): Op<number> {
    calls += 1;
    return calls;
  },
  where: (): { pid: number } => ({ pid: process.pid }),
});

function assertNever(): never {
  throw new Error('cannot be shown');
}
