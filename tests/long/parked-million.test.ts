// parked-million.test.ts: a million greenlets parked on a channel, then all woken and ended, within the promised heap.
//
// In a process of its own, so that nothing but they is measured: heapUsed after gc, from a start at a few MiB.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('./parked-million-program.ts', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));

describe('A million greenlets', () => {
  it('park within 600 MiB of heap, are all woken once, and leave nothing', () => {
    const output = execFileSync(
      process.execPath,
      ['--expose-gc', '--max-old-space-size=2048', '--import', 'tsx', program, '1000000'],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    const seen = JSON.parse(output.trim().split('\n').at(-1) as string) as Record<string, number>;
    console.log(output.trim());
    expect(seen).toMatchObject({ woken: 1_000_000, sum: 499_999_500_000, balance: 0 });
    expect(seen.parkedMiB).toBeLessThan(600);
    expect((seen.afterMiB as number) - (seen.beforeMiB as number)).toBeLessThan(32);
  });
});
