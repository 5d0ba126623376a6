// shared-workers.ts: threads that fight for one mutex, each with several greenlets, of which some are killed and some time out.
import { Worker } from 'node:worker_threads';
import { allSettled, type Op, once } from 'tendril';
import { SharedCounter, type SharedMutex } from 'tendril/executors/shared';
import { moduleFile } from '../program-file.ts';

const program = moduleFile(`
  import { workerData } from 'node:worker_threads';
  import { run, scope, sleep, timeout, TimeoutError, yieldNow } from 'tendril';
  import { SharedMutex, SharedCounter } from 'tendril/executors/shared';
  const { increments, greenlets, seed, rough } = workerData;
  const lock = SharedMutex.from(workerData.lock);
  const done = SharedCounter.from(workerData.done);
  const unsafe = new Int32Array(workerData.memory);
  let state = seed;
  const random = () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32; };
  let left = increments;

  function* increment() {
    yield* lock.acquire();
    try {
      // Between the two somebody else would be in between, if he could.
      const seen = unsafe[0];
      if (random() < 0.01) yield* yieldNow();
      if (unsafe[1] !== 0) throw new Error('somebody else is inside');
      unsafe[1] = 1;
      unsafe[0] = seen + 1;
      unsafe[1] = 0;
      done.add(1);
    } finally {
      lock.release();
    }
  }
  function* work() {
    while (left > 0) {
      left -= 1;
      if (rough && random() < 0.02) yield* timeout(random() * 0.5, increment(), { else: undefined });
      else yield* increment();
    }
  }
  // Greenlets that want the lock and are killed while they wait for it, or have it.
  function* victims(s) {
    while (left > 0) {
      const victim = s.spawn(increment);
      yield* sleep(random() * 3);
      victim.kill();
      yield* victim.join();
    }
  }
  await run(() => scope(function* (s) {
    for (let i = 0; i < greenlets; i += 1) s.spawn(work);
    if (rough) for (let i = 0; i < 3; i += 1) s.spawn(victims, s);
  }));
  // A thread that ends may take with it what it was notified of: that is another test.
  const ended = SharedCounter.from(workerData.ended);
  ended.add(1);
  await run(() => ended.waitFor(workerData.threads));
  lock.check();
  workerData.found[0] += lock.found;
`);

export interface Fight {
  readonly threads: number;
  readonly greenlets: number;
  readonly increments: number;
  readonly seed: number;
  /** With kills and timeouts. */
  readonly rough: boolean;
}

/** Let threads increment a number in shared memory that nothing but `lock` protects. Returns it, how often that was to have happened, and what was recovered. */
export function* fight(lock: SharedMutex, options: Fight): Op<{ value: number; done: number; found: number }> {
  const memory = new SharedArrayBuffer(8);
  const found = new Int32Array(new SharedArrayBuffer(4));
  const done = new SharedCounter();
  const { threads } = options;
  const shared = { lock: lock.handle, done: done.handle, ended: new SharedCounter().handle, threads, memory, found };
  const workers = Array.from({ length: options.threads }, (_, i) => {
    const { greenlets, rough } = options;
    const increments = Math.floor(options.increments / options.threads);
    return new Worker(program, { workerData: { ...shared, greenlets, rough, increments, seed: options.seed + i } });
  });
  const ends = yield* allSettled(workers.map((worker) => once<[number]>(worker, 'exit')));
  for (const end of ends) {
    if (end.status === 'rejected') throw end.reason;
    if (end.value[0] !== 0) throw new Error(`a worker has exited with ${end.value[0]}`);
  }
  return { value: new Int32Array(memory)[0] as number, done: done.get(), found: found[0] as number };
}
