// primitive-checks.test.ts: the check() of each lock and queue notices when its invariants are broken, and reports name what they are about.
import {
  Barrier,
  BoundedSemaphore,
  Channel,
  Condition,
  current,
  DeadlockError,
  Event,
  type Greenlet,
  idle,
  iwait,
  JoinableQueue,
  Mutex,
  type Op,
  Pool,
  PriorityQueue,
  park,
  Queue,
  RLock,
  RWLock,
  Semaphore,
  sleep,
  spawn,
  yieldNow,
} from 'tendril/core';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { kernel } from '../../core/kernel.ts';
import { parkedReport, reportStuck } from '../../core/quiescence.ts';
import { StableHeap } from '../../core/stable-heap.ts';
import { type Timer, TimerQueue } from '../../core/timers.ts';
import { type Waiter, WaitList } from '../../core/wait-list.ts';
import { collectErrors, play, world } from './world.ts';

function fakeWaiter(value?: unknown, owner?: Greenlet): Waiter {
  return { next: undefined, prev: undefined, value, owner: () => owner as Greenlet, fire: () => {} };
}

function timer(): Timer {
  return { order: 0, slot: -1, due: () => {} };
}

/** How to break each invariant. */
const broken: Readonly<Record<string, () => Op<{ check(): void }>>> = {
  *'a receiver beside a value'() {
    const channel = new Channel<number>(1);
    channel.trySend(1);
    channel.receivers.push(fakeWaiter());
    return channel;
  },
  *'a sender beside room'() {
    const channel = new Channel<number>(1);
    channel.senders.push(fakeWaiter(1));
    return channel;
  },
  *'somebody who waits at a closed channel'() {
    const channel = new Channel<number>();
    channel.close();
    channel.receivers.push(fakeWaiter());
    return channel;
  },
  *'a sender and a receiver that wait beside each other'() {
    const channel = new Channel<number>();
    channel.receivers.push(fakeWaiter());
    channel.senders.push(fakeWaiter(1, current()));
    return channel;
  },
  *'a wait list whose links disagree'() {
    const list = new WaitList();
    list.push(fakeWaiter());
    list.push(fakeWaiter());
    (list.head as Waiter).next = fakeWaiter();
    return list;
  },
  *'a wait list that has lost count'() {
    const list = new WaitList();
    list.push(fakeWaiter());
    list.size = 2;
    return list;
  },
  *'a timer that does not know its place'() {
    const timers = new TimerQueue();
    timers.armAt(timer(), 1);
    const moved = timer();
    timers.armAt(moved, 3);
    moved.slot = 0;
    return timers;
  },
  *'a timer that is due before the one above it'() {
    const timers = new TimerQueue();
    const late = timer();
    timers.armAt(timer(), 1);
    timers.armAt(late, 1);
    late.order = -1;
    return timers;
  },
  *'a fresh timer that does not know its place'() {
    const timers = new TimerQueue();
    const fresh = timer();
    timers.arm(fresh, 1);
    fresh.slot = -3;
    return timers;
  },
  *'a waiter beside a free Mutex'() {
    const lock = new Mutex();
    lock.waiters.push(fakeWaiter());
    return lock;
  },
  *'an owner that does not know of its Mutex'() {
    const lock = new Mutex();
    const holder = spawn(() => lock.use(sleep(1)));
    yield* yieldNow();
    if (holder.side !== undefined) holder.side.ownedLocks = undefined;
    return lock;
  },
  *'a free RLock with a depth'() {
    const lock = new RLock();
    lock.regained(1);
    return lock;
  },
  *'a waiter beside a free permit'() {
    const permits = new Semaphore(1);
    permits.waiters.push(fakeWaiter());
    return permits;
  },
  *'more permits than there are'() {
    const permits = new BoundedSemaphore(1);
    Semaphore.prototype.release.call(permits);
    return permits;
  },
  *'as many at a barrier as are needed'() {
    const barrier = new Barrier(1);
    barrier.waiters.push(fakeWaiter(0));
    return barrier;
  },
  *'a waiter at a broken barrier'() {
    const barrier = new Barrier(3);
    barrier.abort();
    barrier.waiters.push(fakeWaiter(0));
    return barrier;
  },
  *'a wrong place of arrival'() {
    const barrier = new Barrier(3);
    barrier.waiters.push(fakeWaiter(1));
    return barrier;
  },
  *'one who waits at a condition and has its lock'() {
    const condition = new Condition();
    const holder = spawn(() => condition.use(sleep(1)));
    yield* yieldNow();
    condition.waiters.push(fakeWaiter(undefined, holder as Greenlet));
    return condition;
  },
  *'a reader beside a writer'() {
    const lock = new RWLock();
    const holder = spawn(() => lock.read().use(sleep(1)));
    yield* yieldNow();
    const [hold] = lock.readHolds.values();
    if (hold === undefined) throw new Error('nobody reads');
    lock.readHolds.clear();
    spawn(() => lock.write().use(sleep(1)));
    yield* yieldNow();
    lock.readHolds.set(holder as Greenlet, hold);
    return lock;
  },
  *'a waiter beside a free read-write lock'() {
    const lock = new RWLock();
    lock.line.push(fakeWaiter('write'));
    return lock;
  },
  *'a reader at the head of the line while others read'() {
    const lock = new RWLock();
    spawn(() => lock.read().use(sleep(1)));
    yield* yieldNow();
    lock.line.push(fakeWaiter('read'));
    return {
      check() {
        try {
          lock.check();
        } finally {
          lock.line.shift();
        }
      },
    };
  },
  *'more in a queue than its capacity'() {
    const queue = new Queue<number>(1, { items: [1] });
    Object.defineProperty(queue, 'capacity', { value: 0 });
    return queue;
  },
  *'a getter beside an item'() {
    const queue = new Queue<number>(1, { items: [1] });
    queue.getters.push(fakeWaiter());
    return queue;
  },
  *'a putter beside room'() {
    const queue = new Queue<number>(1);
    queue.putters.push(fakeWaiter(1));
    return queue;
  },
  *'a getter at a closed queue'() {
    const queue = new Queue<number>(1);
    queue.close();
    queue.getters.push(fakeWaiter());
    return queue;
  },
  *'a joiner of nothing'() {
    const queue = new Queue<number>(1);
    queue.joiners.push(fakeWaiter());
    return queue;
  },
  *'a heap whose order has changed'() {
    let sign = 1;
    const heap = new StableHeap<number>((a, b) => sign * (a - b));
    for (const value of [1, 2, 3]) heap.push(value);
    heap.check();
    sign = -1;
    return heap;
  },
};

describe('check()', () => {
  it.each(Object.entries(broken))('notices %s', (_, make) =>
    play(function* () {
      const object = yield* make();
      expect(() => object.check()).toThrow(Error);
    }),
  );

  it('is content with what is whole', () => {
    for (const object of [
      new Mutex(),
      new RLock(),
      new Semaphore(),
      new BoundedSemaphore(),
      new Barrier(2),
      new Condition(),
      new RWLock(),
      new Queue(),
      new PriorityQueue(),
    ])
      object.check();
  });
});

describe('A deadlock report', () => {
  it('shows at most 50 different stacks, names an event, and says nothing of a greenlet that does not wait', async () => {
    const never = new Event({ name: 'never' });
    const deep = function* (levels: number): Op<void> {
      if (levels > 0) yield* deep(levels - 1);
      else yield* never.wait();
    };
    const error = (await simulate(function* () {
      for (let levels = 0; levels < 60; levels += 1) spawn(deep, levels);
      yield* never.wait();
    }).catch((reason: unknown) => reason)) as DeadlockError;
    expect(error.report.match(/waits: wait on event never/g)).toHaveLength(61);
    expect(error.report.match(/(?:^|\n) {4}at .*(?=\n {2}\S)/g)?.length).toBeLessThanOrEqual(50);
    await play(function* () {
      expect(parkedReport([current()])).toMatch(/^ {2}greenlet-1 is running$/);
    });
  });

  it('is not made when the host finds nothing to do too early', () =>
    play(function* () {
      const sleeper = spawn(() => sleep(5));
      const leaks: unknown[] = [];
      world().events.on('leak', () => leaks.push('leak'));
      reportStuck(world());
      yield* sleeper.get();
      expect([leaks, sleeper.killed]).toEqual([[], false]);
    }));

  it('names what each greenlet waits for, and who holds it', async () => {
    const error = await simulate(function* () {
      const lock = new RWLock({ name: 'config' });
      const full = new Queue<number>(1, { items: [1], name: 'full' });
      const empty = new Queue<number>(1, { name: 'empty' });
      yield* lock.read().acquire();
      const ops: Op<unknown>[] = [
        lock.write().acquire(),
        full.put(1),
        full.join(),
        empty.get(),
        empty.peek(),
        new JoinableQueue<number>(1, { items: [1] }).join(),
        new Barrier(2, { name: 'start' }).wait(),
        new BoundedSemaphore(0, { name: 'slots' }).acquire(),
        new Semaphore(0).acquire(),
        new Barrier(2).wait(),
        new Queue().get(),
      ];
      for (const op of ops) spawn(() => op);
      yield* lock.read().use(sleep(Number.POSITIVE_INFINITY));
    }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DeadlockError);
    for (const text of [
      'acquire on the write side of read-write lock config, held by greenlet-1',
      'put on queue full',
      'join on queue full',
      'get on queue empty',
      'peek on queue empty',
      'join on a queue',
      'get on a queue',
      'wait on barrier start',
      'wait on a barrier',
      'acquire on semaphore slots',
      'acquire on a semaphore',
    ])
      expect((error as DeadlockError).report).toContain(`waits: ${text}`);
  });

  it('of a lock that its owner left held tells in development mode where it was taken and the owner spawned', () =>
    play(function* () {
      Object.defineProperty(world().driver, 'development', { value: true });
      const errors = collectErrors();
      const lock = new Mutex({ name: 'jobs' });
      yield* spawn(function* careless() {
        yield* lock.acquire();
      }).join();
      yield* sleep(1);
      expect(String(errors[0])).toMatch(
        /ended while it held mutex jobs[\s\S]*\ntaken at [\s\S]*careless[\s\S]*\nowner spawned at /,
      );
    }));

  it('of two locks left held names both', () =>
    play(function* () {
      const errors = collectErrors();
      const [first, second] = [new Mutex({ name: 'first' }), new RLock({ name: 'second' })];
      yield* spawn(function* () {
        yield* first.acquire();
        yield* second.acquire();
      }).join();
      yield* sleep(1);
      expect(errors.map((error) => /held (.*), which/.exec(String(error))?.[1])).toEqual([
        'RLock second',
        'mutex first',
      ]);
    }));
});

describe('In development mode', () => {
  it('each call that makes an Op makes one of its own, so that a forgotten `yield*` is found', () =>
    play(function* () {
      const seen: object[] = [];
      const results = new Pool(1).imap(() => sleep(1), [1]);
      kernel.watch = { created: (op) => seen.push(op), used: () => {} };
      try {
        const [channel, event, things] = [new Channel<number>(), new Event(), iwait([sleep(1)])];
        const [semaphore, barrier, lock, queue] = [new Semaphore(), new Barrier(2), new RWLock(), new Queue<number>()];
        const [mutex, condition] = [new Mutex(), new Condition()];
        const calls = [
          () => mutex.acquire(),
          () => mutex.use(sleep(1)),
          () => semaphore.acquire(),
          () => barrier.wait(),
          () => lock.read().acquire(),
          () => lock.write().acquire(),
          () => condition.acquire(),
          () => condition.wait(),
          () => condition.waitFor(() => true),
          () => queue.get(),
          () => queue.peek(),
          () => queue.put(1),
          () => queue.join(),
          () => queue.next(),
          () => channel.send(1),
          () => channel.receive(),
          () => channel.next(),
          () => event.wait(),
          () => things.next(),
          () => results.next(),
          () => idle(),
          () => park(),
          () => yieldNow(),
        ];
        for (const call of calls) {
          seen.length = 0;
          const [one, two] = [call(), call()];
          expect([one === two, seen.includes(one), seen.includes(two)]).toEqual([false, true, true]);
        }
      } finally {
        kernel.watch = undefined;
      }
    }));
});

describe('Labels', () => {
  it('say what it is when there is no name', () => {
    expect(
      [new Mutex(), new RLock(), new Semaphore(), new Barrier(2), new Condition(), new RWLock(), new Queue()].map(
        (object) => object.label(),
      ),
    ).toEqual(['a mutex', 'an RLock', 'a semaphore', 'a barrier', 'a condition', 'a read-write lock', 'a queue']);
  });
});
