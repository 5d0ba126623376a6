// mqtt.test.ts: the MQTT sample against servers of its own, which the tests kill, and against peers that are none.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { PacketCodec, packet, publishPacket } from '../../samples/mqtt/packets.ts';
import { checkFilter, checkTopic, matches } from '../../samples/mqtt/topics.ts';
import { MqttClient, type MqttOptions, MqttSession, type Qos } from '../../samples/mqtt.ts';
import { probeProgram } from '../services.ts';
import { codeOf, outcomeOf, withClient } from './outcome.ts';
import { type PrivateServer, startServer } from './private-server.ts';
import { runSample } from './run-sample.ts';
import { expectNothingLeft } from './settled.ts';

const host = '127.0.0.1';
const program = probeProgram('mosquitto');
const folder = mkdtempSync(join(tmpdir(), 'tendril-mqtt-'));
let server: PrivateServer;

function startMosquitto(port?: number, ...settings: string[]): Promise<PrivateServer> {
  return startServer(
    program as string,
    (at) => {
      const path = join(folder, `${at}.conf`);
      const asRoot = process.getuid?.() === 0 ? ['user root'] : [];
      // With a window of few messages this server at times keeps one back that it has room for.
      const lines = [
        'max_inflight_messages 0',
        `listener ${at} ${host}`,
        'allow_anonymous true',
        ...asRoot,
        ...settings,
      ];
      writeFileSync(path, `${lines.join('\n')}\n`);
      return ['-c', path];
    },
    port,
  );
}

function withMqtt<T>(body: (mqtt: MqttClient) => Op<T>, options: MqttOptions = {}): Promise<T> {
  return withClient(() => MqttClient.connect({ port: server.port, ...options }), body);
}

afterEach(expectNothingLeft);

describe.skipIf(program === undefined)('The MQTT client', () => {
  beforeAll(async () => {
    server = await startMosquitto();
  }, 30_000);
  afterAll(async () => {
    await server?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it.for([0, 1, 2] as const)('delivers text and bytes with a QoS of %i, in order', async (qos) => {
    const seen = await withMqtt(function* body(mqtt) {
      const messages = yield* mqtt.subscribe(`in/order/${qos}`, { qos: 2 });
      const bytes = Uint8Array.from({ length: 300 }, (_, i) => i);
      yield* mqtt.publish(`in/order/${qos}`, 'žluť 🍞', { qos });
      yield* mqtt.publish(`in/order/${qos}`, bytes, { qos });
      yield* mqtt.publish(`in/order/${qos}`, '', { qos });
      for (let i = 0; i < 50; i += 1) yield* mqtt.publish(`in/order/${qos}`, String(i), { qos });
      const got: Buffer[] = [];
      for (let i = 0; i < 53; i += 1) {
        const { payload, qos: given } = yield* messages.receive();
        if (given !== qos) throw new Error(`QoS ${given}`);
        got.push(payload);
      }
      return [got[0]?.toString(), got[1]?.equals(bytes), got[2]?.length, got.slice(3).join(' ')];
    });
    expect(seen).toEqual(['žluť 🍞', true, 0, Array.from({ length: 50 }, (_, i) => i).join(' ')]);
  });

  it('lets many greenlets publish and subscribe at once', async () => {
    const sum = await withMqtt(function* body(mqtt) {
      const messages = yield* mqtt.subscribe('crowd/#', { qos: 1, capacity: 5_000 });
      yield* scope(function* crowd(s): Op<void> {
        for (let i = 0; i < 100; i += 1)
          s.spawn(function* member(): Op<void> {
            for (let n = 0; n < 5; n += 1) yield* mqtt.publish(`crowd/${i}`, String(i), { qos: ((i + n) % 3) as Qos });
          });
      });
      let total = 0;
      for (let i = 0; i < 500; i += 1) total += Number((yield* messages.receive()).payload);
      return total;
    });
    expect(sum).toBe((5 * 99 * 100) / 2);
  });

  it('gives what the server kept, and ends a subscription when the server has confirmed it', async () => {
    const seen = await withMqtt(function* body(mqtt) {
      yield* mqtt.publish('kept', 'old', { retain: true, qos: 1 });
      const first = yield* mqtt.subscribe('kept');
      const message = yield* first.receive();
      const second = yield* mqtt.subscribe('kept');
      yield* first.unsubscribe();
      yield* mqtt.publish('kept', 'new', { qos: 1 });
      const order = [(yield* second.receive()).payload.toString(), (yield* second.receive()).payload.toString()];
      yield* second.unsubscribe();
      yield* mqtt.publish('kept', '', { retain: true, qos: 1 });
      return [message.payload.toString(), message.retain, order, first.closed, second.length];
    });
    expect(seen).toEqual(['old', true, ['old', 'new'], true, 0]);
  });

  it('holds the server back when a reader is slow, and loses nothing; with a QoS of 0 it drops and counts', async () => {
    const seen = await withMqtt(function* body(mqtt) {
      const other = yield* MqttClient.connect({ port: server.port });
      const sure = yield* mqtt.subscribe('slow/sure', { qos: 2, capacity: 2 });
      const fast = yield* mqtt.subscribe('slow/fast', { capacity: 2 });
      for (let i = 0; i < 60; i += 1) yield* other.publish('slow/sure', String(i), { qos: ((i % 2) + 1) as Qos });
      for (let i = 0; i < 10; i += 1) yield* other.publish('slow/fast', String(i));
      yield* other.publish('slow/sure', 'last', { qos: 2 });
      yield* other.disconnect();
      while (fast.dropped < 8) yield* sleep(1);
      const got: string[] = [];
      while (got.at(-1) !== 'last') got.push((yield* sure.receive()).payload.toString());
      return [got, fast.length, fast.dropped];
    });
    expect(seen).toEqual([[...Array.from({ length: 60 }, (_, i) => String(i)), 'last'], 2, 8]);
  });

  it('has its will published when it goes without a goodbye, and only then', async () => {
    const seen = await withMqtt(function* body(mqtt) {
      const wills = yield* mqtt.subscribe('will/+', { qos: 1 });
      const will = (name: string): MqttOptions => ({
        port: server.port,
        will: { topic: `will/${name}`, payload: name },
      });
      const polite = yield* MqttClient.connect(will('polite'));
      const rude = yield* MqttClient.connect(will('rude'));
      yield* polite.disconnect();
      rude.close();
      const { topic, payload } = yield* wills.receive();
      return [topic, payload.toString(), wills.length];
    });
    expect(seen).toEqual(['will/rude', 'rude', 0]);
  });

  it('refuses what is no topic, filter or payload, before anything is sent', async () => {
    const seen = await withMqtt(function* body(mqtt) {
      const outcomes: unknown[] = [];
      for (const op of [
        mqtt.publish('', 'x'),
        mqtt.publish('a/+', 'x'),
        mqtt.publish('a#', 'x'),
        mqtt.publish('a\0b', 'x'),
        mqtt.publish('a\ud800', 'x'),
        mqtt.publish('x'.repeat(65_536), 'x'),
        mqtt.publish('a', 5 as never),
        mqtt.publish('a', 'x', { qos: 3 as never }),
        mqtt.subscribe('a/#/b'),
        mqtt.subscribe('a+'),
        mqtt.subscribe(''),
        mqtt.subscribe('a', { capacity: 0 }),
        MqttClient.connect({ port: server.port, clientId: 'a\nb' }),
        MqttClient.connect({ port: server.port, keepAliveMs: 0 }),
        MqttClient.connect({ port: server.port, session: new MqttSession() }),
        MqttClient.connect({ port: server.port, password: 'x' }),
        MqttClient.connect({ port: server.port, will: { topic: '#', payload: '' } }),
      ])
        outcomes.push(yield* outcomeOf<unknown>(op));
      yield* mqtt.publish('still/there', 'x', { qos: 2 });
      return outcomes;
    });
    expect(seen).toEqual(Array.from({ length: 17 }, () => 'ERR_INVALID_ARG_VALUE'));
  });

  it('survives kills at any moment of many conversations', async () => {
    const seen = await withMqtt(function* body(mqtt) {
      const mine = yield* mqtt.subscribe('mine', { qos: 2 });
      for (let i = 0; i < 50; i += 1) {
        const victim = spawn(function* victim(): Op<void> {
          for (;;) {
            const other = yield* mqtt.subscribe('other', { qos: 2 });
            yield* mqtt.publish('other', 'x', { qos: 2 });
            yield* mqtt.publish('other', 'x', { qos: 1 });
            yield* other.unsubscribe();
          }
        });
        for (let turns = 0; turns < (i * 7) % 40; turns += 1) yield* sleep(0);
        victim.kill();
        yield* victim.join();
        yield* mqtt.publish('mine', String(i), { qos: 2 });
        const { payload } = yield* mine.receive();
        if (payload.toString() !== String(i)) return `round ${i}: ${payload}`;
      }
      return mqtt.closed;
    });
    expect(seen).toBe(false);
  });

  it('is told by the server that it may not come in', async () => {
    const guarded = await startMosquitto(undefined, 'allow_anonymous false');
    try {
      const outcome = await run(() =>
        outcomeOf(MqttClient.connect({ port: guarded.port, username: 'ada', password: 'x' })),
      );
      expect(outcome).toBe('ERR_MQTT');
    } finally {
      await guarded.end();
    }
  });

  it('fails everybody who waits when the server is killed', async () => {
    const mortal = await startMosquitto();
    const seen = await withMqtt(
      function* body(mqtt) {
        const messages = yield* mqtt.subscribe('a');
        const receiving = spawn(outcomeOf<unknown>, messages.receive());
        const publishing = spawn(function* publish(): Op<string> {
          try {
            for (;;) yield* mqtt.publish('b', 'x', { qos: 2 });
          } catch (error) {
            return codeOf(error);
          }
        });
        yield* sleep(5);
        yield* until(mortal.end());
        return [yield* receiving.get(), yield* publishing.get(), mqtt.closed, yield* outcomeOf(mqtt.subscribe('c'))];
      },
      { port: mortal.port },
    );
    const lost = expect.stringMatching(/^(ERR_MQTT_CONNECTION|ECONNRESET|EPIPE)$/);
    expect(seen).toEqual(['ERR_CHANNEL_CLOSED', lost, true, lost]);
  });

  it('takes up with a session what the last connection left: messages that came meanwhile', async () => {
    const session = new MqttSession();
    const options = { clientId: `with-session-${process.pid}`, session };
    const seen = await withMqtt(function* body(other) {
      const first = yield* MqttClient.connect({ port: server.port, ...options });
      const before = yield* first.subscribe('session/a', { qos: 2, capacity: 1 });
      for (let i = 0; i < 3; i += 1) yield* other.publish('session/a', String(i), { qos: 2 });
      const one = (yield* before.receive()).payload.toString();
      while (before.length === 0) yield* sleep(1);
      first.close();
      yield* other.publish('session/a', '3', { qos: 2 });
      const second = yield* MqttClient.connect({ port: server.port, ...options });
      const after = yield* second.subscribe('session/a', { qos: 2 });
      const rest: string[] = [];
      while (rest.at(-1) !== '3') rest.push((yield* after.receive()).payload.toString());
      yield* second.disconnect();
      return [one, (yield* before.receive()).payload.toString(), rest.slice(-2)];
    });
    expect(seen).toEqual(['0', '1', ['2', '3']]);
  });

  it('runs as a program, and says what is missing', { timeout: 60_000 }, async () => {
    const [good, bad] = await Promise.all([runSample('mqtt', String(server.port)), runSample('mqtt', '1')]);
    expect(good).toEqual({
      status: 0,
      stdout: `oven/light: on (QoS 0)
oven/degrees: 220 (QoS 1)
oven/bread: rye (QoS 2)
its will: the oven has gone without a goodbye
`,
      stderr: '',
    });
    expect(bad).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'No MQTT server answers: connect to 127.0.0.1:1 failed: ECONNREFUSED 127.0.0.1:1. Start one with: mosquitto -p 1883\n',
    });
  });
});

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

/** A packet of a client: its first byte and its body. */
function* readPacket(socket: Socket): Op<{ head: number; body: Buffer } | null> {
  const first = yield* socket.read(1);
  if (first === null) return null;
  let length = 0;
  for (let shift = 1; ; shift *= 128) {
    const byte = (yield* socket.readExactly(1))[0] as number;
    length += (byte & 127) * shift;
    if (byte < 128) return { head: first[0] as number, body: yield* socket.readExactly(length) };
  }
}

const connack = (present: boolean): Buffer => packet(2, 0, Uint8Array.of(present ? 1 : 0, 0));

describe('A peer of a test', () => {
  it.for([
    ['closes', '', 'ERR_MQTT_CONNECTION'],
    ['speaks HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'ERR_INCOMPLETE_READ'],
    ['announces 256 MiB', '\x30\xff\xff\xff\x7f', 'ERR_FRAME_TOO_LARGE'],
    ['never ends its length', '\x30\xff\xff\xff\xff\xff', 'ERR_DECODE'],
    ['sends a message before the greeting', '\x30\x03\x00\x01a', 'ERR_MQTT_PROTOCOL'],
    ['ends inside the greeting', '\x20\x02\x00', 'ERR_INCOMPLETE_READ'],
    ['sends flags that are none', '\x21\x02\x00\x00', 'ERR_DECODE'],
    ['refuses', '\x20\x02\x00\x05', 'ERR_MQTT'],
  ])('is refused when it %s', async ([, says, code]) => {
    const outcome = await withPeer(
      function* handler(socket): Op<void> {
        yield* socket.write(Buffer.from(says as string, 'latin1'));
        yield* socket.closeGracefully();
      },
      (port) => outcomeOf<unknown>(MqttClient.connect({ port })),
    );
    expect(outcome).toBe(code);
  });

  it('is pinged as long as it answers', async () => {
    let pings = 0;
    const open = await withPeer(
      function* answering(socket): Op<void> {
        yield* readPacket(socket);
        yield* socket.write(connack(false));
        while ((yield* readPacket(socket)) !== null) {
          pings += 1;
          yield* socket.write(packet(13, 0));
        }
      },
      function* body(port): Op<unknown> {
        const mqtt = yield* MqttClient.connect({ port, keepAliveMs: 600 });
        while (pings < 4 && !mqtt.closed) yield* sleep(5);
        const open = !mqtt.closed;
        mqtt.close();
        return open;
      },
    );
    expect(open).toBe(true);
  });

  it('is given up when it does not answer pings', async () => {
    const pings: number[] = [];
    const outcome = await withPeer(
      function* silent(socket): Op<void> {
        yield* readPacket(socket);
        yield* socket.write(connack(false));
        for (let next = yield* readPacket(socket); next !== null; next = yield* readPacket(socket))
          pings.push(next.head);
      },
      function* body(port): Op<unknown> {
        const mqtt = yield* MqttClient.connect({ port, keepAliveMs: 40 });
        return yield* outcomeOf<unknown>(mqtt.subscribe('a'));
      },
    );
    expect([outcome, pings[0], pings.at(-1)]).toEqual(['ERR_MQTT_CONNECTION', 0x82, 0xc0]);
  });

  it('that sends a message again with a QoS of 2 gives it once, and each try is confirmed', async () => {
    const heard: number[] = [];
    const seen = await withPeer(
      function* handler(socket): Op<void> {
        yield* readPacket(socket);
        yield* socket.write(connack(false));
        const { body } = (yield* readPacket(socket)) as { body: Buffer };
        yield* socket.write(packet(9, 0, body.subarray(0, 2), Uint8Array.of(2)));
        const publish = publishPacket('a', Buffer.from('once'), 2, false, 7);
        const again = Buffer.from(publish);
        again[0] = (again[0] as number) | 8;
        for (const bytes of [
          publish,
          again,
          packet(6, 2, Uint8Array.of(0, 7)),
          publishPacket('a', Buffer.from('next'), 2, false, 7),
        ])
          yield* socket.write(bytes);
        for (let next = yield* readPacket(socket); next !== null; next = yield* readPacket(socket))
          heard.push(next.head >> 4);
      },
      function* body(port): Op<unknown> {
        const mqtt = yield* MqttClient.connect({ port });
        const messages = yield* mqtt.subscribe('a', { qos: 2 });
        const got = [(yield* messages.receive()).payload.toString(), (yield* messages.receive()).payload.toString()];
        while (heard.length < 4) yield* sleep(1);
        mqtt.close();
        return got;
      },
    );
    expect([seen, heard]).toEqual([
      ['once', 'next'],
      [5, 5, 7, 5],
    ]);
  });

  it('that goes in the middle of a handshake gets the rest of it from the next connection, marked as sent before', async () => {
    const heard: string[][] = [];
    const gone = new Event();
    await withPeer(
      function* handler(socket): Op<void> {
        const log: string[] = [];
        heard.push(log);
        yield* readPacket(socket);
        yield* socket.write(connack(heard.length > 1));
        for (;;) {
          const next = yield* readPacket(socket);
          if (next === null) return;
          const type = next.head >> 4;
          const body = type === 3 ? next.body.subarray(5) : next.body;
          log.push(`${next.head.toString(16)} ${type === 3 ? body.toString() : body.readUInt16BE()}`);
          const id = type === 3 ? next.body.subarray(3, 5) : next.body;
          if (heard.length === 1) {
            // The first publication is received, the second is not even that.
            if (log.length === 1) yield* socket.write(packet(5, 0, id));
            if (log.length === 3) return;
          } else {
            yield* socket.write(packet(type === 6 ? 7 : 5, 0, id));
            if (log.length === 3) gone.set();
          }
        }
      },
      function* body(port): Op<void> {
        const session = new MqttSession();
        const options = { port, clientId: 'ada', session };
        const first = yield* MqttClient.connect(options);
        const one = spawn(outcomeOf<unknown>, first.publish('a', 'one', { qos: 2 }));
        while (heard[0]?.length !== 2) yield* sleep(1);
        const two = spawn(outcomeOf<unknown>, first.publish('a', 'two', { qos: 2 }));
        expect([yield* one.get(), yield* two.get()]).toEqual(['ERR_MQTT_CONNECTION', 'ERR_MQTT_CONNECTION']);
        expect(session.outgoing.size).toBe(2);
        const second = yield* MqttClient.connect(options);
        yield* gone.wait();
        while (session.outgoing.size > 0) yield* sleep(1);
        second.close();
      },
    );
    expect(heard).toEqual([
      ['34 one', '62 1', '34 two'],
      ['62 1', '3c two', '62 2'],
    ]);
  });

  it('cannot confuse the client, whatever it sends and however that is cut', async () => {
    const anyPacket = fc
      .tuple(fc.integer({ min: 2, max: 15 }), fc.constantFrom(0, 0, 2, 4, 15), fc.uint8Array({ maxLength: 6 }))
      .map(([type, flags, body]) => packet(type, flags, body));
    const proper = fc.constantFrom(
      publishPacket('a', Buffer.from('x'), 0, false, 0),
      publishPacket('a', Buffer.from('x'), 1, false, 1),
      publishPacket('a', Buffer.from('x'), 2, false, 2),
      ...[4, 5, 7, 11].map((type) => packet(type, 0, Uint8Array.of(0, 2))),
    );
    const piece = fc.oneof(
      proper,
      anyPacket,
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    );
    let said = { bytes: Buffer.alloc(0), cut: 0 };
    await withPeer(
      function* handler(socket): Op<void> {
        yield* readPacket(socket);
        yield* socket.write(connack(false));
        const { body } = (yield* readPacket(socket)) as { body: Buffer };
        yield* socket.write(packet(9, 0, body.subarray(0, 2), Uint8Array.of(2)));
        const { bytes, cut } = said;
        yield* socket.write(bytes.subarray(0, cut));
        yield* socket.flush();
        yield* socket.write(bytes.subarray(cut));
        yield* socket.closeGracefully({ lingerMs: 100 });
      },
      function* body(port): Op<void> {
        yield* until(
          fc.assert(
            fc.asyncProperty(fc.array(piece, { maxLength: 5 }), fc.nat(20), async (pieces, cut) => {
              said = { bytes: Buffer.concat(pieces), cut };
              const outcome = await run(function* one(): Op<unknown> {
                const mqtt = yield* MqttClient.connect({ port });
                try {
                  const messages = yield* mqtt.subscribe('#', { qos: 2 });
                  for (;;) yield* timeout(5_000, messages.receive());
                } catch (error) {
                  return codeOf(error);
                } finally {
                  mqtt.close();
                }
              });
              // The suback may be followed by the end before subscribe() has looked.
              expect(['ERR_CHANNEL_CLOSED', 'ERR_MQTT_CONNECTION', 'ERR_DECODE', 'ERR_FRAME_TOO_LARGE']).toContain(
                outcome,
              );
            }),
            { numRuns: 100, seed: 5 },
          ),
        );
      },
    );
  });
});

describe('Topics', () => {
  it('match as the specification says', () => {
    const table: [string, string, boolean][] = [
      ['a/b', 'a/b', true],
      ['a/b', 'a/b/c', false],
      ['a/+', 'a/b', true],
      ['a/+', 'a', false],
      ['a/+', 'a/', true],
      ['+/+', '/a', true],
      ['+', '/a', false],
      ['a/#', 'a', true],
      ['a/#', 'a/b/c', true],
      ['#', 'a/b', true],
      ['#', '$SYS/a', false],
      ['+/a', '$SYS/a', false],
      ['$SYS/#', '$SYS/a', true],
      ['$share/g/a/+', 'a/b', true],
    ];
    expect(table.map(([filter, topic]) => matches(filter, topic))).toEqual(table.map(([, , expected]) => expected));
  });

  it('arrive as they were, or were refused', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ unit: fc.constantFrom('/', '+', '#', '\0', '\n', '\ud800', '\uffff', 'a', 'ž'), maxLength: 8 }),
    );
    fc.assert(
      fc.property(anyText, fc.uint8Array({ maxLength: 20 }), fc.constantFrom(0, 1, 2), (topic, payload, qos) => {
        try {
          const bytes = publishPacket(checkTopic(topic), payload, qos as Qos, false, 5);
          const size = Buffer.byteLength(topic);
          expect(bytes[1]).toBe(bytes.length - 2);
          expect(bytes.readUInt16BE(2)).toBe(size);
          expect(bytes.toString('utf8', 4, 4 + size)).toBe(topic);
          expect([...bytes.subarray(4 + size + (qos === 0 ? 0 : 2))]).toEqual([...payload]);
        } catch (error) {
          expect(codeOf(error)).toBe('ERR_INVALID_ARG_VALUE');
          expect(topic === '' || /[+#\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]/u.test(topic)).toBe(true);
        }
      }),
      { numRuns: 500, seed: 3 },
    );
    expect(() => checkFilter('a/b#')).toThrow('no filter');
  });

  it('are read alike at each place where a packet can be cut', async () => {
    const bytes = Buffer.concat([publishPacket('a/b', Buffer.alloc(200, 7), 1, true, 9), packet(13, 0)]);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const got = await run(function* test(): Op<unknown[]> {
        const [near, far] = memoryPair();
        const packets = framed(near, new PacketCodec(1_000));
        const first = spawn(() => packets.receive());
        yield* far.write(bytes.subarray(0, cut));
        yield* far.flush();
        yield* sleep(0);
        yield* far.write(bytes.subarray(cut));
        const all = [yield* first.get(), yield* packets.receive()];
        near.close();
        far.close();
        return all;
      });
      expect(got).toEqual([
        { type: 'publish', topic: 'a/b', payload: Buffer.alloc(200, 7), qos: 1, retain: true, dup: false, id: 9 },
        { type: 'pingresp' },
      ]);
    }
  });
});
