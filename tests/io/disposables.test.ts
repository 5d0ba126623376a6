// disposables.test.ts: whatever has a plain close() can be given to `using`.
import { Channel, connect, Group, http, iwait, listen, Queue, run, type Socket, sleep } from 'tendril';
import { describe, expect, it } from 'vitest';

describe('Symbol.dispose', () => {
  it('closes channels, queues, iterators, sockets, listeners and HTTP clients', async () => {
    await run(function* () {
      const channel = new Channel<number>();
      channel[Symbol.dispose]();
      const queue = new Queue<number>();
      queue[Symbol.dispose]();
      const things = iwait([sleep(1000)]);
      things[Symbol.dispose]();
      const results = new Group().imap(() => sleep(1000), [1]);
      results[Symbol.dispose]();
      const client = new http.Client();
      client[Symbol.dispose]();
      const listener = yield* listen({ host: '127.0.0.1', port: 0 });
      const socket: Socket = yield* connect({ host: '127.0.0.1', port: listener.address.port });
      socket[Symbol.dispose]();
      listener[Symbol.dispose]();
      expect([channel.closed, queue.closed, socket.closed, listener.closed]).toEqual([true, true, true, true]);
    });
  });
});
