// datagram-server.test.ts: a server of datagrams, on real loopback and on the simulated network: handlers, limits, and how it stops.
import {
  type Datagram,
  DatagramServer,
  type DatagramServerOptions,
  type DatagramSocket,
  Event,
  GreenletKilledError,
  hub,
  type Op,
  run,
  ServerClosedError,
  shield,
  sleep,
  spawn,
  UsageError,
  udp,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { grounds } from './grounds.ts';
import { failure, nothingLeft } from './peers.ts';

const host = '127.0.0.1';

function* echo({ bytes, from }: Datagram, socket: DatagramSocket): Op<void> {
  yield* socket.send(`echo ${bytes}`, from);
}

function* when(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(1);
}

type Handler = (datagram: Datagram, socket: DatagramSocket) => Op<unknown>;

/** A started server and a client connected to it, both closed afterwards. */
function* serving(
  handler: Handler,
  options: DatagramServerOptions,
  body: (server: DatagramServer, client: DatagramSocket) => Op<unknown>,
): Op<void> {
  const server = new DatagramServer({ host }, handler, options);
  yield* server.start();
  const client = yield* udp({ host, remote: server.address });
  try {
    yield* body(server, client);
  } finally {
    client.close();
    yield* shield(server.stop({ graceMs: 0 }));
  }
  expect([server.state, server.stats.active]).toEqual(['stopped', 0]);
}

describe.each(grounds)('DatagramServer on %s', (_name, play) => {
  it('handles each datagram in a greenlet of its own, from start() to stop()', () =>
    play(function* () {
      const server = new DatagramServer({ host }, echo);
      expect([server.state, server.closed, String(server)]).toEqual(['new', false, 'datagram server, not open']);
      expect(() => server.address).toThrow(UsageError);
      yield* server.start();
      yield* server.start();
      expect([server.state, String(server)]).toEqual(['serving', `datagram server ${server.address}`]);
      const client = yield* udp({ host, remote: server.address });
      for (const word of ['one', 'two', 'three']) {
        yield* client.send(word);
        expect(String((yield* client.receive()).bytes)).toBe(`echo ${word}`);
      }
      client.close();
      yield* server.stop();
      yield* server.stop();
      expect([server.state, server.closed]).toEqual(['stopped', true]);
      expect(server.stats).toEqual({
        received: 3,
        dropped: 0,
        sent: 3,
        receiveErrors: 0,
        active: 0,
        handlerErrors: 0,
      });
    }));

  it('takes a socket that is open already, and serveForever returns when that is closed', () =>
    play(function* () {
      const socket = yield* udp({ host });
      const server = new DatagramServer(socket, echo, { name: 'of echoes' });
      expect([String(server), server.address]).toEqual(['datagram server of echoes', socket.localAddress]);
      const waiting = spawn(() => server.serveForever());
      yield* when(() => server.state === 'serving');
      socket.close();
      yield* waiting.get();
      expect(server.state).toBe('stopped');
    }));

  it('runs at most `size` handlers, lets `maxPending` datagrams wait, and drops and counts the newest beyond', () =>
    play(function* () {
      const go = new Event();
      const seen: string[] = [];
      let now = 0;
      let most = 0;
      yield* serving(
        function* ({ bytes }) {
          now += 1;
          most = Math.max(most, now);
          seen.push(String(bytes));
          yield* go.wait();
          now -= 1;
        },
        { size: 2, maxPending: 3 },
        function* (server, client) {
          for (let i = 0; i < 10; i += 1) {
            yield* client.send(`${i}`);
            yield* when(() => server.stats.received + server.stats.dropped >= Math.min(i + 1, 2));
          }
          yield* when(() => server.stats.dropped === 5);
          expect([server.stats.active, seen]).toEqual([2, ['0', '1']]);
          go.set();
          yield* when(() => server.stats.received === 5 && server.stats.active === 0);
          expect([most, seen]).toEqual([2, ['0', '1', '2', '3', '4']]);
        },
      );
    }));

  it('stop() receives nothing more and lets handlers answer within their grace', () =>
    play(() =>
      serving(
        function* ({ bytes, from }, socket) {
          yield* sleep(20);
          yield* socket.send(`done: ${bytes}`, from);
        },
        {},
        function* (server, client) {
          yield* client.send('quick');
          yield* when(() => server.stats.active === 1);
          const stopping = spawn(() => server.stop({ graceMs: 60_000 }));
          yield* when(() => server.state === 'stopping');
          yield* client.send('late');
          expect(String((yield* client.receive()).bytes)).toBe('done: quick');
          yield* stopping.get();
          expect([server.state, server.stats.received]).toEqual(['stopped', 1]);
        },
      ),
    ));

  it('stop() kills handlers that do not end within their grace', () =>
    play(function* () {
      const ends: string[] = [];
      yield* serving(
        function* ({ bytes }) {
          try {
            yield* sleep(Number.POSITIVE_INFINITY);
          } finally {
            ends.push(String(bytes));
          }
        },
        {},
        function* (server, client) {
          yield* client.send('slow');
          yield* when(() => server.stats.active === 1);
          yield* server.stop({ graceMs: 5 });
          expect([server.state, ends]).toEqual(['stopped', ['slow']]);
        },
      );
    }));

  it('gives its handlers their grace when its greenlet, or serveForever, is killed', () =>
    play(function* () {
      const server = new DatagramServer({ host }, function* ({ from }, socket) {
        yield* sleep(20);
        yield* socket.send('in time', from);
      });
      const waiting = spawn(() => server.serveForever());
      yield* when(() => server.state === 'serving');
      const client = yield* udp({ host, remote: server.address });
      yield* client.send('hello');
      yield* when(() => server.stats.active === 1);
      waiting.kill();
      expect(String((yield* client.receive()).bytes)).toBe('in time');
      expect(yield* failure(waiting.get())).toBeInstanceOf(GreenletKilledError);
      expect(server.state).toBe('stopped');
      client.close();
    }));

  it('ends at once by close(), and cannot be started again', () =>
    play(function* () {
      const server = new DatagramServer({ host }, () => sleep(Number.POSITIVE_INFINITY));
      yield* server.start();
      const client = yield* udp({ host, remote: server.address });
      yield* client.send('hello');
      yield* when(() => server.stats.active === 1);
      server.close();
      server.close();
      client.close();
      yield* when(() => server.state === 'stopped');
      expect(server.stats.active).toBe(0);
      const unstarted = new DatagramServer({ host }, echo);
      yield* unstarted.stop();
      for (const each of [server, unstarted]) expect(yield* failure(each.start())).toBeInstanceOf(ServerClosedError);
    }));
});

describe('DatagramServer', () => {
  it('F34: reports what a handler throws once and goes on, and only counts an answer that cannot be sent', async () => {
    const wrong = new Error('a wrong datagram');
    const errors: unknown[] = [];
    const unlink = hub.on('error', (error) => errors.push(error));
    await run(() =>
      serving(
        function* ({ bytes, from }, socket) {
          const word = String(bytes);
          if (word === 'wrong') throw wrong;
          if (word === 'unsendable') yield* socket.send('x', { host: '::1', port: 9 });
          yield* echo({ bytes, from }, socket);
        },
        {},
        function* (server, client) {
          for (const word of ['wrong', 'unsendable', 'good']) yield* client.send(word);
          expect(String((yield* client.receive()).bytes)).toBe('echo good');
          expect(server.stats).toMatchObject({ received: 3, handlerErrors: 2 });
        },
      ),
    );
    unlink();
    nothingLeft();
    expect(errors).toEqual([wrong]);
  });

  it('goes on when a connected peer refuses its answers', () =>
    run(function* () {
      const peer = yield* udp({ host });
      const socket = yield* udp({ host, remote: peer.localAddress });
      const server = new DatagramServer(socket, function* (_datagram, own) {
        yield* own.send('answer');
      });
      yield* server.start();
      yield* peer.send('one', server.address);
      peer.close();
      yield* when(() => server.stats.receiveErrors > 0 || server.stats.sent > 0);
      expect(server.state).toBe('serving');
      yield* server.stop();
    }).then(nothingLeft));

  it('refuses bad arguments when it is made', () => {
    expect(() => new DatagramServer({ host }, undefined as never)).toThrow(TypeError);
    expect(() => new DatagramServer(undefined as never, echo)).toThrow(TypeError);
    expect(() => new DatagramServer({ port: -1 }, echo)).toThrow(RangeError);
    expect(() => new DatagramServer({ host }, echo, { size: 0 })).toThrow(RangeError);
    for (const options of [{ graceMs: -1 }, { name: 5 }, 5])
      expect(() => new DatagramServer({ host }, echo, options as never)).toThrow(TypeError);
    expect(() => new DatagramServer({ host }, echo).stop({ killMs: -1 })).toThrow(TypeError);
  });
});
