// parallel-hash.test.ts: the sample gives the same keys by every executor, and says how much faster several workers are.
import { expect, it } from 'vitest';
import { runSample } from './run-sample.ts';

it.each(['threads', 'processes', 'greenlets'])('derives the same keys on %s', { timeout: 60_000 }, async (kind) => {
  const { status, stdout, stderr } = await runSample('parallel-hash', '--on', kind, '--workers', '2', '--count', '6');
  const [one, two, speedUp] = stdout.trimEnd().split('\n');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const [line, workers] of [
    [one, 1],
    [two, 2],
  ] as const)
    expect(line).toMatch(new RegExp(`^${workers} of ${kind}: 6 keys, \\d+ a second, the last e2a44674`));
  expect(speedUp).toMatch(/^speed-up: \d\.\d\d$/);
});

it('says which executors there are', async () => {
  const { status, stderr } = await runSample('parallel-hash', '--on', 'magic');
  expect([status === 0, stderr.includes('--on takes threads, processes or greenlets, not magic')]).toEqual([
    false,
    true,
  ]);
});
