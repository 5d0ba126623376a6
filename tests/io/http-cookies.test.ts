// http-cookies.test.ts: cookies in a jar that the caller brings: tough-cookie's, and any object with its two methods.
import { http, isKilled, type Op, openHandles, run, sleep, spawn } from 'tendril';
import { CookieJar } from 'tough-cookie';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpServer, rawServer } from './http-servers.ts';

let client: http.Client;
beforeEach(() => {
  client = new http.Client();
});
afterEach(() => {
  client.close();
  expect(openHandles().total).toBe(0);
});

function* caught(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error('nothing was thrown');
}

/** Sets the cookies that the query names, and answers with those that it got. */
const site = () =>
  httpServer((request, response) => {
    const { searchParams } = new URL(request.url as string, 'http://x');
    const set = searchParams.getAll('set');
    if (set.length > 0) response.setHeader('set-cookie', set);
    if (searchParams.has('to')) response.writeHead(302, { location: searchParams.get('to') as string });
    response.end(request.headers.cookie ?? 'none');
  });

function* got(op: Op<http.Response>) {
  return yield* (yield* op).text();
}

describe('cookies in a jar', () => {
  it('are kept and sent back, by the rules of the jar', async () => {
    const { url } = await site();
    const jar: http.CookieJar = new CookieJar();
    const mine = http.client({ cookies: jar });
    await run(function* () {
      expect(yield* got(mine.get(url))).toBe('none');
      const query = {
        set: ['a=1', 'b=2; Path=/only', 'd=4; Domain=other.test', 'nonsense;;;=', 'e=5; Max-Age=0'],
      };
      expect(yield* got(mine.get(url, { query }))).toBe('none');
      expect(yield* got(mine.get(url))).toMatch(/^a=1/);
      expect(yield* got(mine.get(`${url}/only`))).toContain('b=2');
      expect(yield* got(mine.get(url))).not.toMatch(/b=|d=|e=/);
      expect(yield* got(mine.get(url, { cookies: false }))).toBe('none');
      expect(yield* got(client.get(url))).toBe('none');
      expect(yield* got(client.get(url, { cookies: jar }))).toMatch(/^a=1/);
    });
    mine.close();
  });

  it('come after those that the caller sets', async () => {
    const { url } = await site();
    const jar = new CookieJar();
    await jar.setCookie('kept=1', url);
    await run(function* () {
      expect(yield* got(client.get(url, { cookies: jar, headers: { Cookie: 'mine=2' } }))).toBe('mine=2; kept=1');
    });
  });

  it('are set by every answer on the way of redirects, and go to the origins that they are of', async () => {
    const [one, two] = [await site(), await site()];
    const cookies = new CookieJar();
    await run(function* () {
      const last = `${two.url}/?set=last%3D1`;
      const middle = `/middle?set=middle%3D1&to=${encodeURIComponent(last)}`;
      yield* got(client.get(one.url, { cookies, query: { set: 'first=1', to: middle } }));
      expect((yield* got(client.get(`${one.url}/middle`, { cookies }))).split('; ').sort()).toEqual(
        // Ports do not separate cookies: RFC 6265 8.5.
        ['first=1', 'last=1', 'middle=1'],
      );
    });
    expect((await cookies.getCookies(two.url)).map(({ key }) => key)).toContain('last');
  });

  it('may be kept by any object with the two methods, with or without promises', async () => {
    const { url } = await site();
    const kept: [string, string][] = [];
    const cookies = {
      getCookieString: (at: string) => `at=${new URL(at).pathname.slice(1)}`,
      setCookie: (cookie: string, at: string) => void kept.push([cookie, at]),
    };
    await run(function* () {
      expect(yield* got(client.get(`${url}/x?set=a%3D1&set=b%3D2`, { cookies }))).toBe('at=x');
    });
    expect(kept).toEqual([
      ['a=1', `${url}/x?set=a%3D1&set=b%3D2`],
      ['b=2', `${url}/x?set=a%3D1&set=b%3D2`],
    ]);
  });

  it('F72: that hold CR, LF, NUL or are beyond latin-1 are an error before anything is sent', async () => {
    const server = await site();
    await run(function* () {
      for (const evil of ['a=1\r\nX-Evil: 1', 'a=1\nb', 'a=\0', 'a=€']) {
        const cookies = { getCookieString: () => Promise.resolve(evil), setCookie: () => undefined };
        expect(yield* caught(client.get(server.url, { cookies }))).toMatchObject({
          name: 'TypeError',
          code: 'ERR_INVALID_CHAR',
        });
      }
    });
    expect(server.sockets).toHaveLength(0);
  });

  it('whose jar fails end the request when they are asked for, and not when they are kept', async () => {
    const { url } = await site();
    const failure = new Error('the store is gone');
    await run(function* () {
      const broken = { getCookieString: () => Promise.reject(failure), setCookie: () => undefined };
      expect(yield* caught(client.get(url, { cookies: broken }))).toBe(failure);
      const full = { getCookieString: () => '', setCookie: () => Promise.reject(failure) };
      expect(yield* got(client.get(`${url}?set=a%3D1`, { cookies: full }))).toBe('none');
    });
  });

  it('F67: leave no connection behind when the request is killed while the jar keeps them', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 100\r\n\r\nhalf');
    });
    let asked = false;
    const cookies = {
      getCookieString: () => '',
      setCookie: () => {
        asked = true;
        return new Promise(() => {});
      },
    };
    await run(function* () {
      const victim = spawn(() => client.get(server.url, { cookies }));
      while (!asked) yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect(isKilled((yield* caught(victim.get())).cause)).toBe(true);
      expect(openHandles().total).toBe(0);
      while (server.connections() > 0) yield* sleep(1);
    });
  });

  it('need a jar: anything else is a TypeError at the call', () => {
    for (const cookies of [5, 'a=1', {}, { getCookieString: () => '' }, true, null])
      expect(() => client.get('http://127.0.0.1:1/', { cookies: cookies as never })).toThrow(TypeError);
  });
});
