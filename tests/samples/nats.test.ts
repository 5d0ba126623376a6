// nats.test.ts: the NATS sample against servers of its own, which the tests kill, and against peers that are none.
import fc from 'fast-check';
import {
  Event,
  framed,
  listen,
  memoryPair,
  type Op,
  run,
  type Socket,
  scope,
  serve,
  sleep,
  spawn,
  timeout,
  until,
} from 'tendril';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeHeaders, readHeaders } from '../../samples/nats/headers.ts';
import { checkSubject, FrameCodec } from '../../samples/nats/protocol.ts';
import { NatsClient, type NatsOptions } from '../../samples/nats.ts';
import { probeProgram } from '../services.ts';
import { codeOf, outcomeOf, withClient } from './outcome.ts';
import { type PrivateServer, startServer } from './private-server.ts';
import { runSample } from './run-sample.ts';
import { expectNothingLeft } from './settled.ts';

const host = '127.0.0.1';
const program = probeProgram('nats-server');
let server: PrivateServer;

function startNats(port?: number, ...more: string[]): Promise<PrivateServer> {
  return startServer(program as string, (at) => ['-a', host, '-p', String(at), ...more], port);
}

function withNats<T>(body: (nats: NatsClient) => Op<T>, options: NatsOptions = {}): Promise<T> {
  return withClient(() => NatsClient.connect({ port: server.port, retryMs: 10, ...options }), body);
}

afterEach(expectNothingLeft);

describe.skipIf(program === undefined)('The NATS client', () => {
  beforeAll(async () => {
    server = await startNats();
  }, 30_000);
  afterAll(() => server?.end());

  it('delivers text, bytes and headers to everybody who subscribed', async () => {
    const seen = await withNats(function* body(nats) {
      const all = yield* nats.subscribe('a.>');
      const one = yield* nats.subscribe('a.*');
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      yield* nats.publish('a.b', 'žluť\r\nPUB c 1\r\n');
      yield* nats.publish('a.b.c', bytes);
      yield* nats.publish('a.b', '', { reply: 'back', headers: new Map([['X-Multi', ['1', 'two: 2']]]) });
      yield* nats.flush();
      const messages = [yield* all.receive(), yield* all.receive(), yield* all.receive()];
      return [
        messages.map(({ subject, data, reply }) => [subject, data.toString('latin1').length, reply]),
        messages[1]?.data.equals(bytes),
        messages[2]?.headers.get('X-Multi'),
        one.length,
        messages[0]?.data.toString(),
      ];
    });
    expect(seen).toEqual([
      [
        ['a.b', 17, undefined],
        ['a.b.c', 256, undefined],
        ['a.b', 0, 'back'],
      ],
      true,
      ['1', 'two: 2'],
      2,
      'žluť\r\nPUB c 1\r\n',
    ]);
  });

  it('gives each message to one of a queue', async () => {
    const counts = await withNats(function* body(nats) {
      const members = [];
      for (let i = 0; i < 3; i += 1) members.push(yield* nats.subscribe('work', { queue: 'q' }));
      for (let i = 0; i < 90; i += 1) yield* nats.publish('work', String(i));
      yield* nats.flush();
      return members.map(({ length }) => length);
    });
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(90);
  });

  it('tells the answers to many requests apart, and forgets those that were given up', async () => {
    const seen = await withNats(function* body(nats) {
      const questions = yield* nats.subscribe('double');
      const go = new Event();
      const answering = spawn(function* answer(): Op<void> {
        yield* go.wait();
        for (;;) {
          const { data, reply } = yield* questions.receive();
          yield* nats.publish(reply as string, String(Number(data) * 2));
          // A second answer is nobody's.
          yield* nats.publish(reply as string, 'again');
        }
      });
      const asked = Array.from({ length: 20 }, (_, i) =>
        spawn(
          outcomeOf<unknown>,
          i === 5 ? nats.request('double', '5', { timeoutMs: 20 }) : nats.request('double', String(i)),
        ),
      );
      yield* sleep(5);
      asked[7]?.kill();
      yield* asked[5]?.join() ?? sleep(0);
      go.set();
      const answers: unknown[] = [];
      for (const each of asked) {
        yield* each.join();
        const outcome = each.outcome as { value?: { data?: Buffer } | string; killed?: boolean };
        answers.push(
          outcome.killed === true
            ? 'killed'
            : typeof outcome.value === 'string'
              ? outcome.value
              : Number(outcome.value?.data),
        );
      }
      answering.kill();
      return answers;
    });
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => (i === 5 ? 'ERR_TIMEOUT' : i === 7 ? 'killed' : i * 2)));
  });

  it('says at once that nobody answers', async () => {
    expect(await withNats((nats) => outcomeOf(nats.request('nobody.there', 'x')))).toBe('ERR_NATS_NO_RESPONDERS');
  });

  it('drops, and counts, what a slow reader has no room for, and keeps everybody else going', async () => {
    const seen = await withNats(function* body(nats) {
      const slow = yield* nats.subscribe('flood', { capacity: 10 });
      const other = yield* nats.subscribe('other');
      for (let i = 0; i < 100; i += 1) yield* nats.publish('flood', String(i));
      yield* nats.publish('other', 'x');
      yield* other.receive();
      const first = yield* slow.receive();
      return [slow.length, slow.dropped, first.data.toString()];
    });
    expect(seen).toEqual([9, 90, '0']);
  });

  it('loses nothing when it drains: a subscription, and the client', async () => {
    const seen = await withNats(function* body(nats) {
      const other = yield* NatsClient.connect({ port: server.port });
      try {
        const some = yield* nats.subscribe('drain.*');
        const more = yield* nats.subscribe('more');
        yield* nats.flush();
        for (let i = 0; i < 500; i += 1) yield* other.publish(i % 2 === 0 ? 'drain.a' : 'more', String(i));
        yield* other.flush();
        yield* some.drain();
        const outcome = yield* outcomeOf(nats.drain());
        const late = yield* outcomeOf(nats.publish('a', 'b'));
        return [some.length, some.closed, more.length, outcome, nats.closed, late];
      } finally {
        other.close();
      }
    });
    expect(seen).toEqual([250, true, 250, undefined, true, 'ERR_CLOSED']);
  });

  it('stops what a closed subscription would have got', async () => {
    const seen = await withNats(function* body(nats) {
      const one = yield* nats.subscribe('stop');
      const two = yield* nats.subscribe('stop');
      yield* nats.publish('stop', '1');
      yield* nats.flush();
      one.close();
      yield* two.unsubscribe();
      for (let i = 0; i < 3; i += 1) yield* nats.publish('stop', '2');
      yield* nats.flush();
      const end = yield* outcomeOf(
        (function* drained(): Op<void> {
          yield* one.receive();
          yield* one.receive();
        })(),
      );
      return [one.length, two.length, end];
    });
    expect(seen).toEqual([0, 1, 'ERR_CHANNEL_CLOSED']);
  });

  it('refuses what is no subject, no header or too large, before anything is sent', async () => {
    const seen = await withNats(function* body(nats) {
      const outcomes: unknown[] = [];
      for (const op of [
        nats.publish('a b', 'x'),
        nats.publish('a\r\nPUB b 0', ''),
        nats.publish('a.*', 'x'),
        nats.publish('a..b', 'x'),
        nats.publish('', 'x'),
        nats.publish('a', 'x', { reply: 'b c' }),
        nats.publish('a', 'x', { headers: { 'a:b': 'c' } }),
        nats.publish('a', 'x', { headers: { a: 'c\r\nd: e' } }),
        nats.publish('a', 5 as never),
        nats.subscribe('a.>.b'),
        nats.subscribe('a', { queue: 'b 2\r\nPUB x 0' }),
        nats.subscribe('a', { capacity: 0 }),
        nats.publish('a', new Uint8Array(2_000_000)),
      ])
        outcomes.push(yield* outcomeOf<unknown>(op));
      yield* nats.flush();
      return [...outcomes, nats.reconnects];
    });
    expect(seen).toEqual([...Array.from({ length: 12 }, () => 'ERR_INVALID_ARG_VALUE'), 'ERR_OUT_OF_RANGE', 0]);
  });

  it('is told by the server that the password is wrong, or that something is not permitted', async () => {
    const guarded = await startNats(undefined, '--user', 'ada', '--pass', 'secret');
    try {
      const { port } = guarded;
      const outcomes = await run(function* test(): Op<unknown[]> {
        const refused = yield* outcomeOf(NatsClient.connect({ port, user: 'ada', password: 'no' }));
        const nats = yield* NatsClient.connect({ port, user: 'ada', password: 'secret' });
        nats.close();
        return [refused, nats.closed];
      });
      expect(outcomes).toEqual(['ERR_NATS', true]);
    } finally {
      await guarded.end();
    }
  });

  it('subscribes again on a new connection; who waited for an answer is told', async () => {
    let mortal = await startNats();
    const { port } = mortal;
    try {
      const seen = await withNats(
        function* body(nats) {
          const news = yield* nats.subscribe('news');
          yield* nats.subscribe('silence');
          const asking = spawn(outcomeOf<unknown>, nats.request('silence', 'x', { timeoutMs: 10_000 }));
          const flushing = spawn(outcomeOf<unknown>, nats.flush());
          yield* flushing.get();
          yield* until(mortal.end());
          const lost = yield* asking.get();
          // Whoever publishes now waits.
          const publishing = spawn(outcomeOf<unknown>, nats.publish('news', 'late'));
          mortal = yield* until(startNats(port));
          yield* publishing.get();
          yield* nats.flush();
          const { data } = yield* news.receive();
          return [lost, data.toString(), nats.reconnects];
        },
        { port },
      );
      expect(seen).toEqual([expect.stringMatching(/^ERR_NATS_CONNECTION|ECONNRESET$/), 'late', 1]);
    } finally {
      await mortal.end();
    }
  });

  it('gives up when the server does not come back', async () => {
    const mortal = await startNats();
    const seen = await withNats(
      function* body(nats) {
        const news = yield* nats.subscribe('news');
        yield* nats.flush();
        yield* until(mortal.end());
        const end = yield* outcomeOf(news.receive());
        return [end, yield* outcomeOf(nats.publish('a')), nats.closed];
      },
      { port: mortal.port, outageMs: 50 },
    );
    expect(seen).toEqual(['ERR_CHANNEL_CLOSED', 'ECONNREFUSED', true]);
  });

  it('survives kills at any moment of many short conversations', async () => {
    const seen = await withNats(function* body(nats) {
      const echo = yield* nats.subscribe('echo');
      const answering = spawn(function* answer(): Op<void> {
        for (;;) {
          const { data, reply } = yield* echo.receive();
          yield* nats.publish(reply as string, data);
        }
      });
      for (let i = 0; i < 50; i += 1) {
        const victim = spawn(function* victim(): Op<void> {
          for (;;) {
            const other = yield* nats.subscribe('other');
            yield* nats.request('echo', 'victim');
            yield* nats.flush();
            yield* other.unsubscribe();
          }
        });
        for (let turns = 0; turns < (i * 7) % 30; turns += 1) yield* sleep(0);
        victim.kill();
        yield* victim.join();
        const { data } = yield* nats.request('echo', String(i));
        if (data.toString() !== String(i)) return `round ${i}: ${data}`;
      }
      answering.kill();
      return nats.reconnects;
    });
    expect(seen).toBe(0);
  });

  it('runs as a program, and says what is missing', { timeout: 60_000 }, async () => {
    const [good, bad] = await Promise.all([runSample('nats', String(server.port)), runSample('nats', '1')]);
    expect(good).toEqual({
      status: 0,
      stdout: `news.bread: rye is out
an answer: 1 x rye
an answer: 2 x wheat
an answer: 3 x spelt
ERR_NATS_NO_RESPONDERS: nobody answers requests to .orders
`,
      stderr: '',
    });
    expect(bad).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'No NATS answers: connect to 127.0.0.1:1 failed: ECONNREFUSED 127.0.0.1:1. Start one with: nats-server -a 127.0.0.1\n',
    });
  });
});

const info = 'INFO {"version":"2","max_payload":1000,"headers":true}\r\n';

/** Run `body` beside a server that does with a connection what `handler` does. */
function withPeer<T>(handler: (socket: Socket) => Op<void>, body: (port: number) => Op<T>): Promise<T> {
  return run(function* test(): Op<T> {
    const listener = yield* listen({ host, port: 0 });
    return yield* scope(function* beside(s): Op<T> {
      const peer = s.spawn(serve, listener, handler, { graceMs: 0 });
      try {
        return yield* timeout(10_000, body(listener.address.port));
      } finally {
        peer.kill();
        listener.close();
      }
    });
  });
}

/** Answer the greeting, then do as `next` says. */
function greeting(next: (socket: Socket) => Op<void>): (socket: Socket) => Op<void> {
  return function* handler(socket): Op<void> {
    yield* socket.write(info);
    for (let line = yield* socket.readLine(); line !== 'PING'; line = yield* socket.readLine())
      if (line === null) return;
    yield* socket.write('PONG\r\n');
    yield* next(socket);
  };
}

describe('A peer that is no NATS', () => {
  it.for([
    ['says nothing of itself', 'PING\r\n', 'ERR_NATS_PROTOCOL'],
    ['speaks HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'ERR_DECODE'],
    ['sends broken JSON', 'INFO {\r\n', 'ERR_DECODE'],
    ['sends no JSON object', 'INFO null\r\n', 'ERR_DECODE'],
    ['wants TLS', 'INFO {"version":"2","max_payload":1,"tls_required":true}\r\n', 'ERR_NATS'],
    ['never ends its line', 'x'.repeat(70_000), 'ERR_FRAME_TOO_LARGE'],
    ['closes', '', 'ERR_NATS_PROTOCOL'],
    ['refuses', `${info}-ERR 'Authorization Violation'\r\n`, 'ERR_NATS'],
  ])('is refused when it %s', async ([, says, code]) => {
    const outcome = await withPeer(
      function* handler(socket): Op<void> {
        yield* socket.write(says as string);
        yield* socket.closeGracefully();
      },
      (port) => outcomeOf<unknown>(NatsClient.connect({ port })),
    );
    expect(outcome).toBe(code);
  });

  it('is asked for a sign of life when it is silent, and given up', async () => {
    const asked: string[] = [];
    const outcome = await withPeer(
      greeting(function* silent(socket): Op<void> {
        for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) asked.push(line);
      }),
      function* body(port): Op<unknown> {
        const nats = yield* NatsClient.connect({ port, pingMs: 20, outageMs: 0 });
        const news = yield* nats.subscribe('a');
        return yield* outcomeOf(news.receive());
      },
    );
    expect([outcome, asked]).toEqual(['ERR_CHANNEL_CLOSED', ['SUB a 2', 'PING']]);
  });

  it('cannot confuse the client, whatever it sends and however that is cut', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'MSG a 2 3\r\nabc\r\n',
        'HMSG a 2 12 12\r\nNATS/1.0\r\n\r\n\r\n',
        'PONG\r\n',
        '+OK\r\n',
        "-ERR 'x'\r\n",
        'PING\r\n',
      ),
      fc.constantFrom(
        'MSG a 2 -1\r\n',
        'MSG a 2 99999999999\r\n',
        'MSG a 2 9999999999\r\n',
        'HMSG a 2 5 3\r\n',
        'MSG\r\n',
        'HMSG a 2 3 3\r\nabc\r\n',
        'INFO\r\n',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
    );
    let said = { bytes: Buffer.alloc(0), cut: 0 };
    await withPeer(
      greeting(function* fuzz(socket): Op<void> {
        yield* socket.readLine(); // the subscription
        const { bytes, cut } = said;
        yield* socket.write(bytes.subarray(0, cut));
        yield* socket.flush();
        yield* socket.write(bytes.subarray(cut));
        yield* socket.closeGracefully({ lingerMs: 100 });
      }),
      function* body(port): Op<void> {
        yield* until(
          fc.assert(
            fc.asyncProperty(fc.array(piece, { maxLength: 5 }), fc.nat(40), async (pieces, cut) => {
              said = { bytes: Buffer.from(pieces.join('')), cut };
              const outcome = await run(function* one(): Op<unknown> {
                const nats = yield* NatsClient.connect({ port, outageMs: 0 });
                const news = yield* nats.subscribe('a');
                try {
                  for (;;) yield* timeout(5_000, news.receive());
                } catch (error) {
                  return codeOf(error);
                } finally {
                  nats.close();
                }
              });
              expect(outcome).toBe('ERR_CHANNEL_CLOSED');
            }),
            { numRuns: 100, seed: 5 },
          ),
        );
      },
    );
  });
});

describe('What is put on the wire', () => {
  const anyWord = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({
      unit: fc.constantFrom(' ', '\r', '\n', '\0', '\t', '.', '*', '>', 'a', 'ž', '\u2028', '\ud800'),
      maxLength: 8,
    }),
  );

  it('has each subject as one word, and each header as one header', () => {
    fc.assert(
      fc.property(anyWord, anyWord, fc.boolean(), (one, other, mayMatch) => {
        try {
          expect(
            Buffer.from(`PUB ${checkSubject(one, mayMatch)} 0\r\n`)
              .toString('latin1')
              .split(/[ \t\r\n\0]+/),
          ).toHaveLength(4);
          expect(Buffer.from(one).toString()).toBe(one);
        } catch (error) {
          expect(codeOf(error)).toBe('ERR_INVALID_ARG_VALUE');
        }
        try {
          const { headers } = readHeaders(encodeHeaders({ [one]: other }));
          expect([...headers]).toEqual([[one, [other]]]);
        } catch (error) {
          expect(codeOf(error)).toBe('ERR_INVALID_ARG_VALUE');
        }
      }),
      { numRuns: 400, seed: 5 },
    );
  });

  it('is read alike at each place where it can be cut', async () => {
    const bytes = Buffer.from(
      'MSG a.b 7 back 5\r\nx\r\ny\n\r\nHMSG c 8 17 19\r\nNATS/1.0\r\nA:1\r\n\r\nhi\r\nPING\r\n',
    );
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const frames = await run(function* test(): Op<unknown[]> {
        const [near, far] = memoryPair();
        const reading = framed(near, new FrameCodec(100));
        yield* far.write(bytes.subarray(0, cut));
        yield* far.flush();
        const first = spawn(() => reading.receive());
        yield* sleep(0);
        yield* far.write(bytes.subarray(cut));
        const all = [yield* first.get(), yield* reading.receive(), yield* reading.receive()];
        near.close();
        far.close();
        return all;
      });
      expect(frames).toEqual([
        {
          op: 'MSG',
          sid: 7,
          message: { subject: 'a.b', reply: 'back', header: undefined, data: Buffer.from('x\r\ny\n') },
        },
        {
          op: 'MSG',
          sid: 8,
          message: {
            subject: 'c',
            reply: undefined,
            header: Buffer.from('NATS/1.0\r\nA:1\r\n\r\n'),
            data: Buffer.from('hi'),
          },
        },
        { op: 'PING' },
      ]);
    }
  });
});
