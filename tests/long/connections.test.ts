// connections.test.ts: very many connections: idle ones, one greenlet each, and ten thousand that come at once. Server and clients are processes of their own.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Answer, Side } from './side.ts';

const program = fileURLToPath(new URL('./connections-program.ts', import.meta.url));

/** How many descriptors a process may have here: libuv raises the soft limit to the hard one. */
const limit = Number(/^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Infinity);

function tooFew(needed: number): boolean {
  if (limit >= needed) return false;
  // No service that could be installed: the machine is what it is.
  console.warn(`skipped: a process may have ${limit} descriptors here, and ${needed} are needed`);
  return true;
}

const KIB = 1024;

describe('Very many connections', () => {
  it.skipIf(tooFew(9_500))(
    '9,000 idle ones, one greenlet each, cost at most 12 KiB of memory each on either side, and leave nothing',
    async () => {
      const count = 9000;
      const server = new Side(program, 'server');
      const { port } = await server.answer();
      const before = await server.ask('stats');
      const clients = new Side(program, 'idle', String(port), String(count));
      try {
        const clientBefore = await clients.answer();
        const clientFull = await clients.answer();
        let full = await server.ask('stats');
        while (full.active !== count) full = await server.ask('stats');
        expect(clientFull.connected).toBe(count);
        const each = (a: Answer, b: Answer): number => ((b.rss as number) - (a.rss as number)) / count / KIB;
        const cost = { server: each(before, full), client: each(clientBefore, clientFull) };
        console.log('KiB each', cost);
        expect(cost.server).toBeLessThan(12);
        expect(cost.client).toBeLessThan(12);
        expect(full.descriptors).toBeGreaterThanOrEqual(count);
        const clientAfter = await clients.ask('stop');
        expect(clientAfter).toMatchObject({
          greenlets: 1,
          orphans: 0,
          handles: 0,
          descriptors: clientBefore.descriptors,
        });
        let after = await server.ask('stats');
        for (let i = 0; i < 1000 && after.active !== 0; i += 1) after = await server.ask('stats');
        expect(after).toMatchObject({
          active: 0,
          accepted: count,
          dropped: 0,
          handlerErrors: 0,
          handles: 1,
          descriptors: before.descriptors,
        });
        expect(await server.ask('stop')).toMatchObject({ handles: 0, greenlets: 1, orphans: 0 });
      } finally {
        server.end();
        clients.end();
      }
    },
  );

  it.skipIf(tooFew(10_500))(
    'F35: 10,000 that come in one burst are all served or refused within 30 s, and none is stuck',
    async () => {
      const count = 10_000;
      const server = new Side(program, 'server');
      const { port } = await server.answer();
      const before = await server.ask('stats');
      const clients = new Side(program, 'burst', String(port), String(count));
      try {
        const seen = await clients.answer();
        console.log('burst', seen);
        expect((seen.served as number) + (seen.refused as number)).toBe(count);
        expect(seen).toMatchObject({ stuck: 0, greenlets: 1, orphans: 0, handles: 0 });
        expect(seen.served).toBeGreaterThan(count / 2);
        let after = await server.ask('stats');
        for (let i = 0; i < 1000 && after.active !== 0; i += 1) after = await server.ask('stats');
        expect(after).toMatchObject({ active: 0, handles: 1, orphans: 0, descriptors: before.descriptors });
        expect(await server.ask('stop')).toMatchObject({ handles: 0, greenlets: 1 });
      } finally {
        server.end();
        clients.end();
      }
    },
  );
});
