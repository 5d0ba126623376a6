import { existsSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import v8 from 'node:v8';
import { Worker } from 'node:worker_threads';
import { all, connect, hub, type Op, once, run, select, sleep, spawn, TimeoutError, timeout, yieldNow } from 'tendril';
import { channelPair } from 'tendril/executors/channels';
import { connectManager, holding, Manager, refOf } from 'tendril/executors/manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { moduleFile } from '../program-file.ts';
import { thrownBy } from '../thrown-by.ts';
import { type Classes, eventually, folder, start } from './manager-ground.ts';

/** What `op` throws; undefined if it does not. */
function* thrownOrNot(op: Op<unknown>): Op<unknown> {
  try {
    yield* op;
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('An object in a manager', () => {
  let manager: Manager<Classes>;
  beforeAll(async () => {
    manager = await run(start);
  });
  afterAll(() => run(() => manager.stop()));

  it('has its methods as Ops, whatever they are there', () =>
    run(function* () {
      const counter = yield* manager.make('Counter', 5);
      expect([
        yield* counter.increment(2),
        yield* counter.later(3),
        yield* counter.slowly(10, 1),
        yield* counter.echo(new Map([[1, new Date(5)]])),
      ]).toEqual([7, 10, 20, new Map([[1, new Date(5)]])]);
      const names = counter as unknown as Record<string, unknown>;
      expect([names.secret, names._private, names.constructor === Object, names.nothing]).toEqual([
        undefined,
        undefined,
        true,
        undefined,
      ]);
      const asked = yield* select({ call: counter.increment(), time: sleep(5000) });
      expect([asked, String(counter)]).toEqual([{ key: 'call', value: 21 }, '[object Managed Counter]']);
    }));

  it('runs calls side by side, in one thread', () =>
    run(function* () {
      const counter = yield* manager.make('Counter');
      const [slow, quick] = yield* all([counter.slowly(100, 20), counter.increment()]);
      expect([slow, quick]).toEqual([100, 1]);
      const account = yield* manager.make('Account');
      const waiting = spawn(() => account.withdraw(30));
      yield* all(Array.from({ length: 10 }, () => account.deposit(10)));
      yield* waiting.get();
      expect(yield* account.withdraw(0)).toBe(70);
    }));

  it('throws here what it threw there, with both stacks', () =>
    run(function* () {
      const counter = yield* manager.make('Counter');
      const error = (yield* thrownBy(counter.fail())) as Error;
      expect(error).toMatchObject({
        name: 'RangeError',
        message: 'odd',
        code: 'ERR_ODD',
        detail: 7,
        cause: { message: 'why' },
      });
      expect(error).toBeInstanceOf(RangeError);
      expect(error.stack).toMatch(
        /at Counter\.fail .*module-\d+\.mjs.*--- in the manager process; called from.*manager\.test\.ts/s,
      );
      expect(yield* thrownBy(counter.failLater())).toMatchObject({
        message: expect.stringContaining("not: 'an error'"),
      });
      expect(yield* thrownBy(counter.reject())).toBeInstanceOf(TypeError);
      expect(yield* thrownBy(manager.make('Counter', -1))).toMatchObject({ message: 'a counter begins at 0 or more' });
      expect(
        yield* thrownBy((manager as unknown as Manager<{ Nothing: new () => object }>).make('Nothing')),
      ).toMatchObject({
        message: 'the manager has no class Nothing: give it to defineManaged; it has Counter, Account, Disposed',
      });
    }));

  it('refuses what cannot travel, there and back', () =>
    run(function* () {
      const counter = yield* manager.make('Counter');
      expect(yield* thrownBy(counter.echo({ a: [() => 1] }))).toMatchObject({
        name: 'TypeError',
        code: 'ERR_CANNOT_TRAVEL',
        message: 'Counter.echo: arguments[0].a[0] is a function, which cannot travel to another process: pass data',
      });
      expect(yield* thrownBy(counter.unclonable())).toMatchObject({
        code: 'ERR_CANNOT_TRAVEL',
        message:
          "Counter.unclonable: the result.f is a function 'f', which cannot travel to another process: pass data",
      });
      expect(yield* counter.echo('fine')).toBe('fine');
    }));

  it('does not travel itself, but by a ref', () =>
    run(function* () {
      const [counter, list] = [yield* manager.make('Counter'), yield* manager.list<unknown>()];
      const next = 'pass refOf() of it, and attach() there';
      expect(yield* thrownBy(list.push(1, { counters: [counter] }))).toMatchObject({
        code: 'ERR_CANNOT_TRAVEL',
        message: `managed list.push: arguments[1].counters[0] is an object (Managed Counter), which cannot travel to another process: ${next}`,
      });
      const [near] = channelPair<unknown>({ capacity: 1, name: 'refs' });
      expect(() => near.trySend(list)).toThrow(
        `trySend on channel refs: value is an object (Managed list), which cannot travel to another thread: ${next}`,
      );
      expect(() => structuredClone(counter)).toThrow('could not be cloned');
      yield* list.push({ counters: [refOf(counter)] });
      expect([yield* list.slice(), inspect(counter)]).toEqual([
        [{ counters: [refOf(counter)] }],
        // From Node 26 on with `Proxy(...)` around it.
        expect.stringContaining('Object [Managed Counter] {}'),
      ]);
      near.close();
    }));

  it('what is nested too deep to be read is an error of that call alone, there and here', () =>
    run(function* () {
      const other = yield* connectManager<Classes>(manager.address);
      const [counter, list] = [yield* other.make('Counter'), yield* other.list<object>()];
      const outcomes = new Set<string>();
      for (let depth = 500; depth <= 6000; depth += 250) {
        let value: object = {};
        for (let i = 0; i < depth; i += 1) value = { value };
        for (const [what, call] of [
          ['pushed', list.push(value)],
          ['made', other.dict([['key', value]])],
          ['given back', counter.nested(depth)],
        ] as const) {
          const error = (yield* thrownOrNot(call)) as { code: string; message: string } | undefined;
          if (error !== undefined) expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_CANNOT_TRAVEL' });
          outcomes.add(`${what}: ${error === undefined ? '' : error.message.replace(/^.*?: /, '').slice(0, 38)}`);
        }
      }
      expect([...outcomes].sort()).toEqual([
        'given back: ',
        'given back: the result cannot be read here (Maximu',
        'given back: the result has more than 1000 objects ',
        'made: ',
        'made: arguments has more than 1000 objects o',
        'made: the arguments cannot be read in the ma',
        'pushed: ',
        'pushed: arguments has more than 1000 objects o',
        'pushed: the arguments cannot be read in the ma',
      ]);
      expect(yield* counter.increment()).toBe(1);
      other.close();
    }));

  it('a killed or timed out call is killed there', () =>
    run(function* () {
      const counter = yield* manager.make('Counter');
      const victim = spawn(() => counter.waitLong());
      expect(yield* thrownBy(timeout(20, counter.waitLong()))).toBeInstanceOf(TimeoutError);
      while ((yield* counter.trace()).length < 3) yield* yieldNow();
      victim.kill();
      yield* victim.join();
      while ((yield* counter.trace()).length < 4) yield* yieldNow();
      expect(yield* counter.trace()).toEqual(['waits', 'waits', 'killed: true', 'killed: true']);
      const unstarted = spawn(() => counter.waitLong());
      yield* yieldNow();
      unstarted.kill();
      yield* unstarted.join();
      expect(hub.stats().orphans).toBe(0);
    }));

  it('is reached from another connection by a ref, and lives as long as one of them has it', () =>
    run(function* () {
      const mine = yield* manager.make('Counter', 1);
      const other = yield* connectManager<Classes>(manager.address);
      const theirs = yield* other.attach(refOf(mine));
      expect([yield* theirs.increment(), yield* mine.increment()]).toEqual([2, 3]);
      const clients = [yield* mine.client(), yield* theirs.client(), yield* theirs.clientLater()];
      expect([clients[0] === clients[1], clients[1] === clients[2]]).toEqual([false, true]);
      const ref = refOf(mine);
      manager.release(mine);
      manager.release(mine);
      expect(yield* thrownBy(mine.increment())).toMatchObject({ code: 'ERR_MANAGED_RELEASED' });
      expect(yield* theirs.increment()).toBe(4);
      other.close();
      expect(yield* thrownBy(theirs.increment())).toMatchObject({ code: 'ERR_CLOSED' });
      const gone = spawn(function* () {
        for (;;) {
          const error = yield* thrownBy(
            (function* () {
              manager.release(yield* manager.attach(ref));
              throw undefined;
            })(),
          );
          if (error !== undefined) return error;
        }
      });
      expect(yield* timeout(5000, gone.get())).toMatchObject({
        code: 'ERR_MANAGED_RELEASED',
        message: expect.stringContaining('attach: the object is released'),
      });
    }));

  it('is disposed of when the last reference goes', () =>
    run(function* () {
      const file = path.join(folder, 'disposed');
      const other = yield* connectManager<Classes>(manager.address);
      yield* other.make('Disposed', file);
      expect(existsSync(file)).toBe(false);
      other.close();
      yield* eventually(() => existsSync(file));
    }));

  it('may be used from a thread', () =>
    run(function* () {
      const counter = yield* manager.make('Counter', 1);
      const program = moduleFile(`
        import { parentPort, workerData } from 'node:worker_threads';
        import { run } from 'tendril';
        import { connectManager } from 'tendril/executors/manager';
        parentPort.postMessage(await run(function* () {
          const manager = yield* connectManager(workerData.address);
          const counter = yield* manager.attach(workerData);
          return yield* counter.increment(41);
        }));
      `);
      const worker = new Worker(program, { workerData: refOf(counter) });
      const exit = spawn(() => once(worker, 'exit'));
      expect([yield* once(worker, 'message'), yield* exit.get()]).toEqual([[42], [0]]);
    }));

  it('lives on beside a client that sends what is no request, and objects that throw where nobody is to hear it', () =>
    run(function* () {
      const counter = yield* manager.make('Counter');
      for (const junk of [
        5,
        'text',
        ['what'],
        { 0: 'call' },
        ['call'],
        ['make', 1],
        ['undo', 1],
        ['release'],
        ['cancel', {}],
        null,
      ]) {
        const socket = yield* connect({ path: manager.address });
        const body = v8.serialize(junk);
        const head = Buffer.alloc(4);
        head.writeUInt32BE(body.length);
        yield* socket.write(Buffer.concat([head, body]));
        socket.end();
        while ((yield* socket.read()) !== null);
        socket.close();
      }
      for (const bytes of [Buffer.from([0, 0, 0, 1, 7]), Buffer.alloc(64, 255)]) {
        const socket = yield* connect({ path: manager.address });
        yield* socket.write(bytes);
        while ((yield* socket.read()) !== null);
        socket.close();
      }
      yield* manager.make('Disposed', path.join(folder, 'no', 'such', 'folder'));
      const other = yield* connectManager<Classes>(manager.address);
      yield* other.make('Disposed', path.join(folder, 'no', 'such', 'folder'));
      other.close();
      expect([yield* counter.increment(), manager.closed]).toEqual([1, false]);
    }));

  it('has ready-made kinds', () =>
    run(function* () {
      const dict = yield* manager.dict<string, number>([['a', 1]]);
      yield* dict.set('b', 2);
      expect([
        yield* dict.get('a'),
        yield* dict.add('b', 3),
        yield* dict.setDefault('a', 9),
        yield* dict.pop('a'),
        yield* dict.has('a'),
        yield* dict.entries(),
      ]).toEqual([1, 5, 1, 1, false, [['b', 5]]]);
      const list = yield* manager.list<number>([1, 2]);
      yield* list.set(-1, 5);
      expect([
        yield* list.push(7),
        yield* list.slice(),
        yield* list.get(0),
        yield* list.pop(),
        yield* list.size(),
      ]).toEqual([3, [1, 5, 7], 1, 7, 2]);
      expect(yield* thrownBy(list.set(9, 1))).toMatchObject({ message: 'a list of 2 has no place 9' });
      const value = yield* manager.value(1);
      expect([
        yield* value.add(2),
        yield* value.compareAndSet(3, 8),
        yield* value.compareAndSet(3, 9),
        yield* value.get(),
      ]).toEqual([3, true, false, 8]);
      const event = yield* manager.event();
      const waiting = spawn(() => event.wait());
      yield* event.set();
      yield* waiting.get();
      expect(yield* event.isSet()).toBe(true);
      const queue = yield* manager.queue<string>(1);
      yield* queue.put('x');
      expect([yield* queue.tryPut('y'), yield* queue.get(), yield* queue.tryGet(), yield* queue.size()]).toEqual([
        false,
        'x',
        undefined,
        0,
      ]);
      const getting = spawn(() => queue.get());
      yield* queue.put('z');
      expect(yield* getting.get()).toBe('z');
    }));

  it('a lock is between clients, and free again when its holder is gone', () =>
    run(function* () {
      const lock = yield* manager.lock();
      const other = yield* connectManager<Classes>(manager.address);
      const theirs = yield* other.attach(refOf(lock));
      yield* theirs.acquire();
      expect([yield* lock.tryAcquire(), yield* lock.locked()]).toEqual([false, true]);
      expect(yield* thrownBy(lock.release())).toMatchObject({ code: 'ERR_NOT_OWNER' });
      const waiting = spawn(() => holding(lock, sleep(1)));
      yield* sleep(5);
      other.close();
      yield* timeout(5000, waiting.get());
      expect(yield* lock.locked()).toBe(false);
    }));

  it('what is handed over to a caller that was killed meanwhile is given back', () =>
    run(function* () {
      const lock = yield* manager.lock();
      const queue = yield* manager.queue<number>();
      for (let i = 0; i < 30; i += 1) {
        yield* queue.put(i);
        const victims = [spawn(() => lock.acquire()), spawn(() => queue.get())];
        // At each moment between the request and the reply.
        for (let j = 0; j < i % 6; j += 1) yield* sleep(0);
        for (const victim of victims) victim.kill();
        if (victims[0]?.outcome?.ok === true) yield* lock.release();
        const got = victims[1]?.outcome?.ok === true ? victims[1].outcome.value : yield* timeout(5000, queue.get());
        expect(got).toBe(i);
        yield* timeout(5000, holding(lock, sleep(0)));
      }
      expect([yield* queue.size(), yield* lock.locked()]).toEqual([0, false]);
    }));
});

describe('A manager', () => {
  it('that crashes fails the calls that wait and those that come', () =>
    run(function* () {
      const manager = yield* start();
      const counter = yield* manager.make('Counter');
      const waiting = spawn(() => thrownBy(counter.waitLong()));
      yield* counter.increment();
      process.kill(manager.pid, 'SIGKILL');
      const lost = {
        code: 'ERR_MANAGER_LOST',
        message:
          'Counter.waitLong: the manager is lost: its process was killed by SIGKILL; its objects are gone, start another one',
      };
      expect(yield* waiting.get()).toMatchObject(lost);
      expect(yield* thrownBy(counter.increment())).toMatchObject({ code: 'ERR_MANAGER_LOST' });
      expect([manager.closed, existsSync(manager.address)]).toEqual([true, false]);
      yield* manager.stop();
    }));

  it('that exits says with what code', () =>
    run(function* () {
      const manager = yield* start();
      const counter = yield* manager.make('Counter');
      expect(yield* thrownBy(counter.exit(3))).toMatchObject({
        message: expect.stringContaining('its process has exited with code 3'),
      });
    }));

  it.each([
    [
      () => Manager.start(5 as never),
      'Manager.start takes what defineManaged() gave, or the URL of a module that calls it, not the number 5',
    ],
    [() => Manager.start('no url'), 'Manager.start takes what defineManaged() gave'],
    [() => Manager.start(undefined, { execArgv: 'x' as never }), 'execArgv must be an array of strings'],
    [() => Manager.start(undefined, { startMs: -1 }), 'startMs must be a number >= 0'],
    [() => connectManager(''), 'connectManager takes the address of a manager, not ""'],
    [() => refOf({}), 'refOf takes a proxy that a manager has made, not an object'],
    [() => holding({} as never, 5 as never), 'holding'],
  ])('refuses what cannot be at the call: %s', (call, message) => {
    expect(call).toThrow(message);
  });
});
