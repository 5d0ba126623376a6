// reports.test.ts: what ends a run, what counts as left behind, and what the report says of a network.

import { connect, listen, type Op, serve, sleep, spawn } from 'tendril';
import { ExplorationError, explore, LeakedGreenletsError, type SimulatedWorld } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

async function failureOf(body: (world: SimulatedWorld) => Op<unknown>, options = {}): Promise<ExplorationError> {
  const error: unknown = await explore(body, options).catch((thrown: unknown) => thrown);
  if (error instanceof ExplorationError) return error;
  throw new Error(`it was not found: ${JSON.stringify(error)}`);
}

function startEcho({ net }: SimulatedWorld): void {
  net.host('echo', {
    *main() {
      yield* serve(yield* listen({ port: 7 }), function* (socket) {
        for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
          yield* socket.write(`${line}\n`);
        }
      });
    },
  });
}

describe('A greenlet that is parked for ever when the body has returned', () => {
  it('is no leak if it is on another host: a server waits for whoever may still come', async () => {
    const { runs } = await explore(
      function* (world) {
        startEcho(world);
        const socket = yield* connect({ host: 'echo', port: 7 });
        yield* socket.write('one\n');
        expect(yield* socket.readLine()).toBe('one');
        socket.close();
      },
      { seeds: 20 },
    );
    expect(runs).toBe(20);
  });

  it('is a leak on the host of the body', async () => {
    const { cause } = await failureOf(function* (world) {
      startEcho(world);
      const socket = yield* connect({ host: 'echo', port: 7 });
      world.net.home.spawn(function* reading() {
        yield* socket.readLine();
      });
      yield* sleep(1);
    });
    expect(cause).toBeInstanceOf(LeakedGreenletsError);
    expect((cause as LeakedGreenletsError).names).toHaveLength(1);
  });
});

describe('An error that nobody looks at', () => {
  it('ends the run at once: what comes of it later is not what is reported', async () => {
    const { cause } = await failureOf(
      function* () {
        spawn(function* (): Op<void> {
          yield* sleep(1);
          throw new Error('the reason');
        });
        for (;;) yield* sleep(100);
      },
      { maxMs: 10_000 },
    );
    expect((cause as Error).message).toBe('the reason');
  });
});

describe('The report', () => {
  it('names the choices that the failure needs, and shows packets in full', async () => {
    const { message } = await failureOf(
      function* (world) {
        startEcho(world);
        const socket = yield* connect({ host: 'echo', port: 7 });
        yield* socket.write('one\n');
        let answered = false;
        spawn(function* () {
          answered = (yield* socket.readLine()) === 'one';
        });
        yield* sleep(100);
        socket.close();
        if (!answered) throw new Error('no answer');
      },
      { faults: { drop: 0.1 } },
    );
    expect(message).toMatch(/it needs, of \d+ choices, not the mildest: fault drop\n/);
    expect(message).toMatch(/^ +\d+ +\d+ {2}10\.0\.0\.1:32768 > 10\.0\.0\.2:7 data 4 200 ms late$/m);
  });
});

describe('heal()', () => {
  it('leaves every host up, also one that was to crash at that moment', async () => {
    function* chat(): Op<void> {
      const socket = yield* connect({ host: 'echo', port: 7 });
      try {
        for (let i = 0; i < 5; i += 1) {
          yield* socket.write('one\n');
          yield* sleep(1);
        }
      } finally {
        socket.close();
      }
    }
    const { runs } = await explore(
      function* (world) {
        startEcho(world);
        const chatting = spawn(chat);
        chatting.link(() => {}); // its connection may be lost
        yield* sleep(world.choose(8));
        world.heal();
        yield* sleep(10);
        if (!world.net.host('echo').up) throw new Error('it is down');
        chatting.kill();
      },
      { seeds: 500, faults: { crash: 100 }, net: { latency: { minMs: 1, maxMs: 1 } } },
    );
    expect(runs).toBe(500);
  });
});
