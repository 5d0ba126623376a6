// cut-between-polls.test.ts: a reset that comes together with the last bytes is one, also if greenlets ran between the two.
//
// libuv before 1.52 hands on the bytes and calls the reset an end, in one go. A promise that is settled in between gives greenlets a turn without another look at what has come.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, hub, run, spawn, until } from 'tendril';
import { describe, expect, it } from 'vitest';
import { host } from './peers.ts';

// In a process of its own, so that both are there before this one looks.
const peer = `
  const server = require('node:net').createServer((socket) => {
    socket.once('data', () => {
      socket.write('bytes');
      socket.resetAndDestroy();
      server.close();
    });
  });
  server.listen(0, '${host}', () => process.send(server.address().port));
`;

describe('A reset together with the last bytes', () => {
  it('is no end, although a promise has let greenlets run in between', async () => {
    const child = fork('-e', [peer], { execArgv: [] });
    const [port] = (await once(child, 'message')) as [number];
    const outcome = await run(function* () {
      let settle = (): void => {};
      const beside = spawn(() => until(new Promise<void>((resolve) => (settle = resolve))));
      const socket = yield* connect({ host, port });
      const me = spawn(function* () {
        const parts: string[] = [];
        try {
          for (;;) {
            const bytes = yield* socket.read();
            if (bytes === null) return ['end', ...parts];
            parts.push(String(bytes));
          }
        } catch (error) {
          return [(error as { code: string }).code, ...parts];
        }
      });
      const remove = hub.instruments.add({ woken: (greenlet) => void (greenlet === me && settle()) });
      try {
        yield* socket.write('go');
        yield* socket.flush();
        // Both come while this process looks at nothing.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
        const seen = yield* me.get();
        yield* beside.join();
        return seen;
      } finally {
        remove();
      }
    });
    child.kill();
    expect(outcome).toEqual(['ECONNRESET', 'bytes']);
  });
});
