// fetch.test.ts: requests by fetch and by undici follow the cancellation of their greenlet, and outside greenlets nothing is different.
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { http as client, isKilled, type Op, run, scope, sleep, spawn, timeout, until } from 'tendril';
import { patchFetch } from 'tendril/patches';
import * as undici from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leaksWith, packageOf } from './owning.ts';

const file = 'fetch.test.ts';
const never = (): Op<void> => sleep(Number.POSITIVE_INFINITY);
const dispatcher = Symbol.for('undici.globalDispatcher.1');

const server = http.createServer((request, response) => {
  if (request.url === '/slow') return;
  if (request.url === '/half' || request.url === '/moved') {
    if (request.url === '/moved') {
      response.writeHead(302, { location: '/half' }).end();
      return;
    }
    response.writeHead(200, { 'content-length': 10 });
    response.write('half.');
    return;
  }
  response.end('whole');
});
let url = '';
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** Resolves when a request for `path` has come and its connection has gone. */
function gone(path: string): Promise<void> {
  return new Promise((resolve) => {
    const seen = (request: http.IncomingMessage): void => {
      if (request.url !== path) return;
      server.off('request', seen);
      request.on('error', () => {});
      if (request.socket.destroyed) resolve();
      else request.socket.on('close', () => resolve());
    };
    server.on('request', seen);
  });
}

/** The global dispatchers as they are now, to be put back. */
function savedDispatchers(): () => void {
  const holder = globalThis as Record<symbol, unknown>;
  const values = [dispatcher, Symbol.for('undici.globalDispatcher.2')].map(
    (symbol) => [symbol, holder[symbol]] as const,
  );
  return () => {
    for (const [symbol, value] of values) if (value !== undefined) holder[symbol] = value;
  };
}

interface Answer {
  text(): Promise<string>;
}
const ways: readonly (readonly [name: string, get: (path: string) => Promise<Answer>, error: string])[] = [
  ['fetch', (path) => fetch(url + path), 'AbortError'],
  ['fetch of a Request', (path) => fetch(new Request(url + path)), 'AbortError'],
  ['undici.request', async (path) => (await undici.request(url + path)).body, 'AbortError'],
  ['undici.fetch', (path) => undici.fetch(url + path), 'TypeError'],
];

describe.each(ways)('%s in a greenlet', (name, get, errorName) => {
  it('F117 is aborted as soon as it is killed, and the greenlet has Killed, whose stack shows the caller', async () => {
    const seen: unknown[] = [];
    await leaksWith(patchFetch, file, async () => {
      const closed = gone('/slow');
      let settled: Promise<unknown> | undefined;
      await run(function* () {
        const g = spawn(function* () {
          const answer = get('/slow');
          settled = answer.catch((error: Error) => error.name);
          yield* until(once(server, 'request'));
          g.kill('enough');
          try {
            yield* until(answer);
          } catch (error) {
            seen.push(isKilled(error), (error as Error).stack?.includes(file));
            throw error;
          }
        });
        yield* g.join();
      });
      await closed;
      seen.push(await settled);
    });
    expect(seen).toEqual([true, true, errorName]);
  });

  // undici.request follows no redirect; undici.fetch does so by itself, later, which is no greenlet's doing any more.
  const paths = name.startsWith('undici') ? ['/half'] : ['/half', '/moved'];
  it.each(paths)('has its body aborted too: %s', async (path) => {
    const seen: unknown[] = [];
    await leaksWith(patchFetch, file, async () => {
      const closed = gone('/half');
      let settled: Promise<unknown> | undefined;
      await run(function* () {
        const g = spawn(function* () {
          const answer = yield* until(get(path));
          settled = answer.text().catch(() => 'rejected');
          g.kill();
          yield* never();
        });
        yield* g.join();
      });
      await closed;
      seen.push(await settled);
    });
    expect(seen).toEqual(['rejected']);
  });

  it('is aborted by a timeout around it, and the greenlet goes on', async () => {
    const seen: unknown[] = [];
    await leaksWith(patchFetch, file, async () => {
      const closed = gone('/slow');
      await run(function* () {
        const body = function* (): Op<string> {
          yield* until(get('/slow'));
          return 'answered';
        };
        seen.push(yield* timeout(50, body(), { else: 'late' }));
      });
      await closed;
    });
    expect(seen).toEqual(['late']);
  });

  it('is aborted when a sibling in its scope fails', async () => {
    const seen: unknown[] = [];
    await leaksWith(patchFetch, file, async () => {
      const closed = gone('/slow');
      await run(function* () {
        try {
          yield* scope(function* (s) {
            s.spawn(function* () {
              yield* until(get('/slow'));
            });
            yield* until(once(server, 'request'));
            throw new Error('failed');
          });
        } catch (error) {
          seen.push((error as Error).message);
        }
      });
      await closed;
    });
    expect(seen).toEqual(['failed']);
  });

  it('that is over leaves nothing behind; its answer may be read by others', async () => {
    const seen: unknown[] = [];
    await leaksWith(patchFetch, file, () =>
      run(function* () {
        const g = spawn(function* () {
          return yield* until(get('/'));
        });
        const answer = yield* g.get();
        seen.push(yield* until(answer.text()), g.side?.cancelWatchers?.size ?? 0);
        const reader = spawn(function* () {
          const mine = yield* until(get('/'));
          const text = yield* until(mine.text());
          while ((reader.side?.cancelWatchers?.size ?? 0) > 0) yield* sleep(0);
          return text;
        });
        seen.push(yield* reader.get());
      }),
    );
    expect(seen).toEqual(['whole', 0, 'whole']);
  });
});

describe('fetch in a greenlet', () => {
  it('that nobody waits for is no unhandled rejection when it is killed', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    await leaksWith(patchFetch, file, async () => {
      const closed = gone('/slow');
      await run(function* () {
        const g = spawn(function* () {
          void fetch(`${url}/slow`);
          yield* until(once(server, 'request'));
          g.kill();
          yield* never();
        });
        yield* g.join();
      });
      await closed;
    });
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('still heeds a signal of its caller’s own', async () => {
    const seen: unknown[] = [];
    await leaksWith(patchFetch, file, () =>
      run(function* () {
        for (const call of [
          (signal: AbortSignal) => fetch(`${url}/slow`, { signal }),
          (signal: AbortSignal) => fetch(new Request(`${url}/slow`, { signal })),
        ]) {
          const controller = new AbortController();
          const answer = call(controller.signal).catch((error: Error) => error.message);
          controller.abort(new Error('theirs'));
          seen.push(yield* until(answer));
        }
      }),
    );
    expect(seen).toEqual(['theirs', 'theirs']);
  });

  it('keeps to the dispatcher that it is given, in its options or with a Request', async () => {
    const paths: string[] = [];
    const agent = new undici.Agent().compose((dispatch) => (options, handler) => {
      paths.push(String(options.path));
      return dispatch(options, handler);
    });
    const given = { dispatcher: agent } as unknown as RequestInit;
    await leaksWith(patchFetch, file, () =>
      run(function* () {
        for (const call of [() => fetch(`${url}/a`, given), () => fetch(new Request(`${url}/b`, given))]) {
          const response = yield* until(call());
          yield* until(response.text());
        }
      }),
    );
    await agent.close();
    expect(paths).toEqual(['/a', '/b']);
  });

  it('takes what it takes outside: data, methods, bodies, errors', async () => {
    const shapes: (() => Promise<unknown>)[] = [
      async () => (await fetch('data:,text')).text(),
      async () => (await fetch(url, { method: 'POST', body: 'x' })).text(),
      async () => (await fetch(new URL(url), Object.create({ method: 'HEAD' }) as RequestInit)).text(),
      () => fetch('not a url').catch((error: Error) => [error.name, error.message]),
      () => fetch(url, { signal: 5 as never }).catch((error: Error) => error.name),
      () => fetch('http://127.0.0.1:1').catch((error: Error) => [error.name, error.message]),
    ];
    const outside: unknown[] = [];
    for (const shape of shapes) outside.push(await shape());
    const inside: unknown[] = [];
    await leaksWith(patchFetch, file, () =>
      run(function* () {
        for (const shape of shapes) inside.push(yield* until(shape()));
      }),
    );
    expect(inside).toEqual(outside);
  });

  it('is left alone when a package calls it', async () => {
    const source = packageOf('exports.get = (url) => fetch(url);');
    const seen: unknown[] = [];
    await leaksWith(patchFetch, file, async () => {
      let answer: Promise<Response> | undefined;
      await run(function* () {
        const g = spawn(function* () {
          answer = source.exports.get?.(`${url}/half` as never) as Promise<Response>;
          g.kill();
          yield* never();
        });
        yield* g.join();
      });
      const response = await answer;
      seen.push(response?.status);
      await response?.body?.cancel();
    });
    source.remove();
    expect(seen).toEqual([200]);
  });
});

describe('With patchFetch', () => {
  it('a global dispatcher can be set, before and after', async () => {
    const first = new undici.Agent();
    const second = new undici.Agent();
    const restore = savedDispatchers();
    undici.setGlobalDispatcher(first);
    const patch = patchFetch();
    const seen: unknown[] = [undici.getGlobalDispatcher() instanceof undici.Agent];
    seen.push(await (await undici.request(url)).body.text());
    patch.undo();
    seen.push(undici.getGlobalDispatcher() === first);
    const again = patchFetch();
    undici.setGlobalDispatcher(second);
    seen.push(await (await undici.request(url)).body.text(), await (await fetch(url)).text());
    again.undo();
    seen.push(undici.getGlobalDispatcher() === second);
    restore();
    await Promise.all([first.close(), second.close()]);
    expect(seen).toEqual([true, 'whole', true, 'whole', 'whole', true]);
  });

  it('interceptors compose as ever', async () => {
    const seen: string[] = [];
    const restore = savedDispatchers();
    const patch = patchFetch();
    undici.setGlobalDispatcher(
      undici.getGlobalDispatcher().compose((dispatch) => (options, handler) => {
        seen.push(String(options.path));
        return dispatch(options, handler);
      }),
    );
    const closed = gone('/slow');
    await run(function* () {
      const g = spawn(function* () {
        undici.request(`${url}/slow`).catch(() => {});
        yield* until(once(server, 'request'));
        g.kill();
        yield* never();
      });
      yield* g.join();
    });
    await closed;
    patch.undo();
    restore();
    expect(seen).toEqual(['/slow']);
  });

  it('what tendril itself requests is tendril’s, and outside greenlets everything is Node’s own', async () => {
    const value = (globalThis as Record<symbol, unknown>)[dispatcher];
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, dispatcher);
    const own = globalThis.fetch;
    const patch = patchFetch();
    const text = await run(function* () {
      const response = yield* client.get(url);
      return yield* response.text();
    });
    const outside = await (await fetch(url)).text();
    patch.undo();
    const restored = Object.getOwnPropertyDescriptor(globalThis, dispatcher);
    expect({ text, outside, same: restored?.value === value && globalThis.fetch === own }).toEqual({
      text: 'whole',
      outside: 'whole',
      same: true,
    });
    expect({ ...restored, value: 0 }).toEqual({ ...descriptor, value: 0 });
  });
});
