// guard.test.ts: what a simulated world opens of the real one is an error with its stack, and is closed again.
import { AsyncResource, createHook } from 'node:async_hooks';
import * as childProcess from 'node:child_process';
import * as crypto from 'node:crypto';
import dgram from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import timersPromises from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import zlib from 'node:zlib';
import {
  Channel,
  files,
  type Op,
  run,
  sleep,
  spawn,
  spawnWith,
  process as tendrilProcess,
  timeout,
  yieldNow,
} from 'tendril';
import { explore, simulate } from 'tendril/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { Scheduler } from '../../core/scheduler.ts';
import { Guard, type GuardOptions, RealHandleError } from '../../io/testing/guard.ts';
import { isHarmless, notReal } from '../../io/testing/real-handles.ts';
import { virtualClock } from '../../io/testing/virtual-clock.ts';
import { enabledHooks } from './enabled-hooks.ts';

const guards: Guard[] = [];
afterEach(() => {
  for (const guard of guards.splice(0)) guard.close();
  expect(enabledHooks()).toBe(0);
});

function newGuard(options?: GuardOptions): Guard {
  const guard = new Guard(options);
  guards.push(guard);
  return guard;
}

/** What a guard says of a simulated world in which a greenlet called `opener` does `action`. */
async function verdict(action: () => unknown, options?: GuardOptions): Promise<RealHandleError | undefined> {
  const guard = newGuard(options);
  guard.enter();
  await simulate(function* () {
    const opener = spawnWith({ name: 'opener' }, function* () {
      yield* sleep(10);
      action();
    });
    yield* opener.join();
  });
  const error = guard.leave();
  guard.close();
  return error;
}

const ignore = (): void => {};
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** What keeps this process alive that did not before, as Node counts it, once that has settled. */
async function newResources(before: readonly string[]): Promise<string[]> {
  for (let i = 0; ; i += 1) {
    const left = process.getActiveResourcesInfo();
    for (const type of before) if (left.includes(type)) left.splice(left.indexOf(type), 1);
    if (left.length === 0 || i === 200) return left;
    await new Promise((resolve) => setTimeout(resolve, i < 20 ? 0 : 10));
  }
}

const file = import.meta.filename;
const opened: [what: string, type: string, open: () => unknown][] = [
  ['setTimeout', 'Timeout', () => setTimeout(ignore, 1e6)],
  ['setInterval', 'Timeout', () => setInterval(ignore, 1e6)],
  ['setImmediate', 'Immediate', () => setImmediate(ignore)],
  ['timers/promises', 'Timeout', () => void timersPromises.setTimeout(1e6)],
  ['AbortSignal.timeout', 'Timeout', () => AbortSignal.timeout(1e6)],
  ['net.connect', 'TCPWRAP', () => net.connect(1, '127.0.0.1').on('error', ignore)],
  ['net.createServer', 'TCPSERVERWRAP', () => net.createServer().listen(0)],
  ['a Unix socket', 'PIPESERVERWRAP', () => net.createServer().listen(`\0tendril-guard-${process.pid}`)],
  ['dgram', 'UDPWRAP', () => dgram.createSocket('udp4')],
  ['dns.lookup', 'GETADDRINFOREQWRAP', () => dns.lookup('localhost', ignore)],
  ['fs.readFile', 'FSREQCALLBACK', () => fs.readFile(file, ignore)],
  ['fs.promises', 'FSREQPROMISE', () => void fs.promises.stat(file)],
  ['fs.watch', 'FSEVENTWRAP', () => fs.watch(file)],
  ['fs.watchFile', 'STATWATCHER', () => fs.watchFile(file, ignore)],
  ['child_process', 'PROCESSWRAP', () => childProcess.spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)'])],
  ['a worker', 'WORKER', () => new Worker('setTimeout(() => {}, 1e6)', { eval: true })],
  ['a message channel', 'MESSAGEPORT', () => new MessageChannel().port1.on('message', ignore)],
  ['zlib', 'ZLIB', () => zlib.gzip('x', ignore)],
  ['crypto', 'RANDOMBYTESREQUEST', () => crypto.randomBytes(4, ignore)],
  ['a signal', 'SIGNALWRAP', () => process.once('SIGUSR2', ignore)],
];

describe('Guard', () => {
  it.each(opened)('blames %s, names the greenlet, shows where, and closes it', async (_what, type, open) => {
    const before = process.getActiveResourcesInfo();
    const error = await verdict(open);
    expect(error).toBeInstanceOf(RealHandleError);
    expect(error).toMatchObject({ code: 'ERR_REAL_HANDLE', type, greenlet: 'opener', name: 'RealHandleError' });
    expect(error?.message).toMatch(
      new RegExp(`^opener opened .* of the real world \\(${type}\\) inside a simulation: .*, or allow '${type}'$`),
    );
    expect(error?.stack).toMatch(/guard\.test\.ts/);
    expect(error?.stack).not.toMatch(/async_hooks|testing\/guard\.ts/);
    expect(await newResources(before)).toEqual([]);
    process.removeListener('SIGUSR2', ignore);
    fs.unwatchFile(file);
  });

  it.each<[string, () => unknown]>([
    [
      'promises, ticks and microtasks',
      () => Promise.resolve().then(() => process.nextTick(() => queueMicrotask(ignore))),
    ],
    ['printing', () => console.log('from a simulated world')],
    ['printing to stderr', () => console.error('from a simulated world')],
    ['reading a file at once', () => fs.readFileSync(file)],
    ['compressing at once', () => zlib.gzipSync('x')],
    [
      'random bytes at once',
      () => [crypto.randomBytes(4), crypto.randomUUID(), crypto.createHash('sha1').update('x').digest()],
    ],
    ['a resource of the program', () => new AsyncResource('MINE')],
    ['structuredClone', () => structuredClone({ a: [1] })],
    ['an emitter, a signal, a stream', () => [new EventTarget(), new AbortController(), new ReadableStream()]],
    ['the time and random numbers, unless it is strict', () => [Date.now(), Math.random(), performance.now()]],
  ])('does not blame %s', async (_what, action) => {
    expect(await verdict(action)).toBeUndefined();
  });

  it('does not blame what the first line of a process opens to be printed', async () => {
    const source = `
      import { createHook } from 'node:async_hooks';
      const opened = [];
      const init = (_id, type) => type === 'TickObject' || type === 'PROMISE' || opened.push([type, new Error().stack.split('\\n')]);
      createHook({ init }).enable();
      Error.stackTraceLimit = 64;
      console.log('');
      console.log(JSON.stringify(opened));`;
    const child = childProcess.spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    await once(child, 'close');
    const seen = JSON.parse(output) as [string, string[]][];
    expect(seen.map(([type]) => type)).toContain('PIPEWRAP');
    for (const [type, frames] of seen) expect(notReal.has(type) || isHarmless(type, {}, frames), type).toBe(true);
    expect(isHarmless('PIPEWRAP', {}, ['    at connect (/a/program.ts:1:1)'])).toBe(false);
  });

  it('does not blame what is allowed', async () => {
    const timers: NodeJS.Timeout[] = [];
    expect(await verdict(() => timers.push(setTimeout(ignore, 1e6)), { allow: ['Timeout'] })).toBeUndefined();
    expect(timers[0]?.hasRef()).toBe(true);
    for (const timer of timers) clearTimeout(timer);
  });

  it('blames a callback of the world: a link, the body itself', async () => {
    const guard = newGuard();
    guard.enter();
    await simulate(function* () {
      const child = spawn(() => sleep(5));
      child.link(() => void setTimeout(ignore, 1e6));
      yield* child.join();
    });
    expect(guard.leave()).toMatchObject({ greenlet: 'a callback', type: 'Timeout' });
    guard.enter();
    await simulate(() => {
      setImmediate(ignore);
      return sleep(5);
    });
    expect(guard.leave()).toMatchObject({ greenlet: 'a callback', type: 'Immediate' });
  });

  it('blames neither ordinary code, nor greenlets of the process, nor a virtual clock, while it is in a world', async () => {
    const guard = newGuard();
    const clock = virtualClock({ auto: true });
    guard.enter();
    const fired: string[] = [];
    setTimeout(() => fired.push('timer'), 1);
    await run(function* () {
      setImmediate(() => fired.push('immediate'));
      yield* sleep(5);
    });
    await clock.run(function* () {
      setImmediate(() => fired.push('of the clock'));
      yield* sleep(5);
    });
    await turns(2);
    expect(guard.leave()).toBeUndefined();
    expect(fired.sort()).toEqual(['immediate', 'of the clock', 'timer']);
    clock.close();
  });

  it('blames nothing before enter and after leave', async () => {
    const guard = newGuard();
    const timers: NodeJS.Timeout[] = [];
    const world = () =>
      simulate(function* () {
        yield* sleep(1);
        timers.push(setTimeout(ignore, 1e6));
      });
    await world();
    guard.enter();
    expect(guard.leave()).toBeUndefined();
    await world();
    expect(guard.leave()).toBeUndefined();
    expect(timers.length).toBe(2);
    for (const timer of timers) clearTimeout(timer);
  });

  it('blames one world alone if it is told which', async () => {
    const guard = newGuard();
    const scheduler = await new Promise<Scheduler>((resolve) => {
      void simulate(function* () {
        const { scope } = spawn(() => yieldNow());
        yield* yieldNow();
        resolve(scope.scheduler);
      });
    });
    guard.enter(scheduler);
    const timers: NodeJS.Timeout[] = [];
    await simulate(function* () {
      yield* sleep(1);
      timers.push(setTimeout(ignore, 1e6));
    });
    expect(guard.leave()).toBeUndefined();
    for (const timer of timers) clearTimeout(timer);
  });

  it('keeps the first of a run, tells of it during the run, and forgets it for the next', async () => {
    const guard = newGuard();
    const seen: unknown[] = [];
    guard.enter();
    await simulate(function* () {
      seen.push(guard.found?.type);
      setImmediate(ignore);
      yield* sleep(1);
      seen.push(guard.found?.type);
      setTimeout(ignore, 1e6);
      yield* sleep(1);
      seen.push(guard.found?.type);
    });
    expect(seen).toEqual([undefined, 'Immediate', 'Immediate']);
    expect(guard.leave()?.type).toBe('Immediate');
    guard.enter();
    expect([guard.found, guard.leave()]).toEqual([undefined, undefined]);
  });

  it('closes all of many, with stacks for the first', async () => {
    const before = process.getActiveResourcesInfo();
    const error = await verdict(() => {
      for (let i = 0; i < 5000; i += 1) setTimeout(ignore, 1e6);
    });
    expect(error?.type).toBe('Timeout');
    expect(await newResources(before)).toEqual([]);
  });

  it('does not stop what a deep stack of ours hides: the frames of the caller are in the error', async () => {
    function* deep(levels: number): Op<void> {
      if (levels === 0) return void net.connect(1, '127.0.0.1').on('error', ignore);
      yield* timeout(5, deep(levels - 1));
    }
    const guard = newGuard();
    guard.enter();
    await simulate(() => deep(8));
    expect(guard.leave()?.stack?.match(/at deep /g)?.length).toBeGreaterThan(4);
  });

  it('leaves nothing behind: no hook, no trap, no world entered', async () => {
    const descriptors = () =>
      [
        [Math, 'random'],
        [performance, 'now'],
        [Date, 'now'],
        [globalThis, 'Date'],
      ].map(([owner, name]) => Object.getOwnPropertyDescriptor(owner as object, name as string));
    const before = descriptors();
    const guard = new Guard({ strict: true });
    expect([enabledHooks(), descriptors()[0] === before[0]]).toEqual([1, false]);
    guard.enter();
    guard[Symbol.dispose]();
    expect(enabledHooks()).toBe(0);
    guard.close();
    expect(descriptors()).toEqual(before);
    const timers: NodeJS.Timeout[] = [];
    guard.enter();
    await simulate(function* () {
      timers.push(setTimeout(ignore, 1e6));
      Math.random();
      yield* sleep(1);
    });
    expect(guard.leave()).toBeUndefined(); // its hook is off: it sees nothing any more
    for (const timer of timers) clearTimeout(timer);
  });

  it('lets other hooks see what they saw before', async () => {
    const types: string[] = [];
    const hook = createHook({ init: (_id, type) => void types.push(type) }).enable();
    await verdict(() => setImmediate(ignore));
    hook.disable();
    expect(types).toContain('Immediate');
  });

  it.each([
    ['a child', 'PROCESSWRAP', () => tendrilProcess.exec('true', [])],
    ['a file', 'FSREQCALLBACK', () => files.readFile(file)],
  ] as const)('ends a run that waits for %s, at once, and does not keep the process waiting', async (_, type, wait) => {
    const found = explore(
      function* () {
        yield* wait() as Op<unknown>;
      },
      { seeds: 3 },
    );
    await expect(found).rejects.toMatchObject({
      code: 'ERR_EXPLORATION',
      message: expect.stringContaining(`(${type}) inside a simulation`),
    });
  });

  it('is told of misuse', () => {
    const guard = newGuard();
    guard.enter();
    expect(() => guard.enter()).toThrow('a guard was entered twice: leave() it after each run');
    expect(() => new Guard({ allow: 'Timeout' as never })).toThrow(
      "a guard's allow is an array of type names such as 'Timeout', not the string \"Timeout\"",
    );
    expect(() => new Guard({ allow: [5 as never] })).toThrow(TypeError);
  });

  it('stays on for many runs', async () => {
    const guard = newGuard();
    const body = function* (): Op<void> {
      const channel = new Channel<number>();
      spawn(() => channel.send(1));
      yield* channel.receive();
    };
    for (let i = 0; i < 200; i += 1) {
      guard.enter();
      await simulate(body);
      expect(guard.leave()).toBeUndefined();
    }
  });
});

describe('Guard, strict', () => {
  it.each<[string, () => unknown]>([
    ['Math.random()', () => Math.random()],
    ['Date.now()', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Date()', () => Date()],
    ['performance.now()', () => performance.now()],
  ])('throws at %s in a simulated world, and notes it', async (called, call) => {
    const thrown: unknown[] = [];
    const error = await verdict(
      () => {
        try {
          call();
        } catch (caught) {
          thrown.push(caught);
        }
      },
      { strict: true },
    );
    expect(error).toMatchObject({ code: 'ERR_REAL_HANDLE', type: called, greenlet: 'opener' });
    expect(thrown).toEqual([error]);
    expect(error?.stack).toMatch(/guard\.test\.ts/);
  });

  it('leaves dates of a given time, and what Date is, as they are', async () => {
    const seen: unknown[] = [];
    const error = await verdict(
      () => {
        class Later extends Date {}
        seen.push(new Date(0).toISOString(), Date.UTC(1970, 0, 1), new Date(5) instanceof Date, new Later(7).getTime());
        seen.push(new Later(1) instanceof Later, Date.parse('1970-01-01T00:00:00Z'));
        console.log('the console may ask for the time');
      },
      { strict: true },
    );
    expect(error).toBeUndefined();
    expect(seen).toEqual(['1970-01-01T00:00:00.000Z', 0, true, 7, true, 0]);
  });

  it('lets everybody else have the time and random numbers', async () => {
    const guard = newGuard({ strict: true });
    guard.enter();
    const before = Date.now();
    const values = await run(function* () {
      yield* sleep(2);
      return [
        Date.now() - before >= 1,
        new Date(...([] as [])).getTime() >= before,
        typeof Date(),
        Math.random() < 1,
        performance.now() > 0,
      ];
    });
    expect(values).toEqual([true, true, 'string', true, true]);
    expect(guard.leave()).toBeUndefined();
  });
});
