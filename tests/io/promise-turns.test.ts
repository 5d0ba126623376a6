// promise-turns.test.ts: greenlets that promises wake run before the loop polls again, and starve neither timers nor sockets nor deadlines.
import { connect, hub, listen, run, sleep, spawn, timeout, until } from 'tendril';
import { describe, expect, it } from 'vitest';

function* forSeconds(seconds: number, step: () => ReturnType<typeof until<unknown>>) {
  const end = performance.now() + seconds * 1000;
  let count = 0;
  while (performance.now() < end) {
    yield* step();
    count += 1;
  }
  return count;
}

describe('A chain of settled promises', () => {
  it('goes on without a pass of the loop for each', async () => {
    const passes = await run(function* () {
      yield* sleep(0);
      let immediates = 0;
      let going = true;
      const count = (): void => {
        immediates += 1;
        if (going) setImmediate(count);
      };
      setImmediate(count);
      for (let index = 0; index < 2000; index += 1) yield* until(Promise.resolve(index));
      going = false;
      return immediates;
    });
    expect(passes).toBeLessThan(1000);
  });

  it('S12 lets an interval of 1 ms tick, also with several of them', async () => {
    let ticks = 0;
    const interval = setInterval(() => (ticks += 1), 1);
    await run(function* () {
      const others = [1, 2, 3].map(() => spawn(forSeconds, 1, () => until(Promise.resolve())));
      for (const other of others) yield* other.join();
    });
    clearInterval(interval);
    // Half of it in a second even on a busy machine; one that starves has none or a few.
    expect(ticks).toBeGreaterThan(50);
  });

  it('S12 lets sockets in', async () => {
    const answers = await run(function* () {
      const listener = yield* listen({ host: '127.0.0.1', port: 0 });
      const echo = spawn(function* () {
        const socket = yield* listener.accept();
        for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) yield* socket.write(chunk);
        socket.close();
      });
      const socket = yield* connect(listener.address as { host: string; port: number });
      let spinning = true;
      const spinner = spawn(function* () {
        while (spinning) yield* until(Promise.resolve());
      });
      let count = 0;
      for (; count < 50; count += 1) {
        yield* socket.write('x');
        yield* timeout(5000, socket.readExactly(1));
      }
      spinning = false;
      socket.close();
      listener.close();
      yield* spinner.join();
      yield* echo.join();
      return count;
    });
    expect(answers).toBe(50);
  });

  it('S8 expires no deadline before input that has come is seen', async () => {
    const seen = await run(function* () {
      const listener = yield* listen({ host: '127.0.0.1', port: 0 });
      const socket = yield* connect(listener.address as { host: string; port: number });
      const peer = yield* listener.accept();
      const reader = spawn(function* () {
        return (yield* timeout(20, socket.read()))?.toString();
      });
      yield* sleep(0);
      yield* peer.write('in time');
      yield* peer.flush();
      // The loop is blocked past the deadline; then promises go on waking us.
      for (const end = performance.now() + 60; performance.now() < end; );
      for (let index = 0; index < 20; index += 1) yield* until(Promise.resolve());
      const text = yield* reader.get();
      for (const each of [socket, peer, listener]) each.close();
      return text;
    });
    expect(seen).toBe('in time');
  });

  it('reports a failure that nobody looks at, as in any other turn', async () => {
    const error = new Error('unseen');
    const told = new Promise((resolve) => {
      const unlink = hub.on('error', (failure) => {
        unlink();
        resolve(failure);
      });
    });
    await run(function* () {
      yield* until(Promise.resolve());
      spawn(function* () {
        yield* until(Promise.resolve());
        throw error;
      });
    });
    expect(await told).toBe(error);
  });
});
