// simulated-http-client.test.ts: redirects, decompression, cookies and proxies over the simulated network: the same code, in virtual time.
import { gzipSync } from 'node:zlib';
import { http, isKilled, listen, now, type Op, openHandles, type Socket, scope, serve, sleep, timeout } from 'tendril';
import { explore, type SimulatedWorld, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

const text = Array.from({ length: 5000 }, (_, index) => `line ${index * 7919}`).join('\n');
const zipped = gzipSync(text);

function* answer(socket: Socket): Op<void> {
  for (;;) {
    const first = yield* socket.readLine();
    if (first === null) return;
    let cookie = '';
    for (let line = yield* socket.readLine(); line !== null && line !== ''; line = yield* socket.readLine()) {
      if (/^cookie: /i.test(line)) cookie = line.slice(8);
    }
    const path = first.split(' ')[1] as string;
    if (path === '/zip') {
      yield* socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${zipped.length}\r\n\r\n`);
      // In two parts, with time between them.
      yield* socket.write(zipped.subarray(0, 5000));
      yield* sleep(2000);
      yield* socket.write(zipped.subarray(5000));
    } else if (path === '/from') {
      yield* socket.write('HTTP/1.1 302 Found\r\nlocation: /to\r\nset-cookie: seen=1\r\ncontent-length: 0\r\n\r\n');
    } else {
      const body = `${first.split(' ').slice(0, 2).join(' ')} ${cookie}`;
      yield* socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    }
  }
}

function host(world: SimulatedWorld, name: string, port: number): void {
  world.net.host(name, {
    *main() {
      const listener = yield* listen({ port });
      yield* serve(listener, answer);
    },
  });
}

describe('The HTTP client over the simulated network', () => {
  it('follows redirects, keeps cookies, decompresses while virtual time passes, and goes through a proxy', async () => {
    const before = openHandles();
    const cookies = { getCookieString: () => 'mine=1', setCookie: () => {} };
    const play = () =>
      simulate(function* (world) {
        host(world, 'server', 80);
        host(world, 'proxy', 8080);
        const moved = yield* (yield* http.get('http://server/from', { cookies })).text();
        const startedMs = now();
        const whole = yield* (yield* http.get('http://server/zip')).text();
        const elapsedMs = now() - startedMs;
        const behind = http.client({ proxy: 'http://proxy:8080' });
        const forwarded = yield* (yield* behind.get('http://elsewhere/x')).text();
        behind.close();
        for (const name of ['server', 'proxy']) world.net.host(name).crash();
        return { moved, whole: whole === text, forwarded, elapsedMs };
      });
    const { value, elapsedMs } = await play();
    expect(value).toMatchObject({ moved: 'GET /to mine=1', whole: true, forwarded: 'GET http://elsewhere/x ' });
    expect(value.elapsedMs).toBeGreaterThanOrEqual(2000);
    expect(value.elapsedMs).toBeLessThan(2500);
    // The threads that decompress take what they take; the virtual clock does not see it.
    for (let round = 0; round < 3; round += 1) expect((await play()).elapsedMs).toBe(elapsedMs);
    expect(openHandles()).toEqual(before);
  });

  it.each(['127.0.0.1', '[::1]'])('goes to %s without asking for its name', async (address) => {
    const { value } = await simulate(function* (): Op<string> {
      const listener = yield* listen({ host: address.replace(/[[\]]/g, ''), port: 80 });
      return yield* scope(function* (s): Op<string> {
        const server = s.spawn(serve, listener, answer);
        const response = yield* http.get(`http://${address}/here`);
        const body = yield* response.text();
        server.kill();
        return body;
      });
    });
    expect(value).toBe('GET /here ');
    expect(openHandles().names).toEqual([]);
  });

  it('sends what is Latin-1 in a header as one byte, as it does over a real network', async () => {
    const { value } = await simulate(function* (): Op<Buffer | null> {
      const listener = yield* listen({ port: 80 });
      return yield* scope(function* (s): Op<Buffer | null> {
        const seen = s.spawn(function* (): Op<Buffer | null> {
          const socket = yield* listener.accept();
          const head = yield* socket.readUntil('\r\n\r\n');
          socket.close();
          return head;
        });
        try {
          yield* http.get('http://localhost/', { headers: { 'x-name': 'Jörg' } });
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_INCOMPLETE_BODY' });
        }
        return yield* seen.get();
      });
    });
    expect(value?.toString('latin1')).toContain('x-name: Jörg\r\n');
  });

  it('is explored with resets, retries and kills: an answer is right or an error, and nothing is left', async () => {
    const before = openHandles();
    const { runs } = await explore(
      function* (world) {
        host(world, 'server', 80);
        const client = new http.Client({ connections: 2, retry: { attempts: 3, delayMs: 10 } });
        const fetchOne = function* (path: string) {
          try {
            const whole = yield* timeout(20_000, http.get(`http://server${path}`, { client }));
            const got = yield* whole.text();
            if (got !== (path === '/zip' ? text : 'GET /to '))
              throw new Error(`the answer of another: ${got.slice(0, 50)}`);
          } catch (error) {
            if (isKilled(error)) throw error;
            if ((error as Error).message.startsWith('the answer')) throw error;
          }
        };
        yield* scope(function* (s) {
          const all = ['/from', '/zip', '/from', '/zip'].map((path) => s.spawn(fetchOne, path));
          yield* sleep(world.choose(2500));
          if (world.chance(0.5)) all[world.choose(4)]?.kill();
        });
        client.close();
        world.net.host('server').crash();
      },
      {
        seeds: 60,
        faults: { reset: 0.05, shortRead: 0.3 },
        heal: { afterMs: 60_000, withinMs: 120_000 },
        leaks: 'ignore',
      },
    );
    expect(runs).toBe(60);
    expect(openHandles()).toEqual(before);
  });
});
