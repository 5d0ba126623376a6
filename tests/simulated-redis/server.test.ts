// server.test.ts: the simulated Redis answers as the real one does, command by command, in both protocols.

import { connect, type Op, run, sleep } from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { encode } from '../../samples/redis/resp-encoder.ts';
import { RespLink } from '../../samples/redis/resp-link.ts';
import { probe } from '../services.ts';
import { RedisServer } from './server.ts';

const real = await probe('redis');
const k = (name: string): string => `tendril:simulated-redis:${name}`;

/** On which connection, and what. `...` reads one reply more. */
type Line = readonly [connection: number, ...command: (string | number)[]];

const CONVERSATIONS: Readonly<Record<string, readonly Line[]>> = {
  strings: [
    [0, 'DEL', k('a'), k('b')],
    [0, 'GET', k('a')],
    [0, 'SET', k('a'), 'é\r\n$-1'],
    [0, 'GET', k('a')],
    [0, 'SET', k('a'), 'x', 'NX'],
    [0, 'SET', k('b'), 'x', 'XX'],
    [0, 'SET', k('b'), 'x', 'ODD'],
    [0, 'MGET', k('a'), k('b')],
    [0, 'INCR', k('a')],
    [0, 'INCR', k('b')],
    [0, 'set', k('b'), '41', 'EX', 100],
    [0, 'INCR', k('b')],
    [0, 'EXPIRE', k('b'), 0],
    [0, 'EXPIRE', k('b'), 5],
    [0, 'DEL', k('a'), k('b'), k('c')],
    [0, 'PING'],
    [0, 'PING', 'text'],
    [0, 'ECHO', ''],
    [0, 'GET'],
    [0, 'SET', k('a')],
    [0, 'SELECT', 1],
    [0, 'SELECT', 99],
    [0, 'SELECT', 'x'],
  ],
  'hashes and lists': [
    [0, 'DEL', k('h'), k('l'), k('m')],
    [0, 'HSET', k('h'), 'f', 1, 'g', 2],
    [0, 'HSET', k('h'), 'f', 3],
    [0, 'HSET', k('h'), 'f'],
    [0, 'HGET', k('h'), 'f'],
    [0, 'HGET', k('h'), 'no'],
    [0, 'HGETALL', k('h')],
    [0, 'HGETALL', k('no')],
    [0, 'GET', k('h')],
    [0, 'LPUSH', k('h'), 'x'],
    [0, 'LPUSH', k('l'), 'a', 'b'],
    [0, 'RPUSH', k('l'), 'c'],
    [0, 'LRANGE', k('l'), 0, -1],
    [0, 'LRANGE', k('l'), -2, 1],
    [0, 'HGET', k('l'), 'f'],
    [0, 'LPOP', k('l')],
    [0, 'BLPOP', k('m'), k('l'), 0],
    [0, 'BRPOP', k('l'), 0],
    [0, 'LPOP', k('l')],
    [0, 'BLPOP', k('l'), 0.01],
    [0, 'BLPOP', k('h'), 1],
    [0, 'BLPOP', k('l'), 'x'],
    [0, 'DEL', k('h')],
  ],
  transactions: [
    [0, 'DEL', k('t'), k('u')],
    [0, 'EXEC'],
    [0, 'DISCARD'],
    [0, 'MULTI'],
    [0, 'MULTI'],
    [0, 'SET', k('t'), 1],
    [0, 'INCR', k('t')],
    [0, 'LPUSH', k('t'), 'x'],
    [0, 'BLPOP', k('u'), 0],
    [0, 'GET', k('t')],
    [0, 'EXEC'],
    [0, 'MULTI'],
    [0, 'SET', k('t'), 5],
    [0, 'NOSUCH', 'x'],
    [0, 'EXEC'],
    [0, 'MULTI'],
    [0, 'GET'],
    [0, 'DISCARD'],
    [0, 'WATCH', k('t')],
    [1, 'SET', k('t'), 7],
    [0, 'MULTI'],
    [0, 'WATCH', k('t')],
    [0, 'SET', k('t'), 8],
    [0, 'EXEC'],
    [0, 'WATCH', k('t')],
    [0, 'UNWATCH'],
    [1, 'SET', k('t'), 9],
    [0, 'MULTI'],
    [0, 'GET', k('t')],
    [0, 'EXEC'],
    [0, 'DEL', k('t')],
  ],
  subscriptions: [
    [0, 'SUBSCRIBE', k('news'), k('more')],
    [0, '...'],
    [1, 'PSUBSCRIBE', k('n?w*')],
    [2, 'PUBLISH', k('news'), 'one'],
    [0, '...'],
    [1, '...'],
    [2, 'PUBLISH', k('more'), 'two'],
    [0, '...'],
    [0, 'PING'],
    [0, 'UNSUBSCRIBE', k('news')],
    [0, 'UNSUBSCRIBE'],
    [0, 'UNSUBSCRIBE'],
    [0, 'GET', k('x')],
    [1, 'PUNSUBSCRIBE'],
    [2, 'PUBLISH', k('news'), 'three'],
  ],
  'what is wrong': [
    [0, 'NOSUCHCOMMAND', 'x'],
    [0, 'AUTH', 'x'],
    [0, 'HELLO', 9],
    [0, 'PUBLISH', 'x'],
    [0, 'QUIT'],
  ],
};

function* answers(address: { host: string; port: number }, protocol: 2 | 3, lines: readonly Line[]): Op<unknown[]> {
  const links: RespLink[] = [];
  const heard: unknown[] = [];
  try {
    for (const [number, ...command] of lines) {
      let link = links[number];
      if (link === undefined) {
        links[number] = link = RespLink.over(yield* connect(address));
        if (protocol === 3) yield* link.write(encode('HELLO', [3]));
        if (protocol === 3) yield* link.reply();
      }
      const [name, ...args] = command;
      if (name !== '...') yield* link.write(encode(String(name), args));
      const reply = yield* link.reply();
      heard.push(reply instanceof Error ? reply.message.replace(/, with args beginning with:.*/, '') : reply);
    }
  } finally {
    for (const link of links) link?.close();
  }
  return heard;
}

describe.skipIf(real === undefined)('The simulated Redis', () => {
  for (const [about, lines] of Object.entries(CONVERSATIONS)) {
    it.each([2, 3] as const)(`answers as the real one: ${about}, RESP%d`, async (protocol) => {
      const expected = await run(() => answers(real as { host: string; port: number }, protocol, lines));
      const { value } = await simulate(function* (world) {
        world.net.host('redis', { main: new RedisServer().main });
        return yield* answers({ host: 'redis', port: 6379 }, protocol, lines);
      });
      expect(value).toEqual(expected);
    });
  }

  it('blocks and wakes who waits for an element, the oldest first', async () => {
    function* popping(address: { host: string; port: number }): Op<unknown[]> {
      const links: RespLink[] = [];
      for (let i = 0; i < 3; i += 1) links.push(RespLink.over(yield* connect(address)));
      const [a, b, c] = links as [RespLink, RespLink, RespLink];
      const heard: unknown[] = [];
      try {
        yield* c.write(encode('DEL', [k('jobs')]));
        heard.push(yield* c.reply());
        for (const link of [a, b]) {
          yield* link.write([String(encode('BLPOP', [k('jobs'), 0])), String(encode('ECHO', ['behind it']))]);
          yield* sleep(20);
        }
        yield* c.write(encode('RPUSH', [k('jobs'), 'one', 'two', 'three']));
        heard.push(yield* c.reply());
        for (const link of [a, b]) heard.push(yield* link.reply(), yield* link.reply());
        yield* c.write(encode('LPOP', [k('jobs')]));
        heard.push(yield* c.reply());
      } finally {
        for (const link of links) link.close();
      }
      return heard;
    }
    const expected = await run(() => popping(real as { host: string; port: number }));
    const { value } = await simulate(function* (world) {
      world.net.host('redis', { main: new RedisServer().main });
      return yield* popping({ host: 'redis', port: 6379 });
    });
    expect(value).toEqual(expected);
    expect(value).toEqual([
      0,
      3,
      ['tendril:simulated-redis:jobs', 'one'],
      'behind it',
      ['tendril:simulated-redis:jobs', 'two'],
      'behind it',
      'three',
    ]);
  });
});

describe('The simulated Redis by itself', () => {
  it('wants a password if it has one, and forgets everything in a crash if it is not durable', async () => {
    const { value } = await simulate(function* (world) {
      const kept = new RedisServer({ password: 'secret' });
      const lost = new RedisServer({ durable: false });
      const hosts = [world.net.host('kept', { main: kept.main }), world.net.host('lost', { main: lost.main })];
      const first = yield* answers({ host: 'kept', port: 6379 }, 2, [
        [0, 'GET', 'a'],
        [0, 'AUTH', 'wrong'],
        [0, 'AUTH', 'secret'],
        [0, 'SET', 'a', '1'],
      ]);
      yield* answers({ host: 'lost', port: 6379 }, 2, [[0, 'SET', 'a', '1']]);
      for (const host of hosts) host.crash();
      yield* sleep(100);
      for (const host of hosts) host.restart();
      yield* sleep(0);
      const then = [
        ...(yield* answers({ host: 'kept', port: 6379 }, 2, [
          [0, 'AUTH', 'secret'],
          [0, 'GET', 'a'],
        ])),
        ...(yield* answers({ host: 'lost', port: 6379 }, 2, [[0, 'GET', 'a']])),
      ];
      return [first, then, kept.journal.entries.length, lost.journal.losses];
    });
    expect(value).toEqual([
      ['NOAUTH Authentication required.', 'WRONGPASS invalid username-password pair or user is disabled.', 'OK', 'OK'],
      ['OK', '1', null],
      2,
      [1],
    ]);
  });
});
