// fairness.test.ts: S12 towards the outside: greenlets that never wait for anything starve no socket.
import { connect, listen, type Op, run, scope, sleep } from 'tendril';
import { describe, expect, it } from 'vitest';
import { host, nothingLeft } from './peers.ts';

describe('S12 Fairness towards sockets', () => {
  it('F102: serves an echo beside 1,000 greenlets that spin, in time that is bounded by slices', async () => {
    const result = await run(function* (): Op<{ slices: number; spins: number }> {
      let spins = 0;
      let slices = 0;
      const listener = yield* listen({ host, port: 0 });
      // Once per round of Node's loop: how many slices of spinning one round trip takes.
      let immediate = setImmediate(function again() {
        slices += 1;
        immediate = setImmediate(again);
      });
      try {
        return yield* scope(function* (s) {
          const echo = s.spawn(function* () {
            const socket = yield* listener.accept();
            for (let bytes = yield* socket.read(); bytes !== null; bytes = yield* socket.read())
              yield* socket.write(bytes);
            socket.close();
          });
          const spinners = Array.from({ length: 1000 }, () =>
            s.spawn(function* () {
              for (;;) {
                spins += 1;
                yield* sleep(0);
              }
            }),
          );
          const socket = yield* connect({ host, port: listener.address.port as number });
          spins = 0;
          slices = 0;
          for (let i = 0; i < 50; i += 1) {
            yield* socket.write('x');
            yield* socket.readExactly(1);
          }
          const seen = { slices, spins };
          socket.end();
          expect(yield* socket.read()).toBe(null);
          socket.close();
          yield* echo.join();
          for (const spinner of spinners) spinner.kill();
          return seen;
        });
      } finally {
        clearImmediate(immediate);
        listener.close();
      }
    });
    nothingLeft();
    console.log(`fairness: 50 round trips beside ${result.spins} spins took ${result.slices} rounds of the loop`);
    expect(result.spins).toBeGreaterThan(50);
    // Each way takes a round for the write to leave, one for it to come in, and one for the reader to have its turn, if nothing else is in the way.
    expect(result.slices).toBeLessThan(50 * 100);
  });
});
