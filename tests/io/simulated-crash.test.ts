// simulated-crash.test.ts: hosts that crash and start again: what becomes of their greenlets, sockets and names, and what their peers notice.
import {
  connect,
  type Listener,
  listen,
  now,
  type Op,
  type Socket,
  serve,
  shield,
  sleep,
  spawn,
  timeout,
} from 'tendril';
import { type SimulatedWorld, type SimulateOptions, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { openHandles } from '../../io/handles.ts';
import { failure } from './peers.ts';
import { pairOn } from './recorder.ts';

const run = async <T>(body: (world: SimulatedWorld) => Op<T>, options?: SimulateOptions): Promise<T> =>
  (await simulate(body, options)).value;

/** A main that counts how often it has run, and serves lines. */
function counting(): { readonly main: () => Op<void>; runs: number; readonly ended: string[] } {
  const server = {
    runs: 0,
    ended: [] as string[],
    *main(): Op<void> {
      server.runs += 1;
      const run = server.runs;
      const listener = yield* listen({ port: 7 });
      try {
        yield* serve(listener, function* (socket) {
          try {
            for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
              yield* socket.write(`${run} ${line}\n`);
          } finally {
            server.ended.push(`handler of run ${run}`);
          }
        });
      } finally {
        server.ended.push(`run ${run}`);
      }
    },
  };
  return server;
}

describe('A crash', () => {
  it('tells the peer nothing: what it sends goes nowhere', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net);
      net.host('server').crash();
      client.write(10);
      yield* sleep(10_000);
      expect([client.events, server.events]).toEqual([[], ['failed: read ENETDOWN', 'closed']]);
      expect(net.host('server').up).toBe(false);
    });
  });

  it('lets what is on its way arrive, and nothing that was still to be sent', async () => {
    await run(
      function* ({ net }) {
        const { client, server } = yield* pairOn(net);
        server.write('on its way');
        server.write('x'.repeat(100));
        net.host('server').crash();
        yield* sleep(100);
        expect(client.text).toBe(`on its way${'x'.repeat(10)}`);
      },
      { net: { receiveBuffer: 20 } },
    );
  });

  it('ends what waited to be sent again', async () => {
    await run(function* ({ net }) {
      const { client, server } = yield* pairOn(net);
      net.partition('client', 'server');
      server.write('never');
      yield* sleep(10);
      net.host('server').crash();
      net.restoreLink('client', 'server');
      yield* sleep(1000);
      expect(client.events).toEqual([]);
    });
  });

  it('kills the greenlets of its host, whose cleanup runs and cannot reach anybody', async () => {
    await run(function* ({ net }) {
      const seen: string[] = [];
      const listener: Listener = yield* listen({ port: 80 });
      const server = net.host('server');
      server.spawn(function* () {
        const socket = yield* connect({ host: 'client', port: 80 });
        try {
          yield* sleep(1_000_000);
        } finally {
          const code = function* (op: Op<unknown>) {
            seen.push((yield* failure(shield(op))).code);
          };
          yield* shield(socket.write('last words'));
          yield* code(socket.flush());
          yield* code(connect({ host: '10.0.0.1', port: 80 }));
          yield* code(connect({ host: 'client', port: 80 }));
          yield* code(connect({ path: '/x' }));
          yield* code(listen({ port: 81 }));
          yield* code(listen({ path: '/x' }));
          socket.close();
          seen.push('closed');
        }
      });
      const accepted = yield* listener.accept();
      yield* sleep(10);
      server.crash();
      server.crash();
      yield* sleep(100);
      expect(seen).toEqual(['ENETDOWN', 'ENETDOWN', 'EAI_AGAIN', 'ENETDOWN', 'ENETDOWN', 'ENETDOWN', 'closed']);
      expect(yield* timeout(1000, accepted.read(), { else: 'nothing' })).toBe('nothing');
      accepted.close();
      listener.close();
    });
  });

  it('ends what its greenlets wait for on the network, and closes their handles', async () => {
    await run(function* ({ net }) {
      const ended: string[] = [];
      const server = net.host('server');
      const slow = net.host('slow');
      slow.blackhole(1);
      net.dns.never('nobody');
      const waiting = (name: string, op: () => Op<unknown>) =>
        server.spawn(function* () {
          ended.push(`${name} ${(yield* failure(shield(Number.POSITIVE_INFINITY, op()))).code}`);
        });
      const listener: Listener = yield* server.spawn(() => listen({ port: 80 })).get();
      const idle: Listener = yield* server.spawn(() => listen({ port: 81 })).get();
      waiting('accept', () => idle.accept());
      waiting('connect', () => connect({ host: 'slow', port: 1 }));
      waiting('lookup', () => connect({ host: 'nobody', port: 1 }));
      const socket = yield* connect({ host: 'server', port: 80 });
      yield* sleep(10);
      expect(listener.pending).toBe(1);
      server.crash();
      yield* sleep(10);
      expect(ended.sort()).toEqual(['accept ERR_CLOSED', 'connect ENETDOWN', 'lookup EAI_AGAIN']);
      expect([listener.closed, idle.closed, openHandles().counts]).toEqual([true, true, { socket: 1 }]);
      socket.close();
    });
  });

  it('of the host that the body runs on is refused', async () => {
    await run(function* ({ net }) {
      yield* sleep(0);
      expect(() => net.home.crash()).toThrow('host client cannot crash');
    });
  });

  it('of a host can be asked for by a greenlet of that host', async () => {
    await run(function* ({ net }) {
      const server = net.host('server');
      const seen: string[] = [];
      const suicide = server.spawn(function* () {
        try {
          server.crash();
          seen.push('goes on to the next wait');
          yield* sleep(1);
          seen.push('never');
        } finally {
          seen.push('cleanup');
        }
      });
      yield* suicide.join();
      expect(seen).toEqual(['goes on to the next wait', 'cleanup']);
      expect(() => server.spawn(() => sleep(1))).toThrow('host server, which is down: restart() it first');
    });
  });

  it('hides errors that the cleanup of its greenlets throws', async () => {
    await run(function* ({ net }) {
      const server = net.host('server');
      server.spawn(function* () {
        try {
          yield* sleep(1000);
        } finally {
          // biome-ignore lint/correctness/noUnsafeFinally: that is what is tried here
          throw new Error('nobody will know');
        }
      });
      yield* sleep(1);
      server.crash();
      yield* sleep(1);
    });
  });
});

describe('A restart', () => {
  it('runs main again, and answers what comes for old connections with a reset', async () => {
    const server = counting();
    await run(function* ({ net }) {
      const host = net.host('server', server);
      yield* sleep(1);
      const old = yield* connect({ host: 'server', port: 7 });
      const ask = function* (socket: Socket) {
        yield* socket.write('hello\n');
        return yield* socket.readLine();
      };
      expect(yield* ask(old)).toBe('1 hello');
      host.crash();
      yield* sleep(1000);
      host.restart();
      host.restart();
      yield* sleep(1);
      expect((yield* failure(ask(old))).code).toBe('ECONNRESET');
      const fresh = yield* connect({ host: 'server', port: 7 });
      expect(yield* ask(fresh)).toBe('2 hello');
      old.close();
      fresh.close();
      yield* sleep(10);
      expect([server.runs, server.ended]).toEqual([2, ['handler of run 1', 'run 1', 'handler of run 2']]);
      host.crash();
    });
  });

  it('answers what was sent while the host was down, when it is sent again', async () => {
    await run(function* ({ net }) {
      const { client } = yield* pairOn(net);
      net.host('server').crash();
      client.write(10);
      yield* sleep(1000);
      expect(client.events).toEqual([]);
      net.host('server').restart();
      yield* sleep(10);
      expect(client.events).toEqual(['failed: read ECONNRESET', 'closed']);
    });
  });

  it('is noticed by probes at once, and a host that stays down after ten of them', async () => {
    await run(function* ({ net }) {
      const first = yield* pairOn(net, { options: { keepAliveMs: 2000 } });
      const second = yield* pairOn(net, { to: 'other', options: { keepAliveMs: 2000 } });
      const begun = now();
      net.host('server').crash();
      net.host('other').crash();
      yield* sleep(1);
      net.host('server').restart();
      yield* sleep(1990);
      expect([first.client.events, second.client.events]).toEqual([[], []]);
      yield* sleep(20);
      expect([first.client.events, second.client.events]).toEqual([['failed: read ECONNRESET', 'closed'], []]);
      yield* sleep(11_000);
      expect(second.client.events).toEqual(['failed: read ETIMEDOUT', 'closed']);
      expect(now() - begun).toBeLessThan(14_000);
    });
  });

  it('takes connections that were asked for while the host was down', async () => {
    const server = counting();
    await run(function* ({ net }) {
      const host = net.host('server', server);
      yield* sleep(1);
      host.crash();
      const connecting = spawn(() => connect({ host: 'server', port: 7 }));
      yield* sleep(1500);
      host.restart();
      const socket = yield* connecting.get();
      expect(now()).toBe(1 + 2000 + 2);
      socket.close();
      host.crash();
    });
  });

  it('does not reach the greenlets of the life before, which still clean up', async () => {
    await run(function* ({ net }) {
      const server = net.host('server');
      const seen: string[] = [];
      server.spawn(function* () {
        try {
          yield* sleep(1_000_000);
        } finally {
          yield* shield(sleep(1000));
          seen.push((yield* failure(shield(listen({ port: 80 })))).code);
        }
      });
      yield* sleep(1);
      server.crash();
      server.restart();
      yield* sleep(2000);
      expect(seen).toEqual(['ENETDOWN']);
      (yield* server.spawn(() => listen({ port: 80 })).get()).close();
    });
  });

  it('leaves no handle in the registry', () => {
    expect(openHandles().names).toEqual([]);
  });
});
