// interval.test.ts: a busy hub starves nobody: an interval of the host goes on ticking beside a second of channel ping-pong.
//
// In a process of its own, on the real clock: this is the one thing that a virtual one cannot show.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('./programs/ping-pong-with-interval.ts', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));

describe('S12 Fairness towards the host', () => {
  it('lets an interval of 1 ms tick at least 300 times during one second of ping-pong', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], { cwd: root });
    const { ticks, trips } = JSON.parse(stdout) as { ticks: number; trips: number };
    console.log(`interval: ${ticks} ticks beside ${trips} round trips`);
    expect(trips).toBeGreaterThan(10_000);
    expect(ticks).toBeGreaterThanOrEqual(300);
  });
});
