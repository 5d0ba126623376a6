// simulated-nemesis.test.ts: random faults on the simulated network: what arrives is always the beginning of what was sent, a clean end means all of it, and
// after heal() everything comes to an end.
import {
  connect,
  isKilled,
  listen,
  now,
  type Op,
  type Socket,
  scope,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril';
import { type SimulateOptions, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import type { Faults } from '../../io/testing/simulated-nemesis.ts';
import type { SimulatedNetwork } from '../../io/testing/simulated-network.ts';
import { nothingLeft } from './peers.ts';

/** What one end of a connection has sent and got. */
class Side {
  sent = '';
  got = '';
  /** How its reading has ended: the peer's end, or a code. */
  end: string | undefined = undefined;
}

/** A conversation: what each end says can be told from what any other says. */
interface Talk {
  readonly client: Side;
  readonly server: Side;
}

function codeOf(error: unknown): string {
  if (isKilled(error)) throw error;
  return String((error as { code?: string }).code);
}

function* sendLines(socket: Socket, side: Side, name: string): Op<void> {
  try {
    for (let i = 0; i < 8; i += 1) {
      const line = `${name} ${i} ${'.'.repeat((i * 37) % 90)};`;
      side.sent += line;
      yield* socket.write(line);
      if (i % 3 === 0) yield* sleep(20);
    }
    socket.end();
  } catch (error) {
    codeOf(error);
  }
}

function* readAll(socket: Socket, side: Side): Op<void> {
  try {
    for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) side.got += chunk;
    side.end = 'end';
  } catch (error) {
    side.end = codeOf(error);
  }
}

/** Speak and listen on `socket` until both have ended. */
function* converse(socket: Socket, side: Side, name: string): Op<void> {
  try {
    yield* scope(function* (s) {
      s.spawn(sendLines, socket, side, name);
      s.spawn(readAll, socket, side);
      yield* sleep(0);
    });
  } finally {
    socket.close();
  }
}

/** Four conversations of client and server, each tried once. */
function* conversations(net: SimulatedNetwork, talks: Talk[]): Op<void> {
  const byPort = new Map<number, Talk>();
  net.host('server', {
    *main() {
      const listener = yield* listen({ port: 80 }, { keepAliveMs: 5000 });
      try {
        for (;;) {
          const socket = yield* listener.accept();
          const talk = byPort.get(socket.remoteAddress.port) ?? { client: new Side(), server: new Side() };
          byPort.set(socket.remoteAddress.port, talk);
          spawn(converse, socket, talk.server, `server ${socket.remoteAddress.port}`);
        }
      } finally {
        listener.close();
      }
    },
  });
  yield* sleep(1);
  yield* scope(function* (s) {
    for (let i = 0; i < 4; i += 1) {
      s.spawn(function* () {
        let socket: Socket;
        try {
          // A server that crashes when everything has been sent is found out by probes only.
          socket = yield* connect({ host: 'server', port: 80 }, { keepAliveMs: 5000 });
        } catch (error) {
          codeOf(error);
          return;
        }
        const { port } = socket.localAddress;
        const talk = byPort.get(port) ?? { client: new Side(), server: new Side() };
        byPort.set(port, talk);
        talks.push(talk);
        yield* converse(socket, talk.client, `client ${port}`);
      });
      yield* sleep(30);
    }
  });
}

const kinds: readonly (readonly [name: string, faults: Faults])[] = [
  ['nothing but the freedom of TCP', { shortRead: 0.4, shortWrite: 0.4, join: 0.4 }],
  ['lost and late packets', { drop: 0.1, delay: 0.1 }],
  ['resets', { reset: 0.02 }],
  ['partitions', { partition: 2 }],
  ['clogs', { clog: 2 }],
  ['refusals, black holes and failed lookups', { refuse: 0.2, blackhole: 0.2, dns: 0.2 }],
  ['crashes', { crash: 1 }],
  [
    'everything',
    { drop: 0.02, delay: 0.02, reset: 0.005, partition: 0.5, clog: 0.5, refuse: 0.05, dns: 0.05, crash: 0.3 },
  ],
];

async function talk(options: SimulateOptions): Promise<{ talks: Talk[]; left: string[] }> {
  const talks: Talk[] = [];
  const { value } = await simulate(function* ({ net }) {
    const talking = spawn(conversations, net, talks);
    yield* sleep(2000);
    net.heal();
    yield* timeout(200_000, talking.get());
    // A peer that has crashed may have left half-open connections behind; the next start answers them.
    yield* sleep(10_000);
    const left = net.leftovers().filter((line) => !line.includes('listener') && !line.startsWith('server: socket'));
    net.host('server').crash();
    yield* sleep(10);
    return left;
  }, options);
  return { talks, left: value };
}

describe.each(kinds)('Under %s', (_name, faults) => {
  it('a stream is the beginning of what was sent, and all of it if it ends well, in 200 seeds', async () => {
    const ends = new Set<string | undefined>();
    let whole = 0;
    for (let seed = 1; seed <= 200; seed += 1) {
      const { talks, left } = await talk({ seed, faults });
      for (const { client, server } of talks) {
        for (const [from, to] of [
          [client, server],
          [server, client],
        ] as const) {
          if (!from.sent.startsWith(to.got)) expect({ seed, got: to.got }).toEqual({ seed, got: from.sent });
          // A peer that is killed in a crash sends no end.
          if (to.end === 'end' && to.got !== from.sent) expect({ seed, got: to.got }).toEqual({ seed, got: from.sent });
          if (to.end === 'end') whole += 1;
          ends.add(to.end);
        }
      }
      expect({ seed, left }).toEqual({ seed, left: [] });
    }
    expect(whole).toBeGreaterThan(400);
    if (faults.reset !== undefined) expect(ends).toContain('ECONNRESET');
    nothingLeft();
  }, 60_000);
});

describe('Random faults', () => {
  it('all come about, and are told to the log', async () => {
    const lines: string[] = [];
    for (let seed = 1; seed <= 30; seed += 1) {
      await talk({
        seed,
        faults: { reset: 0.02, end: 0.02, partition: 2, clog: 2, crash: 1, delay: 0.1, drop: 0.1 },
        net: { log: (line) => lines.push(line.replace(/[\d.]+:\d+/g, 'x')) },
      });
    }
    const seen = new Set(lines);
    for (const line of [
      'x > x rst (by a fault)',
      'x > x fin (by a fault)',
      'partition client > server',
      'partition server > client',
      'restoreLink client > server',
      'clog client > server',
      'unclog client > server',
      'server crashes',
      'server restarts',
      'heal',
    ])
      expect(seen).toContain(line);
  });

  it('do not happen on a network that nobody uses, so that a deadlock in it is found', async () => {
    await expect(
      simulate(
        function* ({ net }) {
          net.host('server');
          const listener = yield* listen({ port: 1 });
          yield* listener.accept();
        },
        { seed: 1, faults: { partition: 100, crash: 100, clog: 100 } },
      ),
    ).rejects.toMatchObject({ code: 'ERR_DEADLOCK' });
  });

  it('are none without odds, and the mildest without chance', async () => {
    const lines: string[] = [];
    const { elapsedMs } = await simulate(
      function* ({ net }) {
        const talks: Talk[] = [];
        yield* conversations(net, talks);
        expect(talks.every(({ client, server }) => client.got === server.sent && server.got === client.sent)).toBe(
          true,
        );
        net.host('server').crash();
      },
      {
        faults: {
          reset: 1,
          end: 1,
          partition: 2,
          clog: 2,
          crash: 1,
          delay: 1,
          drop: 1,
          refuse: 1,
          blackhole: 1,
          dns: 1,
        },
        net: { log: (line) => lines.push(line) },
      },
    );
    expect(lines.filter((line) => /rst|partition|clog|held|lost/.test(line))).toEqual([]);
    expect(elapsedMs).toBeLessThan(500);
  });

  it('end with heal: what was cut is whole again within the shortest latency', async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      await simulate(
        function* ({ net }) {
          const listener = yield* net
            .host('server')
            .spawn(() => listen({ port: 80 }))
            .get();
          const talking = spawn(function* () {
            for (;;) {
              try {
                const socket = yield* timeout(100, connect({ host: 'server', port: 80 }));
                socket.close();
                if (now() > 1000) return;
              } catch (error) {
                if (!(error instanceof TimeoutError)) codeOf(error);
              }
              yield* sleep(10);
            }
          });
          yield* sleep(1000);
          net.heal();
          const begun = now();
          yield* talking.get();
          expect(now() - begun).toBeLessThan(250);
          listener.close();
        },
        { seed, faults: { partition: 5, clog: 5, refuse: 0.5, delay: 0.5 } },
      );
    }
  });
});
