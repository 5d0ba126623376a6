// nats-faults.test.ts: what happens to remote tasks when something is wrong: no server, a server that is killed, a worker that leaves, messages that nobody has written.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect as connectClient, headers, type NatsConnection } from '@nats-io/transport-node';
import { all, type Greenlet, now, type Op, run, scope, sleep, spawn, timeout, until } from 'tendril';
import type { Future } from 'tendril/executors';
import {
  NatsLink,
  openRemoteChannel,
  RemoteExecutor,
  type RemoteExecutorOptions,
  type ServeTasksOptions,
  serveTasks,
} from 'tendril/executors/nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, outcomeOf } from '../samples/outcome.ts';
import { freePort } from '../samples/private-server.ts';
import { expectNothingLeft } from '../samples/settled.ts';
import { openSockets, socketsLeft } from './client-sockets.ts';
import { untilTrue } from './conformance.ts';
import { leakyLink } from './leaky-link.ts';
import { type NatsServer, program, startNats } from './nats-server.ts';
import { tasks } from './nats-tasks.ts';
import { tasks as plain } from './tasks.ts';

describe.skipIf(program === undefined)('Remote tasks', () => {
  let server: NatsServer;
  let raw: NatsConnection;
  let folder: string;
  let queues = 0;

  beforeAll(async () => {
    server = await startNats();
    raw = await connectClient({ servers: server.address, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
    folder = mkdtempSync(path.join(tmpdir(), 'tendril-nats-'));
  });
  afterAll(async () => {
    await raw.close();
    await server.end();
    rmSync(folder, { recursive: true, force: true });
    expect(await run(() => socketsLeft())).toBe(0);
  });
  afterEach(expectNothingLeft);

  interface Queue {
    readonly name: string;
    readonly log: string;
    lines(): string[];
    connect(options?: RemoteExecutorOptions): Op<RemoteExecutor>;
    serve(options?: ServeTasksOptions): Greenlet<never>;
    /** How many messages one of its streams has. */
    messages(stream: 'TASKS' | 'RESULTS' | 'KEYS' | 'DEAD'): Op<number>;
  }

  /** Run `body` with a queue of its own; what it has connected and served is ended. */
  function withQueue<T>(body: (queue: Queue) => Op<T>): Promise<T> {
    queues += 1;
    const name = `q${queues}`;
    const log = path.join(folder, name);
    const executors: RemoteExecutor[] = [];
    const workers: Greenlet<never>[] = [];
    const options = { servers: server.address, queue: name };
    return run(function* () {
      try {
        return yield* timeout(
          20_000,
          body({
            name,
            log,
            lines() {
              try {
                return readFileSync(log, 'utf8').split('\n').slice(0, -1);
              } catch {
                return [];
              }
            },
            *connect(more) {
              const executor = yield* RemoteExecutor.connect({ ...options, ...more });
              executors.push(executor);
              return executor;
            },
            serve(more) {
              const worker = spawn(() => serveTasks([tasks, plain], { ...options, ...more }));
              workers.push(worker);
              return worker;
            },
            *messages(stream) {
              const manager = yield* until(jetstreamManager(raw));
              return (yield* until(manager.streams.info(`TENDRIL_${name}_${stream}`))).state.messages;
            },
          }),
        );
      } finally {
        for (const executor of executors) yield* executor.shutdown({ graceMs: 0 });
        for (const worker of workers) {
          worker.kill();
          yield* worker.join();
        }
      }
    });
  }

  const failure = (future: Future<unknown>): Op<{ code: string; message: string }> =>
    (function* (): Op<{ code: string; message: string }> {
      const error = (yield* future.exception()) as Error | undefined;
      return { code: codeOf(error), message: String(error?.message) };
    })();

  describe('connecting', () => {
    const silent = async (says: string): Promise<{ server: Server; address: string }> => {
      const listening = createServer((socket) => {
        socket.on('error', () => {});
        if (says !== '') socket.end(says);
      }).listen(0, '127.0.0.1');
      await once(listening, 'listening');
      return { server: listening, address: `127.0.0.1:${(listening.address() as { port: number }).port}` };
    };

    it('says within its time that nobody answers, or who does, and leaves nothing', async () => {
      const closed = `127.0.0.1:${await freePort()}`;
      const [mute, web] = [await silent(''), await silent('HTTP/1.1 400 Bad Request\r\n\r\n')];
      const bare = await startNats('--user', 'ada', '--pass', 'secret');
      const started = performance.now();
      const seen = await run(function* (): Op<unknown> {
        const outcomes: unknown[] = [];
        const tries: [string | string[], object][] = [
          [closed, {}],
          [mute.address, {}],
          [web.address, {}],
          [[closed, mute.address], {}],
          [bare.address, { client: { user: 'ada', pass: 'wrong' } }],
        ];
        for (const [servers, more] of tries)
          outcomes.push(yield* outcomeOf(RemoteExecutor.connect({ servers, connectTimeoutMs: 200, ...more })));
        outcomes.push(yield* outcomeOf(openRemoteChannel('c', { servers: closed, connectTimeoutMs: 200 })));
        outcomes.push(yield* outcomeOf(serveTasks(tasks, { servers: closed, connectTimeoutMs: 200 })));
        // The second one answers.
        const link = yield* NatsLink.connect({ servers: [closed, server.address] });
        outcomes.push(link.connected);
        yield* link.close();
        outcomes.push(link.connected, yield* outcomeOf(RemoteExecutor.connect({ link })));
        return outcomes;
      });
      const tookMs = performance.now() - started;
      for (const { server: listening } of [mute, web]) listening.close();
      await bare.end();
      expect(seen).toEqual([
        'ERR_ENGINE_UNREACHABLE',
        'ERR_ENGINE_UNREACHABLE',
        'ERR_ENGINE_REFUSED',
        'ERR_ENGINE_UNREACHABLE',
        'ERR_ENGINE_REFUSED',
        'ERR_ENGINE_UNREACHABLE',
        'ERR_ENGINE_UNREACHABLE',
        true,
        false,
        'ERR_ENGINE_CLOSED',
      ]);
      expect(tookMs).toBeLessThan(3_000);
      // One connection is this file's own.
      expect(await run(() => socketsLeft(1))).toBe(1);
    });

    it('says that a server has no JetStream', async () => {
      const port = await freePort();
      const { startServer } = await import('../samples/private-server.ts');
      const bare = await startServer(program as string, (at) => ['-a', '127.0.0.1', '-p', String(at)], port);
      const outcome = await run(function* (): Op<unknown> {
        try {
          return yield* RemoteExecutor.connect({ servers: `127.0.0.1:${port}` });
        } catch (error) {
          return (error as Error).message;
        }
      });
      await bare.end();
      expect(outcome).toMatch(/has no JetStream for us.*nats-server -js/);
    });

    it('can be killed at any moment, and leaves nothing', async () => {
      const before = openSockets();
      await run(function* (): Op<void> {
        for (let delayMs = 0; delayMs < 24; delayMs += 3) {
          const connecting = spawn(function* (): Op<void> {
            const executor = yield* RemoteExecutor.connect({ servers: server.address, queue: 'killed' });
            yield* executor.shutdown({ graceMs: 0 });
          });
          yield* sleep(delayMs);
          connecting.kill();
          yield* connecting.join();
        }
      });
      expect(await run(() => socketsLeft(before))).toBe(before);
    });

    it('refuses bad options at the call', () => {
      const bad: [() => unknown, RegExp][] = [
        [() => RemoteExecutor.connect({ servers: [] }), /servers is empty/],
        [() => RemoteExecutor.connect({ servers: 'ws://a' }), /'host:port'/],
        [() => RemoteExecutor.connect({ servers: 'a:b@c' }), /option client/],
        [() => RemoteExecutor.connect({ servers: 5 as never }), /'host:port', not 5/],
        [() => RemoteExecutor.connect({ queue: 'a.b' }), /letters, digits, _ and -/],
        [() => RemoteExecutor.connect({ window: 0 }), /window/],
        [() => RemoteExecutor.connect({ maxAttempts: 1.5 }), /maxAttempts/],
        [() => RemoteExecutor.connect({ duplicateWindowMs: 1 }), /duplicateWindowMs must be between 100/],
        [() => RemoteExecutor.connect({ client: { reconnect: true } as never }), /client takes tls/],
        [() => RemoteExecutor.connect({ link: {} as never }), /NatsLink.connect/],
        [() => serveTasks({}), /no task to serve/],
        [() => serveTasks({ a: 1 } as never), /is no task/],
        [() => serveTasks(tasks, { concurrency: 0 }), /concurrency/],
        [() => serveTasks(tasks, { executor: {} as never }), /executor must be an executor/],
        [() => openRemoteChannel('a b'), /letters, digits, _ and -/],
        [() => openRemoteChannel('a', { capacity: 0 }), /capacity/],
        [() => openRemoteChannel('a', { capacity: Number.POSITIVE_INFINITY }), /capacity must be finite/],
      ];
      for (const [call, message] of bad) expect(call).toThrow(message);
    });
  });

  it('with one key are run once, also for two executors, and when the first is done', () =>
    withQueue(function* (queue) {
      const [one, two] = [yield* queue.connect(), yield* queue.connect()];
      const submit = (executor: RemoteExecutor): Future<number> =>
        executor.submitWith({ key: 'same' }, tasks.double, 1, 20, queue.log);
      const before = [submit(one), submit(one), submit(two)];
      queue.serve();
      expect(yield* all(before)).toEqual([2, 2, 2]);
      expect(yield* submit(two)).toBe(2);
      // Another task, or another key, is another one.
      expect(yield* one.submitWith({ key: 'same' }, tasks.checked, 5)).toBe(5);
      expect(yield* one.submitWith({ key: 'other' }, tasks.double, 6, 1, queue.log)).toBe(12);
      expect(queue.lines()).toEqual(['1', '6']);
      // Whose message was the second is for the server to say.
      expect(one.stats.duplicates + two.stats.duplicates).toBe(3);
    }));

  it('with one key are left alone when one of those who wait gives up', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      const submit = (): Future<number> => executor.submitWith({ key: 'k' }, tasks.double, 1, 50, queue.log);
      const [first, second] = [submit(), submit()];
      queue.serve();
      first.cancel();
      expect([first.cancelled, yield* second]).toEqual([true, 2]);
    }));

  it('that fail with a key fail for all, until the window is over', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect({ duplicateWindowMs: 300 });
      queue.serve();
      const submit = (): Future<never> => executor.submitWith({ key: 'k' }, plain.fail, 'no luck');
      expect([yield* failure(submit()), yield* failure(submit())]).toEqual([
        { code: 'ERR_OF_MINE', message: 'no luck' },
        { code: 'ERR_OF_MINE', message: 'no luck' },
      ]);
      expect(executor.stats.duplicates).toBe(1);
      let kept = 1;
      while (kept > 0) {
        yield* sleep(50);
        kept = yield* queue.messages('KEYS');
      }
      yield* failure(submit());
      expect(executor.stats.duplicates).toBe(1);
    }));

  it('are handed back at once by a worker that is killed, and taken by another', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      const leaving = queue.serve();
      const future = executor.submit(tasks.lasting, queue.log);
      yield* untilTrue(() => queue.lines().length === 1);
      queue.serve();
      const started = performance.now();
      leaving.kill();
      yield* leaving.join();
      yield* untilTrue(() => queue.lines().length === 2);
      expect(performance.now() - started).toBeLessThan(3_000);
      future.cancel();
      expect(codeOf(yield* outcomeOf(future))).toBe('ERR_TASK_CANCELLED');
      expect(executor.stats.redelivered).toBe(1);
    }));

  it('may end in the grace of a worker that is killed', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      const worker = queue.serve({ graceMs: 5_000 });
      const future = executor.submit(tasks.lasting, queue.log, 100);
      yield* untilTrue(() => queue.lines().length === 1);
      worker.kill();
      expect(yield* future).toBe('ended');
      yield* worker.join();
      expect(executor.stats.redelivered).toBe(0);
    }));

  it('that no worker survives become dead letters', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect({ maxAttempts: 2 });
      const future = executor.submit(tasks.lasting, queue.log);
      // However a server that is late deals with what is handed back, it delivers it again after that time.
      for (const attempt of [1, 2]) {
        const worker = queue.serve({ ackWaitMs: 3_000 });
        yield* untilTrue(() => queue.lines().length === attempt);
        worker.kill();
        yield* worker.join();
      }
      queue.serve();
      expect(yield* failure(future)).toEqual({
        code: 'ERR_TASK_DEAD',
        message:
          "task 'lasting' was given up after 2 attempts: each worker that began it was lost, or left before it ended",
      });
      expect([yield* queue.messages('DEAD'), yield* queue.messages('TASKS'), queue.lines().length]).toEqual([1, 0, 2]);
      const manager = yield* until(jetstreamManager(raw));
      const stream = `TENDRIL_${queue.name}_DEAD`;
      const letter = yield* until(manager.streams.getMessage(stream, { seq: 1 }));
      expect([letter?.subject, letter?.header.get('Tendril-Attempts'), letter?.json<{ name: string }>().name]).toEqual([
        `tendril.${queue.name}.dead.nats-tasks.lasting`,
        '2',
        'lasting',
      ]);
    }));

  it('have as many attempts as they may have, also if the server learns late that a worker has left', async () => {
    const link = await leakyLink(server.port);
    await withQueue(function* (queue) {
      const executor = yield* queue.connect({ maxAttempts: 2 });
      const future = executor.submit(tasks.lasting, queue.log);
      for (const attempt of [1, 2]) {
        const worker = queue.serve({ servers: link.address, ackWaitMs: 3_000, concurrency: 2 });
        yield* untilTrue(() => queue.lines().length === attempt);
        link.hold();
        // The worker has asked for more meanwhile. What it asked for goes on when, by its own clock, that has ended.
        yield* sleep(900);
        worker.kill();
        yield* sleep(20);
        link.release();
        yield* worker.join();
        // Meanwhile nobody asks but, for all that the server knows, the one who has left.
        yield* sleep(600);
      }
      queue.serve();
      expect(yield* failure(future)).toMatchObject({ code: 'ERR_TASK_DEAD' });
      expect([yield* queue.messages('DEAD'), queue.lines().length]).toEqual([1, 2]);
    }).finally(() => link.end());
  });

  it('come to a worker soon also if the server has forgotten that it asks', async () => {
    const link = await leakyLink(server.port);
    await withQueue(function* (queue) {
      const executor = yield* queue.connect();
      queue.serve({ servers: link.address, concurrency: 1 });
      expect(yield* executor.submit(plain.add, 1, 2)).toBe(3);
      link.loseNext('CONSUMER.MSG.NEXT');
      yield* untilTrue(() => link.lost);
      // What it has asked for before is over by then.
      yield* sleep(600);
      const startedMs = now();
      expect(yield* executor.submit(plain.add, 3, 4)).toBe(7);
      expect(now() - startedMs).toBeLessThan(3_000);
    }).finally(() => link.end());
  });

  it('are not begun again by a worker whose outcome is on its way', async () => {
    const link = await leakyLink(server.port);
    await withQueue(function* (queue) {
      const executor = yield* queue.connect();
      const future = executor.submit(tasks.lasting, queue.log, 100);
      // One place is left, for which it asks at once.
      queue.serve({ servers: link.address, concurrency: 2 });
      yield* untilTrue(() => queue.lines().length === 1);
      link.hold();
      yield* sleep(200);
      raw.publish(`$JS.ACK.TENDRIL_${queue.name}_TASKS.workers.1.1.1.1.0`, '-NAK');
      yield* sleep(200);
      link.release();
      expect(yield* future).toBe('ended');
      while ((yield* queue.messages('TASKS')) > 0);
      expect(queue.lines().length).toBe(1);
    }).finally(() => link.end());
  });

  it('are taken out when they are cancelled before a worker has them', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      const futures = [1, 2, 3].map((n) => executor.submit(tasks.double, n, 1, queue.log));
      let waiting = 0;
      while (waiting < 3) waiting = yield* queue.messages('TASKS');
      futures[1]?.cancel({ reason: 'not needed' });
      expect(yield* outcomeOf(futures[1] as Future<number>)).toBe('ERR_TASK_CANCELLED');
      while (waiting > 2) waiting = yield* queue.messages('TASKS');
      queue.serve();
      expect(yield* all([futures[0] as Future<number>, futures[2] as Future<number>])).toEqual([2, 6]);
      expect(queue.lines().sort()).toEqual(['1', '3']);
    }));

  it('are shared by two workers', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      for (let i = 0; i < 2; i += 1) queue.serve({ concurrency: 1 });
      const futures = [1, 2].map(() => executor.submit(tasks.lasting, queue.log));
      // Each has one place.
      yield* untilTrue(() => queue.lines().length === 2);
      for (const future of futures) future.cancel();
      for (const future of futures) expect(yield* outcomeOf(future)).toBe('ERR_TASK_CANCELLED');
    }));

  it('fail by name when the worker does not know them, their arguments are refused, or something is too large', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      queue.serve();
      const unknown = { ...tasks.pid, name: 'nothing' };
      expect([
        yield* failure(executor.submit(unknown)),
        yield* failure(executor.submit(tasks.checked, 'five' as never)),
        yield* failure(executor.submit(plain.unclonable)),
        yield* failure(executor.submit(plain.huge, 2_000_000)),
      ]).toEqual([
        {
          code: 'ERR_TASK_LOAD',
          message: expect.stringMatching(
            /takes? task 'nothing'|took task 'nothing' of the set 'nats-tasks' serves no such task/,
          ),
        },
        { code: expect.anything(), message: 'checked takes a number, not string' },
        { code: 'ERR_TASK_RESULT', message: expect.stringContaining('the result.list[1].callback is a function') },
        {
          code: 'ERR_TASK_RESULT',
          message: expect.stringMatching(/the result makes a message of 2\d{6} bytes.*takes 1047552/),
        },
      ]);
      const huge = new Uint8Array(2_000_000);
      expect(() => executor.submit(plain.echo, huge)).toThrow(/argument 1 makes a message of 20000\d\d bytes/);
      expect(() => executor.submit(plain.echo, { list: [1, { callback: () => 1 }] })).toThrow(
        expect.objectContaining({
          name: 'TypeError',
          code: 'ERR_CANNOT_TRAVEL',
          message: expect.stringContaining('argument 1.list[1].callback is a function'),
        }),
      );
      expect(yield* executor.submit(plain.add, 1, 1)).toBe(2);
    }));

  it('go on while messages come that nobody has written', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      queue.serve();
      const js = jetstream(raw);
      const subject = `tendril.${queue.name}.task.nats-tasks.double`;
      const texts = [
        '',
        '{',
        '5',
        '{"v":2,"client":"x","number":"1"}',
        '{"v":1}',
        'x'.repeat(1_000_000),
        '\u0000\uffff',
      ];
      for (const text of texts) yield* until(js.publish(subject, text));
      const withHeader = headers();
      withHeader.set('odd', 'value');
      yield* until(js.publish(subject, 'x', { headers: withHeader }));
      // To the executor, about nothing and about something; orders to workers.
      yield* until(js.publish(`tendril.${queue.name}.result.nobody.1`, 'x'));
      raw.publish(`tendril.${queue.name}.control`, '{');
      raw.publish(`tendril.${queue.name}.control`, '{"v":1,"id":"x"}');
      expect(yield* executor.submit(tasks.double, 2, 1, queue.log)).toBe(4);
      let tasksLeft = 1;
      while (tasksLeft > 0) tasksLeft = yield* queue.messages('TASKS');
      expect(yield* queue.messages('DEAD')).toBe(texts.length + 1);
      const future = executor.submit(tasks.lasting, queue.log);
      yield* untilTrue(() => queue.lines().includes('began'));
      const forged = queue.name;
      const manager = yield* until(jetstreamManager(raw));
      const consumers = yield* until(manager.consumers.list(`TENDRIL_${forged}_RESULTS`).next());
      yield* until(js.publish(`tendril.${forged}.result.${consumers[0]?.name}.2`, '{"v":1,"attempt":1,"kind":"what"}'));
      expect((yield* failure(future)).code).toBe('ERR_MESSAGE_MALFORMED');
    }));

  it('survive a server that is killed and started again over its store', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      // A task that the server sends in the moment in which it is lost comes again after that time.
      queue.serve({ concurrency: 4, ackWaitMs: 1_000 });
      const submit = (n: number): Future<number> => executor.submit(tasks.double, n, 20, queue.log);
      const before = Array.from({ length: 20 }, (_, n) => submit(n));
      yield* untilTrue(() => queue.lines().length >= 4);
      yield* until(server.kill());
      const during = Array.from({ length: 5 }, (_, n) => submit(100 + n));
      const keyedOne = executor.submitWith({ key: 'down' }, tasks.double, 200, 1, queue.log);
      yield* sleep(100);
      yield* until(server.start());
      const results = yield* all([...before, ...during, keyedOne]);
      expect(results).toEqual([...before.map((_, n) => 2 * n), ...during.map((_, n) => 2 * (100 + n)), 400]);
      expect(executor.stats.reconnects).toBe(1);
    }));

  it('have their outcome soon when the connection broke while it was on its way', async () => {
    const link = await leakyLink(server.port);
    await withQueue(function* (queue) {
      const executor = yield* queue.connect({ servers: link.address });
      link.loseFrom('"value":7');
      const future = executor.submit(plain.add, 3, 4);
      queue.serve();
      yield* untilTrue(() => link.losing);
      const startedMs = now();
      link.cut();
      expect(yield* future).toBe(7);
      expect(now() - startedMs).toBeLessThan(10_000);
      expect(executor.stats).toMatchObject({ reconnects: 1, duplicates: 0, redelivered: 0 });
    }).finally(() => link.end());
  });

  it('are delivered again when the connection broke while they were on their way', async () => {
    const link = await leakyLink(server.port);
    await withQueue(function* (queue) {
      const executor = yield* queue.connect();
      link.loseFrom('.add');
      queue.serve({ servers: link.address, ackWaitMs: 500 });
      const future = executor.submit(plain.add, 3, 4);
      yield* untilTrue(() => link.losing);
      link.cut();
      expect(yield* future).toBe(7);
      expect(executor.stats).toMatchObject({ reconnects: 0, duplicates: 0, redelivered: 1 });
    }).finally(() => link.end());
  });

  it('go on when a server that hangs answers again', () =>
    withQueue(function* (queue) {
      const options = { pingMs: 50, connectTimeoutMs: 100 };
      const executor = yield* queue.connect(options);
      queue.serve({ ...options, ackWaitMs: 1_000 });
      expect(yield* executor.submit(plain.add, 1, 2)).toBe(3);
      const connected = executor.stats.reconnects;
      server.hang();
      try {
        // It has noticed: what it asks now nobody answers.
        while ((yield* timeout(100, until(raw.flush()), { else: 'silent' })) !== 'silent') yield* sleep(5);
        const future = executor.submit(plain.add, 3, 4);
        yield* sleep(200);
        expect(future.done).toBe(false);
        server.go();
        expect([yield* future, executor.stats.reconnects > connected]).toEqual([7, true]);
      } finally {
        server.go();
      }
    }));

  it('fail when the server does not come back in the time that was given', async () => {
    const mortal = await startNats();
    const seen = await run(function* (): Op<unknown> {
      const options = { servers: mortal.address, giveUpAfterMs: 100, queue: 'q' };
      const executor = yield* RemoteExecutor.connect(options);
      const worker = spawn(() => outcomeOf(serveTasks(tasks, options)));
      const channel = yield* openRemoteChannel('c', options);
      const receiving = spawn(() => outcomeOf(channel.receive()));
      const future = executor.submit(tasks.lasting, path.join(folder, 'mortal'));
      yield* sleep(50);
      yield* until(mortal.end());
      const waiting = executor.submitWith({ key: 'k' }, tasks.pid);
      const promise = until(waiting.promise());
      const outcomes = [
        yield* outcomeOf(future),
        yield* outcomeOf(promise),
        yield* worker.get(),
        yield* receiving.get(),
        yield* outcomeOf(channel.send(1)),
        yield* outcomeOf(executor.submit(tasks.pid)),
      ];
      yield* executor.shutdown();
      yield* channel.leave();
      return outcomes;
    });
    expect(seen).toEqual(Array.from({ length: 6 }, () => 'ERR_ENGINE_UNREACHABLE'));
  });

  it('fail when a connection that is shared is closed under them', () =>
    withQueue(function* (queue) {
      const link = yield* NatsLink.connect({ servers: server.address });
      const executor = yield* queue.connect({ link });
      const worker = spawn(() => outcomeOf(serveTasks(tasks, { link, queue: queue.name })));
      const future = executor.submit(tasks.lasting, queue.log);
      yield* untilTrue(() => queue.lines().length === 1);
      yield* link.close();
      expect([yield* outcomeOf(future), yield* worker.get()]).toEqual(['ERR_ENGINE_CLOSED', 'ERR_ENGINE_CLOSED']);
      yield* executor.shutdown();
    }));

  it('stay within the window of an executor', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect({ window: 3 });
      const futures = Array.from({ length: 8 }, (_, n) => executor.submit(tasks.double, n, 1, queue.log));
      yield* sleep(50);
      expect([executor.stats.pending, executor.stats.running, yield* queue.messages('TASKS')]).toEqual([5, 3, 3]);
      queue.serve();
      yield* all(futures);
    }));

  it('survive kills of those who wait for them at any moment', () =>
    withQueue(function* (queue) {
      const executor = yield* queue.connect();
      queue.serve({ concurrency: 20 });
      yield* scope(function* (s) {
        for (let i = 0; i < 60; i += 1) {
          const victim = s.spawn(function* (): Op<void> {
            for (;;) yield* executor.submit(tasks.double, i, i % 3, queue.log);
          });
          s.spawn(function* (): Op<void> {
            yield* sleep(i % 13);
            victim.kill();
          });
        }
      });
      expect(yield* executor.submit(plain.add, 1, 2)).toBe(3);
      yield* untilTrue(() => executor.stats.running === 0);
      expect(executor.stats.failed).toBe(0);
    }));
});
