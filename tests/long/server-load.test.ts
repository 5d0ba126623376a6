// server-load.test.ts: a server under load: what its connections leave behind, that none of them gets stuck, and what slow clients do to the others.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Side } from './side.ts';

const program = fileURLToPath(new URL('./server-load-program.ts', import.meta.url));
const connections = fileURLToPath(new URL('./connections-program.ts', import.meta.url));

async function once(...args: string[]): Promise<Readonly<Record<string, number>>> {
  const side = new Side(program, ...args);
  try {
    const answer = await side.answer();
    console.log(args.join(' '), answer);
    return answer;
  } finally {
    side.end();
  }
}

describe('A server', () => {
  it('keeps at most 64 bytes of heap for each connection that has ended, however it ended', async () => {
    let least = Number.POSITIVE_INFINITY;
    // What something else on the heap does at that time can only make it more.
    for (let i = 0; i < 3 && least >= 64; i += 1) {
      const { bytesPerCycle, unhandled } = await once('slope');
      expect(unhandled).toBe(0);
      least = Math.min(least, bytesPerCycle as number);
    }
    expect(least).toBeLessThan(64);
  });

  it('F1, F12, F34: holds 14,000 conversations, kills, resets and timeouts with nothing stuck, nothing unhandled and nothing left', async () => {
    expect(await once('soak', '14000')).toEqual({
      wrong: 0,
      stuck: 0,
      dropped: 0,
      overloads: 0,
      descriptors: 0,
      handles: 0,
      orphans: 0,
      greenlets: 0,
      unhandled: 0,
      thrown: 2000,
    });
  });

  it('F17, F20: a peer that never reads makes the writer of 1 GiB wait, with less than 16 MiB of memory for it; 1 GiB at once is one write', async () => {
    const { written, unsent, grown, accepted, wholeUnsent, handles } = await once('flood');
    expect(unsent).toBeLessThanOrEqual(2 ** 16 + 2 ** 20);
    expect(written).toBeLessThan(64 * 2 ** 20);
    expect(grown).toBeLessThan(16 * 2 ** 20);
    expect([accepted, handles]).toEqual([2 ** 30, 0]);
    expect(wholeUnsent).toBeGreaterThan(2 ** 29);
  });

  it('answers 100 normal clients less than twice as late while 1,000 others send a byte a second', async () => {
    const server = new Side(connections, 'server');
    const { port } = await server.answer();
    const slow = new Side(program, 'slow', String(port));
    const normal = new Side(program, 'normal', String(port));
    try {
      expect(await slow.answer()).toEqual({ connected: 1000 });
      await normal.ask('warm up');
      await normal.ask('warm up');
      // In turn, so that a noisy spell of the machine is in both; the least of each, because noise only makes it more.
      let alone = Number.POSITIVE_INFINITY;
      let beside = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 20 && (i < 5 || beside >= 2 * alone); i += 1) {
        await slow.ask('pause');
        alone = Math.min(alone, (await normal.ask('ask')).p99 as number);
        await slow.ask('go');
        beside = Math.min(beside, (await normal.ask('ask')).p99 as number);
      }
      console.log('p99 ms', { alone, beside });
      // Some milliseconds are the timer's and the scheduler's of the system.
      expect(beside).toBeLessThan(2 * alone + 3);
    } finally {
      for (const side of [server, slow, normal]) side.end();
    }
  });
});
