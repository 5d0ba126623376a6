// leak-check.test.ts: what a piece of a program leaves behind is found and named, whatever runs the test.
import { spawn as spawnProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { Channel, connect, listen, type Op, run, sleep, spawn, spawnWith, until } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { handleObjects } from '../../io/handles.ts';
import { LeakError, type Leftover, leakCheck } from '../../io/testing/leak-check.ts';
import { programFile, root } from '../program-file.ts';
import { enabledHooks } from './enabled-hooks.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  expect(enabledHooks()).toBe(0);
});

/** The leftovers that `check` complains of, without stacks; fails if there are none. */
async function complaint(checked: Promise<unknown>): Promise<LeakError> {
  try {
    await checked;
  } catch (error) {
    if (error instanceof LeakError) return error;
    throw error;
  }
  throw new Error('it found nothing');
}

function kinds({ leftovers }: LeakError): string[] {
  return leftovers.map(({ kind }) => kind).sort();
}

function named({ leftovers }: LeakError, kind: Leftover['kind']): string[] {
  return leftovers.filter((leftover) => leftover.kind === kind).map(({ name }) => name);
}

const quickly = { withinMs: 4 } as const;

describe('leakCheck', () => {
  it('returns the value of a body that leaves nothing: an async function, a greenlet', async () => {
    expect(await leakCheck(async () => 'value')).toBe('value');
    const echoed = await leakCheck(function* () {
      const listener = yield* listen({ host: '127.0.0.1', port: 0 });
      const server = spawn(function* () {
        const socket = yield* listener.accept();
        yield* socket.write((yield* socket.readLine()) ?? '');
        yield* socket.closeGracefully();
      });
      const client = yield* connect({ host: '127.0.0.1', port: (listener.address as { port: number }).port });
      yield* client.write('hello\n');
      const answer = yield* client.readExactly(5);
      yield* server.join();
      client.close();
      listener.close();
      return String(answer);
    });
    expect(echoed).toBe('hello');
  });

  it('finds a greenlet, with where it waits', async () => {
    const error = await complaint(
      leakCheck(async () => {
        const jobs = new Channel<number>(0, { name: 'jobs' });
        spawnWith({ name: 'worker', daemon: true }, function* work() {
          cleanups.push(() => void jobs.trySend(1));
          yield* jobs.receive();
        });
        await run(() => sleep(1));
      }, quickly),
    );
    expect([error.code, error.name, kinds(error)]).toEqual(['ERR_LEAK', 'LeakError', ['greenlet']]);
    expect(named(error, 'greenlet')[0]).toMatch(/^worker \(greenlet-\d+\) waits: receive on channel jobs$/);
    expect(error.leftovers[0]?.stack).toMatch(/at work \(.*leak-check\.test\.ts/);
    expect(error.message).toMatch(
      /^1 thing was left behind:\n {2}greenlet worker .* waits: receive on channel jobs\n {4}at work/,
    );
  });

  it('finds a listener of ours: the handle and the descriptor', async () => {
    const error = await complaint(
      leakCheck(function* () {
        const listener = yield* listen({ host: '127.0.0.1', port: 0 });
        cleanups.push(() => listener.close());
      }, quickly),
    );
    expect(kinds(error)).toEqual(['descriptor', 'handle']);
    expect(named(error, 'handle')[0]).toMatch(/^listener .*127\.0\.0\.1:\d+$/);
    expect(named(error, 'descriptor')[0]).toMatch(/^\d+: socket:\[\d+\]$/);
    expect(handleObjects().size).toBe(1);
  });

  it.each<[string, () => () => void, string[]]>([
    [
      'a timer',
      () => {
        const timer = setTimeout(() => {}, 1e6);
        return () => clearTimeout(timer);
      },
      ['resource Timeout'],
    ],
    [
      'a descriptor',
      () => {
        const fd = fs.openSync(import.meta.filename, 'r');
        return () => fs.closeSync(fd);
      },
      [`descriptor N: ${import.meta.filename}`],
    ],
    [
      'a listener of the process',
      () => {
        function cleanUp(): void {}
        process.once('exit', cleanUp);
        return () => process.removeListener('exit', cleanUp);
      },
      ["listener 'exit' on process: cleanUp"],
    ],
    [
      'a watcher of a signal',
      () => {
        const listener = () => void 'of a signal';
        process.on('SIGUSR2', listener);
        return () => process.removeListener('SIGUSR2', listener);
      },
      ["listener 'SIGUSR2' on process: listener"],
    ],
  ])('finds %s', async (_what, open, expected) => {
    const check = leakCheck({ withinMs: 4 });
    cleanups.push(open());
    const { leftovers } = await complaint(check());
    expect(leftovers.map(({ kind, name }) => `${kind} ${name.replace(/^\d+/, 'N')}`)).toEqual(expected);
  });

  it('finds listeners of emitters that it is given, by identity and number', async () => {
    const pool = new EventEmitter();
    const symbol = Symbol('idle');
    const kept = () => {};
    pool.on('drain', kept);
    const check = leakCheck({ emitters: { pool }, withinMs: 4 });
    await check();
    pool.on('drain', kept);
    pool.once(symbol, () => void 'anonymous');
    const error = await complaint(check());
    expect(named(error, 'listener')).toEqual(["'drain' on pool: kept", 'Symbol(idle) on pool: () => void "anonymous"']);
    pool.removeListener('drain', kept);
    pool.removeAllListeners(symbol);
    await check();
  });

  it('says where what keeps Node alive was made', async () => {
    const open = async (): Promise<void> => {
      const [timer, over, unreferenced] = [1, 2, 3].map(() => setTimeout(() => {}, 1e6)) as [
        NodeJS.Timeout,
        NodeJS.Timeout,
        NodeJS.Timeout,
      ];
      clearTimeout(over);
      unreferenced.unref();
      const server = net.createServer().listen(0);
      await once(server, 'listening');
      cleanups.push(() => {
        clearTimeout(timer);
        clearTimeout(unreferenced);
        server.close();
      });
    };
    const { leftovers } = await complaint(leakCheck(open, quickly));
    const resources = leftovers.filter(({ kind }) => kind === 'resource');
    expect(resources.map(({ name }) => name).sort()).toEqual(['TCPServerWrap', 'Timeout']);
    for (const { stack } of resources) {
      expect(stack).toMatch(/^ +at .*(\n.*)*at open \(.*leak-check\.test\.ts/);
      expect(stack).not.toMatch(/async_hooks|resource-sites/);
    }
  });

  it('follows one by one: a timer that takes the place of another is found', async () => {
    const old = setTimeout(() => {}, 1e6);
    const exchange = async (): Promise<void> => {
      clearTimeout(old);
      const timer = setTimeout(() => {}, 1e6);
      cleanups.push(() => clearTimeout(timer));
    };
    const error = await complaint(leakCheck(exchange, quickly));
    expect(error.leftovers.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['resource Timeout']);
  });

  it('counts instead, without stacks, if told so', async () => {
    const { leftovers } = await complaint(
      leakCheck(
        async () => {
          const server = net.createServer().listen(0);
          await once(server, 'listening');
          cleanups.push(() => server.close());
        },
        { ...quickly, stacks: false },
      ),
    );
    expect(leftovers.filter(({ kind }) => kind === 'resource')).toEqual([
      { kind: 'resource', name: 'TCPServerWrap', stack: '' },
    ]);
  });

  it('waits for what takes a while to be gone', async () => {
    await leakCheck(async () => {
      const server = net.createServer((socket) => socket.end('bye')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').resume();
      await once(client, 'connect');
      server.close(); // the connection is still open
    });
    await leakCheck(async () => void setTimeout(() => {}, 40));
    let over = false;
    const error = await complaint(
      leakCheck(
        async () => {
          const timer = setTimeout(() => (over = true), 2000);
          cleanups.push(() => clearTimeout(timer));
        },
        { withinMs: 20 },
      ),
    );
    expect([kinds(error), over]).toEqual([['resource'], false]);
  });

  it('does not count what was there before, nor the timer by which the hub waits', async () => {
    const timer = setTimeout(() => {}, 1e6);
    const fd = fs.openSync(import.meta.filename, 'r');
    const greenlet = spawn(() => sleep(1e6));
    greenlet.link(() => {});
    await leakCheck(() => sleep(1));
    clearTimeout(timer);
    fs.closeSync(fd);
    greenlet.kill();
    await leakCheck(() => sleep(1));
    const error = await complaint(
      leakCheck(async () => {
        const another = spawn(() => sleep(1e6));
        another.link(() => {});
        cleanups.push(() => another.kill());
      }, quickly),
    );
    expect(kinds(error)).toEqual(['greenlet']);
  });

  it('may be asked again; the first time ends the hook by which it follows resources', async () => {
    const before = enabledHooks();
    const check = leakCheck({ withinMs: 4 });
    expect(enabledHooks()).toBe(before + 1);
    await check();
    expect(enabledHooks()).toBe(before);
    const fd = fs.openSync(import.meta.filename, 'r');
    expect(kinds(await complaint(check()))).toEqual(['descriptor']);
    fs.closeSync(fd);
    await check();
  });

  it('does not count what Node keeps for itself: what inotify needs, /dev/null', async () => {
    const fd = await leakCheck(async () => {
      fs.watch(root).close();
      return fs.openSync('/dev/null', 'r');
    });
    fs.closeSync(fd);
  });

  it('lets be left what is allowed', async () => {
    const check = leakCheck({ allow: [/^resource Timeout$/, /^descriptor \d+: .*leak-check/], withinMs: 4 });
    const timer = setTimeout(() => {}, 1e6);
    const fd = fs.openSync(import.meta.filename, 'r');
    cleanups.push(() => {
      clearTimeout(timer);
      fs.closeSync(fd);
    });
    await check();
    const greenlet = spawn(() => sleep(1e6));
    greenlet.link(() => {});
    cleanups.push(() => greenlet.kill());
    expect(kinds(await complaint(check()))).toEqual(['greenlet']);
  });

  it('passes on the error of the body, whatever was left', async () => {
    const failure = new Error('of the body');
    const timers: NodeJS.Timeout[] = [];
    const failing = leakCheck(async () => {
      timers.push(setTimeout(() => {}, 1e6));
      throw failure;
    });
    await expect(failing).rejects.toBe(failure);
    for (const timer of timers) clearTimeout(timer);
    await expect(
      leakCheck(function* (): Op<void> {
        yield* sleep(1);
        throw failure;
      }),
    ).rejects.toBe(failure);
  });

  it('may be used inside a greenlet, which does not count itself', () =>
    run(function* () {
      yield* until(leakCheck(() => sleep(1)));
      const check = leakCheck();
      yield* spawn(() => sleep(1)).join();
      yield* until(check());
    }));

  it('refuses bad options at the call', () => {
    const calls = [
      () => leakCheck({ withinMs: Number.NaN }),
      () => leakCheck({ emitters: { pool: 5 as never } }),
      () => leakCheck({ allow: ['Timeout' as never] }),
    ];
    const errors = calls.map((call) => {
      try {
        call();
      } catch (error) {
        return String(error);
      }
      return 'nothing';
    });
    expect(errors).toEqual([
      'TypeError: leakCheck takes milliseconds as a number, not the number NaN',
      'TypeError: leakCheck: emitters.pool is no EventEmitter but the number 5',
      'TypeError: leakCheck: allow takes regular expressions, not the string "Timeout"',
    ]);
  });
});

describe('leakCheck in vitest', () => {
  let check: () => Promise<void>;
  beforeEach(() => {
    check = leakCheck();
  });
  afterEach(() => check());

  it('goes with beforeEach and afterEach', async () => {
    const slept = await run(function* () {
      const child = spawn(() => sleep(1));
      yield* child.join();
      return 'slept';
    });
    expect(slept).toBe('slept');
  });
});

describe('leakCheck elsewhere', () => {
  async function program(
    name: string,
    args: readonly string[],
    source: string,
  ): Promise<{ code: number | null; output: string }> {
    const file = programFile(source, name);
    // node:test refuses to run inside another runner of its own.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: '1' };
    const child = spawnProcess(process.execPath, [...args, file], { cwd: root, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  it('fails the one test of node:test that leaves something, by afterEach', { timeout: 30_000 }, async () => {
    const { code, output } = await program(
      'node-test',
      ['--test', '--test-reporter=tap'],
      `import { afterEach, beforeEach, test } from 'node:test';
       import { Channel, run, sleep, spawnWith } from 'tendril';
       import { leakCheck } from 'leak-check';
       let check: () => Promise<void>;
       beforeEach(() => { check = leakCheck({ withinMs: 20 }); });
       afterEach(() => check());
       test('cleans up', () => run(() => sleep(2)));
       test('leaves a worker', () => run(function* () {
         const jobs = new Channel<number>(0, { name: 'jobs' });
         spawnWith({ name: 'worker' }, () => jobs.receive());
         yield* sleep(2);
       }));
       test('cleans up too', () => run(() => sleep(2)));`,
    );
    expect({ code, output }).toMatchObject({ code: 1 });
    const results = output
      .match(/^\s*(not )?ok \d+ - (cleans up|leaves|cleans up too).*$/gm)
      ?.map((line) => line.trim());
    expect(results, output).toEqual(['ok 1 - cleans up', 'not ok 2 - leaves a worker', 'ok 3 - cleans up too']);
    expect(output).toMatch(
      /1 thing was left behind:\n\s+greenlet worker \(greenlet-\d+\) waits: receive on channel jobs/,
    );
  });

  it('ends a plain script with the error', { timeout: 30_000 }, async () => {
    const script = (leak: string) => `
      import { spawn as spawnProcess } from 'node:child_process';
      import { once, run, sleep, spawn } from 'tendril';
      import { leakCheck } from 'leak-check';
      const value = await leakCheck(function* () { ${leak} yield* sleep(2); return 'the value'; });
      console.log(value);`;
    const [clean, listener, greenlet] = await Promise.all([
      // What Node opens for itself when the first child is started is no leak.
      program('clean', [], script('yield* once(spawnProcess(process.execPath, ["-v"]), "close");')),
      program('listener', [], script('process.on("exit", function cleanUp() {});')),
      // Nor is the timer by which the hub waits for the greenlet.
      program('greenlet', [], script('spawn(() => sleep(1e6)).link(() => {});')),
    ]);
    expect(clean).toEqual({ code: 0, output: 'the value\n' });
    expect([listener.code, greenlet.code]).toEqual([1, 1]);
    expect(listener.output).toMatch(/LeakError: 1 thing was left behind:\n\s+listener 'exit' on process: cleanUp\n/);
    expect(greenlet.output).toMatch(
      /LeakError: 1 thing was left behind:\n\s+greenlet greenlet-2 waits: sleep\(1000000\)\n/,
    );
  });

  it('does not hold the process', { timeout: 30_000 }, async () => {
    const { code, output } = await program(
      'quiet',
      [],
      `import { leakCheck } from 'leak-check';
       import { run, sleep } from 'tendril';
       const check = leakCheck({ withinMs: 5 });
       const timer = setTimeout(() => {}, 1e6);
       try { await check(); } catch (error) { console.log(error.code); }
       clearTimeout(timer);
       await check();
       leakCheck();`,
    );
    expect({ code, output }).toEqual({ code: 0, output: 'ERR_LEAK\n' });
  });
});
