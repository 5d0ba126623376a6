// shared-threads.test.ts: shared state between real threads: nothing is lost, whoever is killed, and what a thread had when it ended can be taken over.
import { Worker } from 'node:worker_threads';
import { all, type Op, once, run, sleep, spawn, timeout } from 'tendril';
import { SharedCounter, SharedMutex } from 'tendril/executors/shared';
import { describe, expect, it } from 'vitest';
import { moduleFile } from '../program-file.ts';
import { fight } from './shared-workers.ts';

const program = moduleFile(`
  import { workerData } from 'node:worker_threads';
  import { run, sleep, spawn } from 'tendril';
  import { SharedMutex, SharedCounter } from 'tendril/executors/shared';
  const lock = SharedMutex.from(workerData.lock);
  const ready = SharedCounter.from(workerData.ready);
  const deeds = {
    *hold() { yield* lock.acquire(); ready.add(1); yield* sleep(1e6); },
    *wait() { spawn(() => sleep(1)).link(() => ready.add(1)); yield* lock.acquire(); yield* sleep(1e6); },
    *doze() { spawn(() => sleep(1)).link(() => { ready.add(1); setImmediate(() => { for (;;) {} }); }); yield* lock.acquire(); },
    *fight() {
      for (let i = 0; i < 3; i += 1) spawn(function* () {
        yield* lock.acquire();
        ready.add(1);
        for (let n = 0; ; n += 1) {
          lock.release();
          if (n % 64 === 0) yield* sleep(0);
          yield* lock.acquire();
        }
      });
      yield* sleep(1e6);
    },
    *answer() {
      for (let i = 1; i <= 100; i += 1) { yield* ready.waitFor(2 * i - 1); ready.add(1); }
    },
  };
  await run(deeds[workerData.deed]);
`);

function work(deed: string, lock: SharedMutex, ready: SharedCounter): Worker {
  return new Worker(program, { workerData: { deed, lock: lock.handle, ready: ready.handle } });
}

describe('Shared state between threads', () => {
  it('no increment under the mutex is lost, with kills and timeouts at random', () =>
    run(function* () {
      const lock = new SharedMutex({ name: 'ledger' });
      const options = { threads: 2, greenlets: 4, increments: 20_000, seed: 1, rough: true };
      const { value, done, found } = yield* fight(lock, options);
      expect([value, found, lock.locked]).toEqual([done, 0, false]);
      expect(done).toBeGreaterThan(10_000);
    }));

  it('a counter wakes another thread, and is woken by it', () =>
    run(function* () {
      const ready = new SharedCounter();
      const worker = work('answer', new SharedMutex(), ready);
      for (let i = 1; i <= 100; i += 1) {
        ready.add(1);
        yield* ready.waitFor(2 * i);
      }
      expect(ready.get()).toBe(200);
      yield* once(worker, 'exit');
    }));

  it('the lock of a thread that was terminated is taken over by one of those who hear of it', () =>
    run(function* () {
      const lock = new SharedMutex({ name: 'ledger' });
      const ready = new SharedCounter();
      const worker = work('hold', lock, ready);
      const { threadId } = worker;
      yield* ready.waitFor(1);
      const waiting = spawn(() => lock.use(sleep(0)));
      yield* sleep(1);
      expect([lock.ownerThread, lock.locked]).toEqual([threadId, true]);
      yield* all([once(worker, 'exit'), endOf(worker)]);
      expect([lock.takeOver(threadId), lock.takeOver(threadId), lock.ownerThread]).toEqual([true, false, 0]);
      lock.release();
      yield* waiting.get();
      expect(lock.locked).toBe(false);
    }));

  it.each(['wait', 'doze'])('a thread that ends while it waits takes no lock with it: %s', (deed) =>
    run(function* () {
      const lock = new SharedMutex({ name: 'ledger' });
      const ready = new SharedCounter();
      yield* lock.acquire();
      const worker = work(deed, lock, ready);
      yield* ready.waitFor(1);
      yield* sleep(5);
      // That thread is notified; the one that dozes never comes to take it.
      if (deed === 'doze') lock.release();
      yield* all([once(worker, 'exit'), endOf(worker)]);
      if (deed === 'wait') lock.release();
      yield* timeout(5000, lock.acquire());
      lock.release();
      expect(lock.locked).toBe(false);
    }),
  );
});

describe('A mutex', () => {
  it('is free, or had by a thread that is known, whenever threads that fight for it are terminated', () =>
    run(function* () {
      const lock = new SharedMutex({ name: 'ledger' });
      for (let round = 0; round < 8; round += 1) {
        const ready = new SharedCounter();
        const workers = [work('fight', lock, ready), work('fight', lock, ready)];
        const ids = workers.map(({ threadId }) => threadId);
        yield* ready.waitFor(6);
        yield* all(workers.flatMap((worker) => [once(worker, 'exit'), endOf(worker)]));
        for (const id of ids) if (lock.takeOver(id)) lock.release();
        yield* timeout(5000, lock.acquire());
        lock.release();
      }
      expect(lock.locked).toBe(false);
    }));
});

function* endOf(worker: Worker): Op<void> {
  yield* sleep(0);
  void worker.terminate();
}
