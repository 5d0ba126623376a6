// waitables.ts: the registry behind the kill table: for every kind of wait in the kernel, how to make it park and how to let it commit.
//
// A class that extends Wait, directly or not, needs a row here or a reason in `withoutRow`; kill-table.test.ts reads the sources and says which
// one is missing. A row is made anew for each cell, inside the simulated world.

import { Component, defineEvent, type EventOf } from 'tendril/components';
import {
  AsyncResult,
  Channel,
  Event,
  Greenlet,
  idle,
  iwait,
  JoinableQueue,
  Mutex,
  type Op,
  park,
  Queue,
  RLock,
  RWLock,
  type Scope,
  Semaphore,
  scope,
  select,
  sleep,
  sleepUntil,
  spawn,
  timeout,
  unpark,
  type WaitDescription,
} from 'tendril/core';
import { EventWait, EventWaiters, WaitIndex } from '../../components/event-wait.ts';
import { Firing } from '../../components/firing.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import { countJoiners } from '../../core/join.ts';
import { world } from './world.ts';

/** One wait, ready to be started by a victim. All but `undo` is called by the test's own greenlet. */
export interface Case {
  /** What the victim starts. It has to wait until `offer` is called. */
  readonly wait: Op<unknown>;
  /** Let it commit: wake the one that waits, or make the next start complete at once. Never switches. */
  offer(victim: Greenlet<unknown> | undefined): void;
  /** What can be seen of the object. It has not happened  if and only if  this has not changed. */
  look(): unknown;
  /** What the wait returns once it has committed; not compared if absent. */
  readonly value?: unknown;
  /** What the wait throws once it has committed, instead of returning. */
  readonly error?: unknown;
  /** Called by the victim after it returned: give back what it holds. */
  undo?(): void;
  /** `offer` before the start does not make it ready. */
  readonly neverReady?: boolean;
  /** Called at the end. */
  finish?(): void;
}

export interface Row {
  /** The classes whose protocol this row exercises. */
  readonly covers: readonly string[];
  make(): Op<Case>;
  /** Cells that this row cannot have, by the key of the state, and why. */
  readonly without?: Readonly<Record<string, string>>;
}

const failure = new Error('the target failed');

function* receiving(wait: (jobs: Channel<number>) => Op<unknown>, value: unknown): Op<Case> {
  const jobs = new Channel<number>(1);
  return { wait: wait(jobs), offer: () => void jobs.trySend(7), look: () => [jobs.length, jobs.balance], value };
}

function* sending(preference: 'none' | 'receiver', wait: (jobs: Channel<number>) => Op<unknown>): Op<Case> {
  const jobs = new Channel<number>(1, { preference });
  jobs.trySend(1);
  return { wait: wait(jobs), offer: () => void jobs.tryReceive(), look: () => [jobs.length, jobs.balance] };
}

/** Fire whatever sleeps, as if its time had come. */
function fireSleepers(): void {
  world().sleepers.settle(0);
  world().sleepers.fireDue(Number.MAX_VALUE);
}

class Outside extends ExternalWait<string> {
  tickets: Ticket<string>[] = [];
  protected begin(ticket: Ticket<string>): void {
    this.tickets.push(ticket);
  }
  describe(): WaitDescription {
    return { op: 'outside' };
  }
}

/** A greenlet that never runs, and that ends at once when something is thrown into it. */
function unstarted(): Greenlet<unknown> {
  const greenlet = new Greenlet<unknown>(() => sleep(1));
  greenlet.link(() => {});
  return greenlet;
}

export const rows: Readonly<Record<string, Row>> = {
  receive: { covers: ['Receive'], make: () => receiving((jobs) => jobs.receive(), 7) },
  send: { covers: ['Send'], make: () => sending('none', (jobs) => jobs.send(2)) },
  'send, receivers preferred': { covers: ['SendThenYield'], make: () => sending('receiver', (jobs) => jobs.send(2)) },
  'receive, senders preferred': {
    covers: ['ReceiveThenYield'],
    *make() {
      const jobs = new Channel<number>(1, { preference: 'sender' });
      return {
        wait: jobs.receive(),
        offer: () => void jobs.trySend(7),
        look: () => [jobs.length, jobs.balance],
        value: 7,
      };
    },
  },
  'next of a channel': {
    covers: ['MappedWait'],
    make: () => receiving((jobs) => jobs.next(), { done: false, value: 7 }),
  },
  'select of receive and sleep': {
    covers: ['Select'],
    make: () => receiving((jobs) => select({ jobs: jobs.receive(), time: sleep(1e9) }), { key: 'jobs', value: 7 }),
  },
  'select in select': {
    covers: ['Select'],
    make: () =>
      receiving((jobs) => select([new Event().wait(), select([jobs.receive()])]), {
        key: 1,
        value: { key: 0, value: 7 },
      }),
  },
  'timeout of receive': { covers: ['TimeoutWait'], make: () => receiving((jobs) => timeout(1e9, jobs.receive()), 7) },
  'timeout of select of timeout': {
    covers: ['TimeoutWait', 'Select'],
    make: () =>
      receiving((jobs) => timeout(1e9, select({ a: timeout(1e8, jobs.receive()), b: new Event().wait() })), {
        key: 'a',
        value: 7,
      }),
  },
  sleep: {
    covers: ['Sleep'],
    without: { arm: 'all arms would be fired: `offer` fires whatever sleeps' },
    *make() {
      return { wait: sleep(1e9), offer: fireSleepers, look: () => world().sleepers.size, neverReady: true };
    },
  },
  sleepUntil: {
    covers: ['Sleep'],
    without: { arm: 'all arms would be fired: `offer` fires whatever sleeps' },
    *make() {
      return { wait: sleepUntil(1e9), offer: fireSleepers, look: () => world().sleepers.size, neverReady: true };
    },
  },
  join: {
    covers: ['JoinWait', 'EndWait'],
    *make() {
      const target = unstarted();
      return { wait: target.join(), offer: () => target.throw(failure), look: () => countJoiners(target as Greenlet) };
    },
  },
  get: {
    covers: ['GetWait', 'EndWait'],
    *make() {
      const target = unstarted();
      return {
        wait: target.get(),
        offer: () => target.throw(failure),
        look: () => countJoiners(target as Greenlet),
        error: failure,
      };
    },
  },
  'acquire of a mutex': {
    covers: ['LockWait', 'MutexAcquire'],
    *make() {
      const mutex = new Mutex();
      yield* mutex.acquire();
      return {
        wait: mutex.acquire(),
        offer: () => mutex.release(),
        look: () => mutex.locked,
        undo: () => mutex.release(),
        finish: () => void (mutex.locked && mutex.release()),
      };
    },
  },
  'acquire of a reentrant lock': {
    covers: ['LockWait'],
    *make() {
      const lock = new RLock();
      yield* lock.acquire();
      return {
        wait: lock.acquire(),
        offer: () => lock.release(),
        look: () => lock.locked,
        undo: () => lock.release(),
        finish: () => void (lock.locked && lock.release()),
      };
    },
  },
  'acquire of the write side of a read-write lock': {
    covers: ['LockWait'],
    *make() {
      const lock = new RWLock();
      yield* lock.write().acquire();
      let held = true;
      const release = (): void => {
        lock.write().release();
        held = false;
      };
      return {
        wait: lock.write().acquire(),
        offer: release,
        look: () => [lock.readers, lock.writer, lock.waiting],
        undo: () => lock.write().release(),
        finish: () => void (held && release()),
      };
    },
  },
  'acquire of the read side of a read-write lock': {
    covers: ['LockWait'],
    *make() {
      const lock = new RWLock();
      yield* lock.write().acquire();
      let held = true;
      const release = (): void => {
        lock.write().release();
        held = false;
      };
      return {
        wait: lock.read().acquire(),
        offer: release,
        look: () => [lock.readers, lock.writer, lock.waiting],
        undo: () => lock.read().release(),
        finish: () => void (held && release()),
      };
    },
  },
  'acquire of a semaphore': {
    covers: ['SemaphoreAcquire'],
    *make() {
      const permits = new Semaphore(0);
      return {
        wait: permits.acquire(),
        offer: () => permits.release(),
        look: () => [permits.permits, permits.waiters.size],
      };
    },
  },
  'wait of an event': {
    covers: ['EventWait'],
    *make() {
      const flag = new Event();
      return { wait: flag.wait(), offer: () => flag.set(), look: () => [flag.isSet, flag.waiters.size] };
    },
  },
  'get of a result': {
    covers: ['ResultWait'],
    *make() {
      const result = new AsyncResult<number>();
      return {
        wait: result.get(),
        offer: () => result.set(7),
        look: () => [result.ready, result.waiters.size],
        value: 7,
      };
    },
  },
  'get of a result that fails': {
    covers: ['ResultWait'],
    *make() {
      const result = new AsyncResult<number>();
      return {
        wait: result.get(),
        offer: () => result.setError(failure),
        look: () => result.waiters.size,
        error: failure,
      };
    },
  },
  'wait of a result': {
    covers: ['ResultWait'],
    *make() {
      const result = new AsyncResult<number>();
      return { wait: result.wait(), offer: () => result.setError(failure), look: () => result.waiters.size };
    },
  },
  'something outside': {
    covers: ['ExternalWait'],
    without: {
      grace: 'the clock stands still while something outside is awaited',
      timeout: 'the clock stands still while something outside is awaited',
    },
    *make() {
      const outside = new Outside();
      const settle = (): void => {
        for (const ticket of outside.tickets.splice(0)) ticket.resolve('late');
      };
      return { wait: outside, offer: settle, look: () => world().externalWaits, neverReady: true, finish: settle };
    },
  },
  'the end of a scope': {
    covers: ['Drained'],
    *make() {
      let kept: Scope | undefined;
      // A child that never runs: killing it ends it at once.
      const child = unstarted();
      const holder = spawn(() =>
        scope(function* (s) {
          kept = s;
          child.scope = s;
          child.startLater(Number.POSITIVE_INFINITY);
        }),
      );
      while (holder.waitingOn === undefined) yield* sleep(0);
      return {
        wait: holder.waitingOn,
        offer: () => void child.kill(),
        look: () => kept?.size,
        finish: () => void child.kill(),
      };
    },
  },
  park: {
    covers: ['Park'],
    *make() {
      return {
        wait: park(),
        offer: (victim) => victim !== undefined && unpark(victim),
        look: () => 0,
        neverReady: true,
      };
    },
  },
  idle: {
    covers: ['Idle'],
    without: {
      grace: 'it waits for less than a grace: somebody is always idle before',
      timeout: 'it waits for less than a grace: somebody is always idle before',
    },
    *make() {
      const fire = (): void => world().idlers.fireAll(undefined, 0);
      return { wait: idle(), offer: fire, look: () => world().idlers.size, neverReady: true };
    },
  },
  'next of iwait': {
    covers: ['ReadinessNext'],
    *make() {
      const flag = new Event();
      const readiness = iwait([flag]);
      return {
        wait: readiness.next(),
        offer: () => flag.set(),
        look: () => readiness.waiters.size,
        finish: () => readiness.close(),
      };
    },
  },
  'get of a queue': {
    covers: ['QueueGet'],
    *make() {
      const queue = new Queue<number>(1);
      return { wait: queue.get(), offer: () => void queue.tryPut(7), look: () => queue.length, value: 7 };
    },
  },
  'peek into a queue': {
    covers: ['QueueGet'],
    *make() {
      const queue = new Queue<number>(1);
      return {
        wait: queue.peek(),
        offer: () => void queue.tryPut(7),
        look: () => [queue.length, queue.getters.size],
        value: 7,
      };
    },
  },
  'next of a queue': {
    covers: ['MappedWait', 'QueueGet'],
    *make() {
      const queue = new Queue<number>(1);
      return {
        wait: queue.next(),
        offer: () => queue.close(),
        look: () => [queue.closed, queue.getters.size],
        value: { done: true, value: undefined },
      };
    },
  },
  'put of a queue': {
    covers: ['QueuePut'],
    *make() {
      const queue = new Queue<number>(1);
      queue.tryPut(1);
      return { wait: queue.put(2), offer: () => void queue.tryGet(), look: () => queue.length };
    },
  },
  'join of a queue': {
    covers: ['QueueJoin'],
    *make() {
      const queue = new JoinableQueue<number>();
      queue.tryPut(1);
      queue.tryGet();
      return { wait: queue.join(), offer: () => queue.taskDone(), look: () => queue.length };
    },
  },
  'result of an event': { covers: ['FiringWait'], make: () => ofFiring('handled') },
  'complete of an event': { covers: ['FiringWait'], make: () => ofFiring('complete') },
  'wait for an event': {
    covers: ['EventWait'],
    *make() {
      const type = defineEvent<[], number>('awaited');
      const index = new WaitIndex();
      const wanted = { kind: type.kind, forAll: false, channel: '*', where: undefined };
      const firing = firingOf(type());
      return {
        wait: new EventWait(new EventWaiters(index), wanted),
        offer: () => index.wake(type.kind, firing),
        look: () => index.size,
        value: firing,
        neverReady: true,
      };
    },
  },
};

/** A firing that nobody looks after. */
function firingOf(event: EventOf<[], number>): Firing {
  const nothing = (): void => {};
  const keeper = { handled: nothing, completed: nothing, cancelled: nothing, report: nothing };
  return new Firing(event, ['*'], 0, new Component(), keeper, undefined) as unknown as Firing;
}

function* ofFiring(sense: 'handled' | 'complete'): Op<Case> {
  const firing = firingOf(defineEvent<[], number>('ended')());
  return {
    wait: sense === 'handled' ? firing.result() : firing.complete(),
    offer() {
      firing.begin();
      firing.give(0, 7);
      firing.ended();
    },
    look: () => [firing.waitersFor(sense).size, firing.state],
    value: [7],
  };
}

/** Classes that need no row, and why. */
export const withoutRow: Readonly<Record<string, string>> = {
  Notified: 'part of Condition.wait, which is a composite: tests/core/condition.test.ts',
  LockRegain: 'part of Condition.wait: it masks kills on purpose',
  BarrierWait: 'a kill breaks the barrier for all, so it does happen: tests/core/barrier.test.ts',
  Yield: 'kill-table.test.ts, of a greenlet that is ready',
  Place: 'part of Pool.spawn: tests/core/group-pool.test.ts',
  ImapNext: 'tests/core/group-pool.test.ts',
};
