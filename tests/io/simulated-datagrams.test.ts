// simulated-datagrams.test.ts: what becomes of datagrams on the simulated network: lost, doubled, overtaken, kept; and of their sockets in a crash.
import { type DatagramSocket, now, type Op, sleep, spawn, udp } from 'tendril';
import { type SimulatedWorld, type SimulateOptions, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { openHandles } from '../../io/handles.ts';
import { failure } from './peers.ts';

const COUNT = 20;

/** Send 0 to 19 from the body to host `server`, and say what arrives. */
async function sent(options: SimulateOptions, meanwhile: (world: SimulatedWorld) => Op<void> = () => sleep(0)) {
  const { value } = await simulate(function* (world) {
    const server: DatagramSocket = yield* world.net
      .host('server')
      .spawn(() => udp({ port: 53 }))
      .get();
    const client = yield* udp();
    const got: number[] = [];
    const receiver = spawn(function* () {
      for (;;) got.push(Number(String((yield* server.receive()).bytes)));
    });
    const disturbing = spawn(meanwhile, world);
    for (let i = 0; i < COUNT; i += 1) {
      yield* client.send(String(i), { host: 'server', port: 53 });
      yield* sleep(1);
    }
    yield* disturbing.join();
    yield* sleep(10_000);
    receiver.kill();
    client.close();
    server.close();
    return got;
  }, options);
  return value;
}

const all = Array.from({ length: COUNT }, (_, i) => i);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

describe('Datagrams on a simulated network', () => {
  it('arrive all, once and in order, with the mildest choices, after the latency of their link', async () => {
    expect(await sent({})).toEqual(all);
    await simulate(function* ({ net }) {
      net.host('server');
      net.latency('client', 'server', { minMs: 7, maxMs: 7 });
      const server: DatagramSocket = yield* net
        .host('server')
        .spawn(() => udp({ port: 53 }))
        .get();
      const client = yield* udp();
      const begun = now();
      yield* client.send('x', { host: 'server', port: 53 });
      const { from } = yield* server.receive();
      expect([now() - begun, String(from)]).toEqual([7, `10.0.0.1:${client.localAddress.port}`]);
      client.close();
      server.close();
    });
  });

  it('overtake each other by their latency alone, and none is lost', async () => {
    let overtaken = 0;
    for (let seed = 1; seed <= 30; seed += 1) {
      const got = await sent({ seed });
      expect({ seed, got: sorted(got) }).toEqual({ seed, got: all });
      if (got.join() !== all.join()) overtaken += 1;
    }
    expect(overtaken).toBeGreaterThan(10);
  });

  it('are lost, doubled and overtaken at the odds that were asked for', async () => {
    const seen = { lost: 0, doubled: 0, overtaken: 0 };
    for (let seed = 1; seed <= 30; seed += 1) {
      const flat = { latency: { minMs: 1, maxMs: 1 } };
      const lossy = await sent({ seed, net: flat, faults: { drop: 0.2 } });
      expect(lossy).toEqual(sorted(lossy));
      seen.lost += COUNT - lossy.length;
      const doubled = await sent({ seed, net: flat, faults: { duplicate: 0.2 } });
      expect(new Set(doubled).size).toBe(COUNT);
      seen.doubled += doubled.length - COUNT;
      const overtaken = await sent({ seed, net: flat, faults: { reorder: 0.2 } });
      expect(sorted(overtaken)).toEqual(all);
      if (overtaken.join() !== all.join()) seen.overtaken += 1;
    }
    const expected = 30 * COUNT * 0.2;
    expect(seen.lost).toBeGreaterThan(expected / 2);
    expect(seen.lost).toBeLessThan(expected * 2);
    expect(seen.doubled).toBeGreaterThan(expected / 2);
    expect(seen.doubled).toBeLessThan(expected * 2);
    expect(seen.overtaken).toBeGreaterThan(20);
  });

  it('are lost in a partition, also those on their way, and arrive late from a clog', async () => {
    const cut = await sent({}, function* ({ net }) {
      yield* sleep(4.5);
      net.partition('client', 'server');
      yield* sleep(10);
      net.heal();
    });
    expect(cut).toEqual(all.filter((i) => i < 4 || i > 14));
    const clogged = await sent({}, function* ({ net }) {
      yield* sleep(4.5);
      net.clog('client', 'server');
      yield* sleep(10);
      net.heal();
    });
    expect(sorted(clogged)).toEqual(all);
  });

  it('go nowhere, without an error, if nobody has the address or the port, or the host is down', async () => {
    await simulate(function* ({ net }) {
      net.host('server').crash();
      const client = yield* udp();
      for (const host of ['10.0.0.2', '10.9.9.9', '10.0.0.1']) yield* client.send('x', { host, port: 53 });
      expect((yield* failure(client.send('x', { host: '10.0.0.2', port: 0 }))).code).toBe('EINVAL');
      client.close();
      const six = yield* udp({}, { family: 6 });
      expect((yield* failure(six.send('x', { host: 'fd00::1', port: 53 }))).code).toBe('ENETUNREACH');
      six.close();
    });
  });

  it('tell their sender if the socket is closed while the name is looked up, and leave nothing if he is killed', async () => {
    await simulate(function* ({ net, scheduler }) {
      net.host('server');
      net.dns.slow('server', 100);
      const socket = yield* udp();
      const senders = [1, 2].map(() => spawn(() => socket.send('x', { host: 'server', port: 53 })));
      yield* sleep(10);
      senders[0]?.kill();
      yield* sleep(10);
      expect(scheduler.stats.orphans).toBe(1);
      socket.close();
      expect((yield* failure((senders[1] as (typeof senders)[0]).get())).code).toBe('ERR_CLOSED');
      yield* sleep(100);
      expect([scheduler.stats.orphans, socket.stats.sent]).toEqual([0, 0]);
      const opening = spawn(() => udp({ host: 'server' }));
      yield* sleep(10);
      opening.kill();
      yield* sleep(200);
      expect([scheduler.stats.orphans, net.leftovers()]).toEqual([0, []]);
    });
  });

  it('are refused by a host without descriptors', async () => {
    await simulate(function* ({ net }) {
      net.home.descriptors = 1;
      const socket = yield* udp();
      expect((yield* failure(udp())).code).toBe('EMFILE');
      socket.close();
      (yield* udp()).close();
    });
  });

  it('end with the crash of their host: who receives there is told, and can open again after a restart', async () => {
    await simulate(function* ({ net }) {
      const server = net.host('server');
      const socket: DatagramSocket = yield* server.spawn(() => udp({ port: 53 })).get();
      const receiving = spawn(() => socket.receive());
      yield* sleep(1);
      expect(net.leftovers()).toEqual(['server: datagram socket 0.0.0.0:53']);
      server.crash();
      expect((yield* failure(receiving.get())).code).toBe('ERR_CLOSED');
      expect([socket.closed, net.leftovers(), openHandles().names]).toEqual([true, [], []]);
      server.restart();
      (yield* server.spawn(() => udp({ port: 53 })).get()).close();
    });
  });
});
