// simulated-network-speed.test.ts: how much faster than real the simulated network is: ten connections that echo 20 kB over links of 5 to 55 ms, and one request
// with its answer. In processor time, so that a busy machine changes little.
import { connect, joinAll, listen, type Op, serve, sleep, spawn } from 'tendril';
import { type SimulatedWorld, type SimulateOptions, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

const WARM = 400;
const RUNS = 400;

function* echo(): Op<void> {
  const listener = yield* listen({ port: 7 });
  yield* serve(listener, function* (socket) {
    for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) yield* socket.write(chunk);
  });
}

/** `count` connections that send `bytes` and wait for them to come back. */
function* echoes({ net }: SimulatedWorld, count: number, bytes: number): Op<void> {
  const server = net.host('server', { main: echo });
  yield* sleep(1);
  const clients = Array.from({ length: count }, () =>
    spawn(function* () {
      const socket = yield* connect({ host: 'server', port: 7 });
      yield* socket.write(Buffer.alloc(bytes, 1));
      yield* socket.readExactly(bytes);
      socket.close();
    }),
  );
  yield* joinAll(clients);
  server.crash();
}

/** Processor time and virtual time of one run, on average. */
async function measured(
  body: (world: SimulatedWorld) => Op<void>,
  options: SimulateOptions,
): Promise<{ cpuMs: number; virtualMs: number }> {
  let virtualMs = 0;
  let begun = process.cpuUsage();
  for (let seed = 1; seed <= WARM + RUNS; seed += 1) {
    if (seed === WARM + 1) begun = process.cpuUsage();
    const { elapsedMs } = await simulate(body, { seed, ...options });
    if (seed > WARM) virtualMs += elapsedMs;
  }
  const { user, system } = process.cpuUsage(begun);
  return { cpuMs: (user + system) / 1000 / RUNS, virtualMs: virtualMs / RUNS };
}

describe('The simulated network', () => {
  it('is at least 50 times faster than real for ten connections that echo 20 kB over 5 to 55 ms', async () => {
    const { cpuMs, virtualMs } = await measured((world) => echoes(world, 10, 20_000), {
      net: { latency: { minMs: 5, maxMs: 55 } },
    });
    console.log(`${virtualMs.toFixed(0)} ms in ${cpuMs.toFixed(2)} ms: ${(virtualMs / cpuMs).toFixed(0)} times real`);
    expect(virtualMs / cpuMs).toBeGreaterThan(50);
  });

  it('takes less than a millisecond for a request and its answer', async () => {
    const { cpuMs } = await measured((world) => echoes(world, 1, 100), {});
    console.log(`a request and its answer: ${cpuMs.toFixed(3)} ms`);
    expect(cpuMs).toBeLessThan(1);
  });
});
