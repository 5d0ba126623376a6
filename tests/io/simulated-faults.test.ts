// simulated-faults.test.ts: the faults that a test can call for on the simulated network, each alone, and how heal() undoes them.
import {
  type ConnectError,
  ConnectionResetError,
  connect,
  type Listener,
  listen,
  now,
  type Op,
  type Socket,
  serve,
  sleep,
  spawn,
  timeout,
} from 'tendril';
import { type SimulatedWorld, type SimulateOptions, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import type { SimulatedNetwork } from '../../io/testing/simulated-network.ts';
import { failure } from './peers.ts';
import { called, pairOn, transportOptions } from './recorder.ts';

function* echoLines(): Op<void> {
  const listener = yield* listen({ port: 7 });
  yield* serve(listener, function* (socket) {
    for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
      yield* socket.write(`${line}\n`);
  });
}

/** Latency is 1 ms each way, and nothing is left to chance. */
const run = async <T>(body: (world: SimulatedWorld) => Op<T>, options?: SimulateOptions): Promise<T> =>
  (await simulate(body, options)).value;

/** A connection of the body with the echo server of host `server`. */
function* talking(net: SimulatedNetwork): Op<Socket> {
  net.host('server', { main: echoLines });
  yield* sleep(1);
  const socket = yield* connect({ host: 'server', port: 7 });
  yield* ask(socket, 'first');
  return socket;
}

function* ask(socket: Socket, line: string): Op<string | null> {
  yield* socket.write(`${line}\n`);
  return yield* socket.readLine();
}

/** How long `op` takes. */
function* taking(op: Op<unknown>): Op<number> {
  const begun = now();
  yield* op;
  return now() - begun;
}

describe('A partition', () => {
  it.each(['partition', 'drop', 'clog'] as const)(
    'by %s delays what is sent until it is repaired, and loses nothing',
    async (how) => {
      await run(function* ({ net }) {
        const socket = yield* talking(net);
        net[how]('client', 'server');
        net[how]('client', 'server');
        for (const line of ['a\n', 'b\n', 'c\n']) {
          yield* socket.write(line);
          yield* sleep(10);
        }
        expect(yield* timeout(1000, socket.readLine(), { else: 'nothing' })).toBe('nothing');
        if (how === 'clog') net.unclog('server', 'client');
        else net.restoreLink('server', 'client');
        expect(yield* taking(socket.readLine())).toBe(2);
        expect([yield* socket.readLine(), yield* socket.readLine()]).toEqual(['b', 'c']);
        expect(yield* ask(socket, 'on')).toBe('on');
        socket.close();
      });
    },
  );

  it('in one direction lets the other through', async () => {
    await run(function* ({ net }) {
      const socket = yield* talking(net);
      net.partition('server', 'client', { oneWay: true });
      yield* socket.write('heard\n');
      expect(yield* timeout(100, socket.readLine(), { else: 'nothing' })).toBe('nothing');
      net.partition('client', 'server', { oneWay: true });
      net.restoreLink('server', 'client', { oneWay: true });
      expect(yield* taking(socket.readLine())).toBe(1);
      socket.close();
    });
  });

  it('holds what was under way, and connections between other hosts go on', async () => {
    await run(function* ({ net }) {
      const socket = yield* talking(net);
      net.host('third', { main: echoLines });
      yield* sleep(1);
      const other = yield* connect({ host: 'third', port: 7 });
      yield* socket.write('under way\n');
      yield* socket.flush();
      net.partition(['client', 'third'], net.host('server'));
      expect(yield* ask(other, 'go on')).toBe('go on');
      expect(yield* timeout(100, socket.readLine(), { else: 'nothing' })).toBe('nothing');
      net.heal();
      expect(yield* socket.readLine()).toBe('under way');
      socket.close();
      other.close();
    });
  });

  it('makes connecting slow, by the second or so in which a SYN is sent again', async () => {
    await run(function* ({ net }) {
      net.host('server', { main: echoLines });
      net.partition('client', 'server');
      spawn(function* () {
        yield* sleep(2500);
        net.heal();
      });
      const socket = yield* connect({ host: 'server', port: 7 });
      expect(now()).toBe(3000 + 2);
      socket.close();
    });
  });

  it('makes connecting fail after 131 s', async () => {
    await run(function* ({ net }) {
      net.host('server', { main: echoLines });
      net.partition('client', 'server');
      const error = (yield* failure(
        connect({ host: 'server', port: 7 }, { timeoutMs: Number.POSITIVE_INFINITY }),
      )) as ConnectError;
      expect([error.code, now()]).toEqual(['ETIMEDOUT', 131_000]);
    });
  });

  it('holds a writer when all buffers are full, and gives it room when it ends', async () => {
    await run(function* ({ net }) {
      const socket = yield* talking(net);
      net.partition('client', 'server');
      let written = 0;
      const writer = spawn(function* () {
        for (; written < 1_000_000; written += 1000) yield* socket.write(`${'x'.repeat(998)}\r\n`);
      });
      yield* sleep(5000);
      expect(written).toBeLessThan(4 * 65_536);
      spawn(function* () {
        while ((yield* socket.readLine()) !== null);
      });
      net.heal();
      yield* writer.join();
      socket.end();
      yield* sleep(100);
      socket.close();
    });
  });

  it('hides the close of a peer until it ends', async () => {
    await run(function* ({ net }) {
      const socket = yield* talking(net);
      net.partition('client', 'server');
      socket.end();
      expect(yield* timeout(100, socket.read(), { else: 'nothing' })).toBe('nothing');
      net.heal();
      expect(yield* socket.read()).toBe(null);
      socket.close();
    });
  });

  it('loses a reset, which then comes as the answer to what is sent', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net);
      client.pauses = true;
      server.write(1);
      yield* sleep(5);
      server.write(100);
      yield* sleep(5);
      net.partition('client', 'server');
      client.transport.destroy();
      yield* sleep(1000);
      net.heal();
      yield* sleep(1000);
      expect(server.events).toEqual([]);
      server.write(1);
      yield* sleep(5);
      expect(server.events).toEqual(['failed: read ECONNRESET', 'closed']);
      expect(net.connections()).toEqual([]);
    });
  });

  it('loses a reset that was on its way, and delays what was sent behind something on its way', async () => {
    await run(
      function* ({ net }) {
        const reset = yield* pairOn(net);
        const late = yield* pairOn(net);
        reset.client.pauses = true;
        reset.server.write(1);
        yield* sleep(50);
        reset.server.write(100);
        yield* sleep(50);
        reset.client.transport.destroy();
        late.client.write('on its way, ');
        yield* sleep(5);
        net.partition('client', 'server');
        late.client.write('behind it');
        net.restoreLink('client', 'server');
        yield* sleep(4);
        net.partition('client', 'server');
        yield* sleep(50);
        net.heal();
        yield* sleep(50);
        expect(late.server.text).toBe('on its way, behind it');
        expect(reset.server.events).toEqual([]);
        late.client.write('!');
        yield* sleep(5);
        net.partition('client', 'server');
        late.client.write('?');
        net.restoreLink('client', 'server');
        yield* sleep(50);
        expect(late.server.text).toBe('on its way, behind it!?');
      },
      { net: { latency: { minMs: 10, maxMs: 10 } } },
    );
  });

  it('of the way back delays acknowledgements, and a writer who waits for them goes on after it', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net);
      net.partition('server', 'client', { oneWay: true });
      client.write(300_000);
      yield* sleep(1000);
      expect([server.events, client.events]).toEqual([['65536 bytes'], []]);
      net.heal();
      yield* sleep(1000);
      expect([server.events, client.events, client.transport.unsent]).toEqual([['300000 bytes'], ['taken'], 0]);
    });
  });

  it('ends a connection that has sent something, by the user timeout', async () => {
    await run(
      function* ({ net }) {
        const socket = yield* talking(net);
        net.partition('client', 'server');
        const begun = now();
        yield* sleep(1000);
        yield* socket.write('lost\n');
        const error = yield* failure(socket.readLine());
        expect(error).toBeInstanceOf(ConnectionResetError);
        expect([error.code, now() - begun]).toEqual(['ETIMEDOUT', 1000 + 20_000]);
        // The other end knows nothing of it, until it gets an answer.
        expect(net.leftovers()).toHaveLength(2);
        net.heal();
        yield* sleep(100_000);
        expect(net.leftovers()).toHaveLength(2);
      },
      { net: { userTimeoutMs: 20_000 } },
    );
  });

  it('does not end a connection on which nothing is outstanding', async () => {
    await run(
      function* ({ net }) {
        const socket = yield* talking(net);
        net.partition('client', 'server');
        yield* sleep(1_000_000);
        net.heal();
        expect(yield* ask(socket, 'still there')).toBe('still there');
        socket.close();
      },
      { net: { userTimeoutMs: 20_000 } },
    );
  });

  it('of the way back ends a connection whose bytes arrive and are never acknowledged', async () => {
    await run(
      function* ({ net }) {
        const { client, server } = yield* pairOn(net);
        net.partition('server', 'client', { oneWay: true });
        client.write(5);
        yield* sleep(19_000);
        expect([client.events, server.events]).toEqual([[], ['5 bytes']]);
        yield* sleep(2_000);
        expect(client.events).toEqual(['failed: read ETIMEDOUT', 'closed']);
        server.write(5);
        net.heal();
        yield* sleep(100);
        expect(server.events).toEqual(['5 bytes', 'failed: read ECONNRESET', 'closed']);
      },
      { net: { userTimeoutMs: 20_000 } },
    );
  });

  it('F30: is noticed by keepalive probes, if they are asked for', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net, { options: { keepAliveMs: 5500 } });
      net.partition('client', 'server');
      const begun = now();
      yield* sleep(14_000);
      expect(client.events).toEqual([]);
      yield* sleep(2000);
      expect([client.events, server.events]).toEqual([
        ['failed: read ETIMEDOUT', 'closed'],
        ['failed: read ETIMEDOUT', 'closed'],
      ]);
      expect(now() - begun).toBe(16_000);
      expect(net.connections()).toEqual([]);
    });
  });

  it('is not noticed by probes if it ends in time', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net, { options: { keepAliveMs: 5000 } });
      for (let i = 0; i < 5; i += 1) {
        net.partition('client', 'server');
        yield* sleep(8000);
        net.restoreLink('client', 'server');
        client.write(1);
        server.write(1);
        yield* sleep(5000);
      }
      expect([client.events, server.events]).toEqual([['5 bytes'], ['5 bytes']]);
    });
  });
});

describe('A reset by net.reset', () => {
  it('comes to both ends of every connection between the two, and of no other', async () => {
    await run(function* ({ net }) {
      const first = yield* pairOn(net);
      const second = yield* pairOn(net, { from: 'server', to: 'client' });
      const other = yield* pairOn(net, { to: 'third' });
      net.reset('client', 'server');
      yield* sleep(10);
      for (const { client, server } of [first, second]) {
        expect([client.events, server.events]).toEqual([
          ['failed: read ECONNRESET', 'closed'],
          ['failed: read ECONNRESET', 'closed'],
        ]);
      }
      expect([other.client.events, other.server.events]).toEqual([[], []]);
      expect(net.connections()).toHaveLength(1);
    });
  });

  it('comes to connections of a host with itself', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net, { to: 'client' });
      net.reset('client', 'client');
      yield* sleep(1);
      expect([client.events.at(-1), server.events.at(-1)]).toEqual(['closed', 'closed']);
    });
  });

  it('comes after so many bytes, exactly, to connections that are there or come', async () => {
    await run(function* ({ net }) {
      const early = yield* pairOn(net);
      net.reset('client', 'server', { afterBytes: 10 });
      const late = yield* pairOn(net);
      for (const { client, server } of [early, late]) {
        client.write('123456');
        yield* sleep(10);
        server.write('abc');
        yield* sleep(10);
        expect([client.events, server.events]).toEqual([['3 bytes'], ['6 bytes']]);
        client.write('7890');
        yield* sleep(10);
        expect(server.text).toBe('1234567');
        expect([client.events.at(-2), server.events.at(-2)]).toEqual([
          'failed: read ECONNRESET',
          'failed: read ECONNRESET',
        ]);
      }
      net.heal();
      const { client, server } = yield* pairOn(net);
      client.write(100);
      yield* sleep(10);
      expect(server.events).toEqual(['100 bytes']);
    });
  });

  it('loses what is under way', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net);
      client.write(10);
      net.reset('client', 'server');
      yield* sleep(10);
      expect(server.events).toEqual(['failed: read ECONNRESET', 'closed']);
      expect(client.events).toEqual(['failed: read ECONNRESET', 'closed']);
    });
  });
});

describe('An early end by net.endEarly', () => {
  it('looks to each end as if the other had ended, and what is written then is answered with a reset', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net);
      client.write(10);
      yield* sleep(5);
      client.write(10);
      net.endEarly('client', 'server');
      yield* sleep(5);
      expect([client.events, server.events]).toEqual([['ended'], ['10 bytes', 'ended']]);
      client.write(5);
      yield* sleep(5);
      client.write(5);
      yield* sleep(5);
      expect(client.events.slice(1)).toEqual(['write: write EPIPE', 'failed: write EPIPE', 'closed']);
      server.end();
      yield* sleep(5);
      expect(server.events.slice(1)).toEqual(['ended', 'end', 'closed']);
      expect(net.connections()).toEqual([]);
    });
  });

  it('comes after so many bytes', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net);
      net.endEarly('client', 'server', { afterBytes: 4 });
      client.write('123456');
      yield* sleep(5);
      expect([server.text, server.events, client.events]).toEqual(['1234', ['4 bytes', 'ended'], ['ended']]);
    });
  });
});

describe('A port of a simulated host', () => {
  it('refuses although something listens, until it is restored', async () => {
    await run(function* ({ net }) {
      const socket = yield* talking(net);
      net.host('server').refuse(7);
      expect((yield* failure(connect({ host: 'server', port: 7 }))).code).toBe('ECONNREFUSED');
      expect(yield* ask(socket, 'those that are there go on')).not.toBe(null);
      net.host('server').restore(7);
      (yield* connect({ host: 'server', port: 7 })).close();
      socket.close();
    });
  });

  it('does not answer if it is a black hole, and answers later a SYN that is sent again', async () => {
    await run(function* ({ net }) {
      const socket = yield* talking(net);
      net.host('server').blackhole(7);
      expect((yield* failure(timeout(500, connect({ host: 'server', port: 7 })))).code).toBe('ERR_TIMEOUT');
      const connecting = spawn(() => connect({ host: 'server', port: 7 }));
      const begun = now();
      yield* sleep(1500);
      net.host('server').restore(7);
      (yield* connecting.get()).close();
      expect(now() - begun).toBe(2002);
      socket.close();
    });
  });

  it('answers so much later if it is slow', async () => {
    await run(function* ({ net }) {
      const socket = yield* talking(net);
      net.host('server').slow(7, 700);
      const another = yield* spawn(() => connect({ host: 'server', port: 7 })).get();
      expect(now()).toBe(5 + 702);
      expect(yield* taking(ask(another, 'fast then'))).toBe(2);
      expect(() => net.host('server').slow(7, Number.NaN)).toThrow(TypeError);
      socket.close();
      another.close();
    });
  });

  it('holds one connection more than its backlog when it stalls, and drops SYNs beyond', async () => {
    await run(function* ({ net }) {
      const server = net.host('server');
      const listener: Listener = yield* server.spawn(() => listen({ port: 80 }, { backlog: 2 })).get();
      server.stall(80);
      const begun = now();
      const connected: number[] = [];
      const clients = Array.from({ length: 5 }, () =>
        spawn(function* () {
          const socket = yield* connect({ host: 'server', port: 80 });
          connected.push(now() - begun);
          yield* socket.write('early');
          return socket;
        }),
      );
      yield* sleep(1500);
      expect([connected, listener.pending]).toEqual([[2, 2, 2], 0]);
      server.restore(80);
      yield* sleep(1000);
      expect([connected, listener.pending]).toEqual([[2, 2, 2, 2002, 2002], 5]);
      for (const client of clients) {
        const socket = yield* listener.accept();
        expect(String(yield* socket.read())).toBe('early');
        socket.close();
        (yield* client.get()).close();
      }
      listener.close();
      expect(net.leftovers()).toEqual([]);
    });
  });
});

describe('A listener that stalls', () => {
  it('resets what waits in its backlog when it is closed', async () => {
    await run(function* ({ net }) {
      const server = net.host('server');
      const listener: Listener = yield* server.spawn(() => listen({ port: 80 })).get();
      server.stall(80);
      const socket = yield* connect({ host: 'server', port: 80 });
      yield* sleep(10);
      listener.close();
      expect((yield* failure(socket.read())).code).toBe('ECONNRESET');
      socket.close();
      expect(net.connections()).toEqual([]);
    });
  });
});

describe('The path of a Unix socket', () => {
  it('holds one connection more than its backlog when its listener stalls, and refuses beyond', async () => {
    await run(function* ({ net }) {
      const path = '/run/x';
      const listener = yield* listen({ path }, { backlog: 2 });
      net.home.stall(path);
      const sockets: Socket[] = [];
      for (let i = 0; i < 3; i += 1) sockets.push(yield* connect({ path }));
      const error = yield* failure(connect({ path }));
      expect([error.code, (error.cause as Error).message]).toEqual(['EAGAIN', 'connect EAGAIN /run/x']);
      expect(listener.pending).toBe(0);
      net.home.restore(path);
      yield* sleep(1);
      expect(listener.pending).toBe(3);
      for (const open of [...sockets, listener]) open.close();
      yield* sleep(1);
      expect([net.leftovers(), net.connections()]).toEqual([[], []]);
    });
  });
});

describe('Descriptors of a simulated host', () => {
  it('run out: connect and listen fail with EMFILE, and work again when one is closed', async () => {
    await run(function* ({ net }) {
      net.host('server', { main: echoLines });
      yield* sleep(1);
      net.home.descriptors = 2;
      const first = yield* connect({ host: 'server', port: 7 });
      const listener = yield* listen({ port: 1 });
      const refused = (yield* failure(connect({ host: 'server', port: 7 }))) as ConnectError;
      expect([refused.code, (refused.cause as Error).message]).toEqual([
        'EMFILE',
        'connect EMFILE 10.0.0.2:7 - Local (undefined:undefined)',
      ]);
      const error = yield* failure(listen({ host: '127.0.0.1', port: 2 }));
      expect([error.code, (error.cause as Error).message]).toEqual([
        'EMFILE',
        'listen EMFILE: too many open files 127.0.0.1:2',
      ]);
      expect((yield* failure(connect({ path: '/x' }))).code).toBe('EMFILE');
      expect((yield* failure(listen({ path: '/x' }))).code).toBe('EMFILE');
      first.close();
      (yield* connect({ host: 'server', port: 7 })).close();
      listener.close();
      expect(() => {
        net.home.descriptors = -1;
      }).toThrow(RangeError);
    });
  });

  it('F32: run out at accept: the client sees a connection that ends, the server nothing', async () => {
    await run(function* ({ net }) {
      const server = net.host('server', { descriptors: 2 });
      const listener: Listener = yield* server.spawn(() => listen({ port: 80 })).get();
      const first = yield* connect({ host: 'server', port: 80 });
      const accepted = yield* listener.accept();
      const second = yield* connect({ host: 'server', port: 80 });
      expect(yield* second.read()).toBe(null);
      expect([listener.pending, listener.stats.acceptErrors]).toEqual([0, 0]);
      accepted.close();
      yield* sleep(10);
      const third = yield* connect({ host: 'server', port: 80 });
      yield* sleep(10);
      expect(listener.pending).toBe(1);
      for (const open of [first, second, third, listener]) open.close();
      expect(net.leftovers()).toEqual([]);
    });
  });
});

describe('net.heal', () => {
  it('undoes every fault, and makes links as quick as they can be', async () => {
    await run(
      function* ({ net }) {
        const server = net.host('server', { main: echoLines, descriptors: 10 });
        const third = net.host('third', { main: echoLines });
        yield* sleep(1);
        third.crash();
        server.refuse(7);
        server.blackhole(8);
        server.stall(9);
        server.descriptors = 0;
        net.dns.fail('server', 'EAI_AGAIN');
        net.partition('client', ['server', 'third']);
        net.clog('client', 'server');
        net.reset('client', 'server', { afterBytes: 1 });
        yield* sleep(1);
        net.heal();
        yield* sleep(1);
        for (const host of ['server', 'third']) {
          for (let i = 0; i < 20; i += 1) {
            const socket = yield* connect({ host, port: 7 });
            expect(yield* taking(ask(socket, 'well'))).toBe(4);
            socket.close();
          }
        }
        expect(server.descriptors).toBe(10);
      },
      // Every decision that is left is the worst one.
      {
        seed: 5,
        net: { latency: { minMs: 2, maxMs: 500 } },
        faults: { reset: 1, dns: 1, delay: 1, drop: 1, refuse: 1, shortRead: 1 },
      },
    );
  });

  it('keeps links that come into use later quick, and connections that were to break whole', async () => {
    await run(
      function* ({ net }) {
        const { client, server } = yield* pairOn(net);
        net.reset('client', 'server', { afterBytes: 5 });
        net.heal();
        client.write(10);
        yield* sleep(50);
        expect(server.events).toEqual(['10 bytes']);
        net.host('late', { main: echoLines });
        yield* sleep(1);
        for (let i = 0; i < 10; i += 1) {
          const socket = yield* connect({ host: 'late', port: 7 });
          expect(yield* taking(ask(socket, 'x'))).toBe(2);
          socket.close();
        }
      },
      { seed: 3, net: { latency: { minMs: 1, maxMs: 900 } } },
    );
  });

  it('takes back what random faults would have ended later, so that they end nothing of ours', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      await run(
        function* ({ net }) {
          net.host('server', { main: echoLines });
          yield* sleep(1);
          yield* timeout(300, connect({ host: 'server', port: 7 }), { else: undefined });
          net.heal();
          net.partition('client', 'server');
          yield* sleep(60_000);
          expect(yield* timeout(1000, connect({ host: 'server', port: 7 }), { else: 'cut' })).toBe('cut');
        },
        { seed, faults: { partition: 1e9 } },
      );
      await run(
        function* ({ net }) {
          const server = net.host('server', { main: echoLines });
          yield* sleep(1);
          yield* timeout(300, connect({ host: 'server', port: 7 }), { else: undefined });
          net.heal();
          server.crash();
          yield* sleep(60_000);
          expect(server.up).toBe(false);
        },
        { seed, faults: { crash: 1e9 } },
      );
    }
  });

  it('takes back what was decided and has not happened', async () => {
    await run(
      function* ({ net }) {
        net.host('server', { main: echoLines });
        yield* sleep(1);
        const first = yield* connect({ host: 'server', port: 7 });
        yield* sleep(100);
        expect((yield* failure(ask(first, 'x'))).code).toBe('ECONNRESET');
        const second = yield* connect({ host: 'server', port: 7 });
        yield* sleep(100);
        yield* second.write('y\n');
        yield* second.flush();
        net.heal();
        expect(yield* second.readLine()).toBe('y');
        first.close();
        second.close();
      },
      { seed: 1, faults: { reset: 1 } },
    );
  });

  it('leaves connections that are lost as they are', async () => {
    await run(function* ({ net }) {
      const { client } = yield* pairOn(net);
      net.reset('client', 'server');
      net.heal();
      yield* sleep(10);
      expect(client.events).toEqual(['failed: read ECONNRESET', 'closed']);
    });
  });
});

describe('A connection that is clogged', () => {
  it('keeps its SYN, which comes when it is free', async () => {
    await run(function* ({ net }) {
      net.host('server', { main: echoLines });
      net.clog('client', 'server');
      spawn(function* () {
        yield* sleep(300);
        net.unclog('client', 'server');
      });
      (yield* connect({ host: 'server', port: 7 })).close();
      expect(now()).toBe(302);
    });
  });

  it('is given up in the end', async () => {
    await run(function* ({ net }) {
      net.host('server', { main: echoLines });
      net.clog('client', 'server');
      const failed = yield* called<unknown>((done) => {
        net.connect({ path: undefined, host: '10.0.0.2', port: 7, family: 4 }, transportOptions, (error) =>
          done(error),
        );
      });
      expect([(failed as { code: string }).code, Math.floor(now())]).toEqual(['ETIMEDOUT', 131_000]);
    });
  });
});
