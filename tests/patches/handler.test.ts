// handler.test.ts: handler(): generator functions as handlers of web frameworks. What the frameworks themselves make of them is in tests/libraries.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { AsyncResult, callback, Event, http, isKilled, type Op, once, run, sleep, spawn } from 'tendril';
import { handler } from 'tendril/patches';
import { describe, expect, it } from 'vitest';

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Serve with `listener` while `body` runs. */
async function serving<T>(listener: Listener, body: (url: string) => Op<T>): Promise<T> {
  return run(function* () {
    const server = createServer(listener);
    server.listen(0, '127.0.0.1');
    yield* once(server, 'listening');
    try {
      return yield* body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    } finally {
      http.closeIdle();
      server.closeAllConnections();
      yield* callback((done) => server.close(done));
    }
  });
}

describe('handler', () => {
  it('runs the generator function with the arguments and `this` of the call, and promises what it returns', async () => {
    const add = handler(function* (this: { base: number }, a: number, b: number): Op<number> {
      yield* sleep(1);
      return this.base + a + b;
    });
    expect(await add.call({ base: 100 }, 1, 2)).toBe(103);
  });

  it('keeps the name and the number of parameters', () => {
    const onError = handler(function* onError(_error: Error, _request: unknown, _response: unknown, _next: unknown) {});
    expect({ name: onError.name, length: onError.length }).toEqual({ name: 'onError', length: 4 });
  });

  it('rejects with the very error that was thrown, where there is no next', async () => {
    const error = new Error('no');
    const failing = handler(function* (_context: object, _next: () => Promise<void>) {
      yield* sleep(0);
      throw error;
    });
    let nexts = 0;
    const caught = await failing({}, async () => void (nexts += 1)).catch((thrown) => thrown);
    expect({ caught, nexts }).toEqual({ caught: error, nexts: 0 });
  });

  it('gives the failure to the next that stands behind the response', async () => {
    const error = new Error('no');
    const failing = handler(function* (_request: unknown, _response: unknown, _next: (error?: unknown) => void) {
      yield* sleep(0);
      throw error;
    });
    const failures: unknown[] = [];
    await serving(
      async (request, response) => {
        await failing(request, response, (thrown) => failures.push(thrown));
        response.statusCode = 500;
        response.end();
      },
      function* (url) {
        yield* (yield* http.get(url)).text();
      },
    );
    expect(failures).toEqual([error]);
  });

  it.each([
    ['as it is', (response: ServerResponse) => response],
    ['as raw, as Fastify has it', (raw: ServerResponse) => ({ raw })],
    ['as res, as Koa has it', (res: ServerResponse) => ({ res })],
  ])('kills the greenlet when the client leaves before it is answered, with the response %s', async (_how, wrap) => {
    const seen = await run(function* () {
      const atWork = new Event();
      const ended = new AsyncResult<unknown>();
      const settled = new AsyncResult<unknown>();
      const slow = handler(function* (_request: unknown, _wrapped: unknown) {
        atWork.set();
        try {
          yield* sleep(60_000);
        } catch (error) {
          ended.set(isKilled(error));
          throw error;
        }
      });
      const server = createServer((request, response) => {
        slow(request, wrap(response)).then(
          (value) => settled.set(value),
          (error) => settled.set(error),
        );
      }).listen(0, '127.0.0.1');
      yield* once(server, 'listening');
      const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
      client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      yield* atWork.wait();
      client.destroy();
      const killed = yield* ended.get();
      const value = yield* settled.get();
      yield* callback((done) => server.close(done));
      return { killed, value };
    });
    expect(seen).toEqual({ killed: true, value: undefined });
  });

  it('lets the greenlet go on when it was answered before the client left, and leaves no listener', async () => {
    const seen = await run(function* () {
      const gone = new Event();
      const after = new AsyncResult<string | undefined>();
      let response: ServerResponse | undefined;
      const quick = handler(function* (_request: IncomingMessage, answer: ServerResponse) {
        response = answer;
        answer.end('done');
        yield* gone.wait();
        return 'went on';
      });
      const server = createServer((request, answer) => void quick(request, answer).then((value) => after.set(value)));
      server.listen(0, '127.0.0.1');
      yield* once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const closed = spawn(function* () {
        yield* (yield* http.get(`http://127.0.0.1:${port}`)).text();
        http.closeIdle();
        yield* callback((done) => server.close(done));
      });
      yield* closed.get();
      gone.set();
      const result = yield* after.get();
      return { result, listeners: response?.listeners('close').filter((on) => on.name === 'onClose').length };
    });
    expect(seen).toEqual({ result: 'went on', listeners: 0 });
  });

  it('is in the AsyncLocalStorage context of the call', async () => {
    const storage = new AsyncLocalStorage<string>();
    const read = handler(function* () {
      yield* sleep(0);
      return storage.getStore();
    });
    expect(await Promise.all(['a', 'b'].map((name) => storage.run(name, () => read())))).toEqual(['a', 'b']);
  });

  it('refuses at the call what is no generator function', () => {
    const wrong = [undefined, {}, async () => {}].map((body) => {
      try {
        handler(body as never);
        return 'taken';
      } catch (error) {
        return (error as Error).name;
      }
    });
    expect(wrong).toEqual(['TypeError', 'TypeError', 'TypeError']);
  });

  it('rejects when the function returns no Op', async () => {
    const error = await handler((() => 1) as never)().catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(TypeError);
  });
});
