// simulated-http.test.ts: the HTTP client over the simulated network, unchanged: pool, keep-alive, limits in virtual time, cuts, and the same run twice.
import { http, isKilled, listen, now, type Op, openHandles, type Socket, scope, serve, sleep, timeout } from 'tendril';
import { explore, type SimulatedWorld, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

/** A small HTTP server: reads a head and a body by its length, answers by path. */
function* answer(socket: Socket): Op<void> {
  for (;;) {
    const first = yield* socket.readLine();
    if (first === null) return;
    const [method, path] = first.split(' ') as [string, string];
    let length = 0;
    for (let line = yield* socket.readLine(); line !== null && line !== ''; line = yield* socket.readLine()) {
      const [name, value] = line.split(': ');
      if (name?.toLowerCase() === 'content-length') length = Number(value);
    }
    const body = length > 0 ? String(yield* socket.readExactly(length)) : '';
    if (path === '/slow') yield* sleep(30_000);
    if (path === '/never') yield* sleep(10_000_000);
    if (path === '/cut') {
      yield* socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
      return;
    }
    const text = path === '/big' ? 'x'.repeat(300_000) : `${method} ${path} ${body}`;
    yield* socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
  }
}

function server(world: SimulatedWorld): void {
  world.net.host('server', {
    *main() {
      const listener = yield* listen({ port: 80 });
      yield* serve(listener, answer);
    },
  });
}

async function played<T>(body: () => Op<T>, options = {}): Promise<{ value: T; elapsedMs: number }> {
  const before = openHandles();
  const report = await simulate(
    function* (world) {
      server(world);
      try {
        return yield* body();
      } finally {
        world.net.host('server').crash();
      }
    },
    { maxMs: 10_000_000, ...options },
  );
  expect(openHandles()).toEqual(before);
  return report;
}

describe('http over the simulated network', () => {
  it('gets, posts and keeps its connection', async () => {
    const { value, elapsedMs } = await played(function* () {
      const texts: string[] = [];
      for (let i = 0; i < 3; i += 1) {
        const response = yield* http.get(`http://server/${i}`);
        texts.push(yield* response.body.text());
      }
      const posted = yield* http.post('http://server/echo', { body: 'hello' });
      texts.push(yield* posted.body.text());
      return texts;
    });
    expect(value).toEqual(['GET /0 ', 'GET /1 ', 'GET /2 ', 'POST /echo hello']);
    // One connect and four requests, each way at least 1 ms.
    expect(elapsedMs).toBeGreaterThanOrEqual(10);
    expect(elapsedMs).toBeLessThan(200);
  });

  it('takes a body larger than every buffer', async () => {
    const { value } = await played(function* () {
      const response = yield* http.get('http://server/big');
      return (yield* response.body.bytes()).length;
    });
    expect(value).toBe(300_000);
  });

  it('waits in virtual time, and keeps its limits there', async () => {
    const started = performance.now();
    const { value } = await played(function* () {
      const slow = yield* (yield* http.get('http://server/slow')).body.text();
      const at = now();
      const outcomes: string[] = [slow, at >= 30_000 ? 'late' : 'early'];
      for (const op of [
        timeout(5000, http.get('http://server/never')),
        http.get('http://server/never', { timeoutMs: 7000 }),
        http.get('http://server/never'),
      ]) {
        const from = now();
        try {
          yield* op;
          outcomes.push('answered');
        } catch (error) {
          if (isKilled(error)) throw error;
          outcomes.push(`${(error as Error).name} after ${Math.round((now() - from) / 1000)} s`);
        }
      }
      return outcomes;
    });
    expect(value).toEqual([
      'GET /slow ',
      'late',
      'TimeoutError after 5 s',
      'TimeoutError after 7 s',
      'TimeoutError after 60 s',
    ]);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('tells a cut body, a refused connect and a name that is not there', async () => {
    const { value } = await played(function* () {
      const errors: string[] = [];
      const asks: (() => Op<unknown>)[] = [
        function* () {
          return yield* (yield* http.get('http://server/cut')).body.text();
        },
        () => http.get('http://server:81/'),
        () => http.get('http://nowhere/'),
        () => http.get('https://server/'),
      ];
      for (const ask of asks) {
        try {
          yield* ask();
          errors.push('none');
        } catch (error) {
          if (isKilled(error)) throw error;
          errors.push(`${(error as Error).name} ${(error as { code?: string }).code}`);
        }
      }
      return errors;
    });
    expect(value).toEqual([
      'IncompleteBodyError ERR_INCOMPLETE_BODY',
      'ConnectError ECONNREFUSED',
      'DnsError ENOTFOUND',
      'ConnectError ERR_NOT_SIMULATED',
    ]);
  });

  it('is the same run each time: explored with resets and kills, nothing is left', async () => {
    const before = openHandles();
    const { runs } = await explore(
      function* (world) {
        server(world);
        const client = new http.Client({ connections: 2 });
        const fetchOne = function* (i: number) {
          try {
            const response = yield* timeout(20_000, http.get(`http://server/${i}`, { client }));
            const text = yield* response.body.text();
            if (text !== `GET /${i} `) throw new Error(`the answer of another: ${text}`);
          } catch (error) {
            if (isKilled(error)) throw error;
            if ((error as Error).message.startsWith('the answer')) throw error;
          }
        };
        yield* scope(function* (s) {
          const all = [1, 2, 3, 4].map((i) => s.spawn(fetchOne, i));
          yield* sleep(world.choose(20));
          if (world.chance(0.5)) all[world.choose(4)]?.kill();
        });
        client.close();
        world.net.host('server').crash();
      },
      {
        seeds: 150,
        faults: { reset: 0.05, shortRead: 0.3 },
        heal: { afterMs: 60_000, withinMs: 120_000 },
        leaks: 'ignore',
      },
    );
    expect(runs).toBe(150);
    expect(openHandles()).toEqual(before);
  });
});
