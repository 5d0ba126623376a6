// manager.test.ts: the life of a manager's process: how it starts, stops, fails to start, and ends with its parent.
//
// Long because it starts a dozen processes.
import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { once, openHandles, run, sleep, spawn, timeout } from 'tendril';
import { connectManager, Manager, refOf } from 'tendril/executors/manager';
import { describe, expect, it } from 'vitest';
import { eventually, folder, module, start } from '../executors/manager-ground.ts';
import { moduleFile } from '../program-file.ts';
import { thrownBy } from '../thrown-by.ts';

/** Does it run? One that has ended and that nobody has asked for yet does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('A manager', () => {
  it('stops, with whatever it is doing, and leaves nothing', () =>
    run(function* () {
      const before = openHandles().total;
      const manager = yield* start();
      const counter = yield* manager.make('Counter');
      const waiting = spawn(() => thrownBy(counter.waitLong()));
      yield* counter.increment();
      yield* manager.stop();
      yield* manager.stop();
      expect(yield* waiting.get()).toMatchObject({ code: 'ERR_CLOSED' });
      expect([isAlive(manager.pid), existsSync(path.dirname(manager.address)), openHandles().total]).toEqual([
        false,
        false,
        before,
      ]);
      const spinning = yield* start();
      const other = yield* spinning.make('Counter');
      const spin = spawn(() => thrownBy(other.spin()));
      yield* sleep(5);
      yield* spinning.stop({ graceMs: 50 });
      expect([isAlive(spinning.pid), (yield* spin.get()) instanceof Error]).toEqual([false, true]);
    }));

  it('that cannot start says why, and leaves no process', () =>
    run(function* () {
      const missing = new URL('missing.mjs', module);
      expect(yield* thrownBy(Manager.start(missing, { execArgv: [] }))).toMatchObject({
        code: 'ERR_MANAGER_START',
        message: expect.stringContaining('a manager could not be started: Cannot find module'),
      });
      const none = moduleFile('export const nothing = 1;');
      expect(yield* thrownBy(Manager.start(none, { execArgv: [] }))).toMatchObject({
        message: expect.stringContaining(
          'defines no managed classes: call defineManaged(import.meta.url, {...}) in it',
        ),
      });
      const never = moduleFile('await new Promise((resolve) => setTimeout(resolve, 1e6));');
      expect(yield* thrownBy(Manager.start(never, { execArgv: [], startMs: 300 }))).toMatchObject({
        message: expect.stringContaining('a manager did not start within 300 ms'),
      });
      expect(yield* thrownBy(Manager.start(never, { execArgv: ['--no-such-option'] }))).toMatchObject({
        message: expect.stringContaining('its process has exited with code 9'),
      });
      expect(yield* thrownBy(connectManager(path.join(folder, 'nobody')))).toMatchObject({ code: 'ENOENT' });
    }));

  it('whose start is killed or times out, at whatever moment, was never there', () =>
    run(function* () {
      const outer = process.env.TMPDIR;
      const temporary = mkdtempSync(path.join(folder, 'start-'));
      process.env.TMPDIR = temporary;
      try {
        for (const afterMs of [0, 1, 5, 20, 40, 60, 80, 100, 120, 150, 180, 210, 240]) {
          const victim = spawn(start);
          yield* sleep(afterMs);
          victim.kill();
          yield* victim.join();
          if (victim.outcome?.ok === true) yield* victim.outcome.value.stop();
          const late = yield* timeout(afterMs, start(), { else: undefined });
          yield* late?.stop() ?? sleep(0);
        }
        yield* eventually(
          () => readdirSync(temporary).length === 0 && !process.getActiveResourcesInfo().includes('ProcessWrap'),
        );
      } finally {
        if (outer === undefined) delete process.env.TMPDIR;
        else process.env.TMPDIR = outer;
      }
    }));

  it('takes back the lock of a client that is killed with it, and the value that one waited for stays', () =>
    run(function* () {
      const manager = yield* start();
      const lock = yield* manager.lock();
      const queue = yield* manager.queue<number>();
      const program = moduleFile(`
        import { run, spawn, sleep } from 'tendril';
        import { connectManager } from 'tendril/executors/manager';
        await run(function* () {
          const [lockRef, queueRef] = JSON.parse(process.argv[2]);
          const manager = yield* connectManager(lockRef.address);
          const lock = yield* manager.attach(lockRef);
          const queue = yield* manager.attach(queueRef);
          spawn(() => queue.get());
          yield* lock.acquire();
          console.log('has it');
          yield* sleep(1e6);
        });
      `);
      const refs = JSON.stringify([refOf(lock), refOf(queue)]);
      const client = spawnProcess(process.execPath, [program.pathname, refs], { stdio: ['ignore', 'pipe', 'inherit'] });
      yield* once(client.stdout, 'data');
      expect(yield* lock.tryAcquire()).toBe(false);
      client.kill('SIGKILL');
      yield* timeout(5000, lock.acquire());
      yield* queue.put(1);
      expect(yield* timeout(5000, queue.get())).toBe(1);
      yield* manager.stop();
    }));

  it('ends with its parent, also if that is killed and a method never returns', () =>
    run(function* () {
      const program = moduleFile(`
        import { run, spawn, sleep } from 'tendril';
        import { Manager } from 'tendril/executors/manager';
        await run(function* () {
          const quiet = yield* Manager.start(process.argv[2], { execArgv: [] });
          const busy = yield* Manager.start(process.argv[2], { execArgv: [] });
          const counter = yield* busy.make('Counter');
          spawn(() => counter.spin());
          yield* sleep(20);
          console.log(JSON.stringify([quiet, busy].map(({ pid, address }) => ({ pid, address }))));
          yield* sleep(1e6);
        });
      `);
      const parent: ChildProcess = spawnProcess(process.execPath, [program.pathname, module.href], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = yield* once<[Buffer]>(parent.stdout as NonNullable<typeof parent.stdout>, 'data');
      const managers = JSON.parse(line.toString()) as { pid: number; address: string }[];
      expect(managers.map(({ pid }) => isAlive(pid))).toEqual([true, true]);
      parent.kill('SIGKILL');
      yield* eventually(() =>
        managers.every(({ pid, address }) => !isAlive(pid) && !existsSync(path.dirname(address))),
      );
    }));

  it('does not keep its parent alive, and ends with it', async () => {
    const program = moduleFile(`
      import { run } from 'tendril';
      import { Manager } from 'tendril/executors/manager';
      const manager = await run(() => Manager.start(undefined, { execArgv: [] }));
      console.log(manager.pid);
    `);
    const parent = spawnProcess(process.execPath, [program.pathname], { stdio: ['ignore', 'pipe', 'inherit'] });
    await run(function* () {
      const exited = spawn(() => once(parent, 'exit'));
      const [line] = yield* once<[Buffer]>(parent.stdout, 'data');
      expect(yield* exited.get()).toEqual([0, null]);
      yield* eventually(() => !isAlive(Number(line.toString())));
    });
  });
});
