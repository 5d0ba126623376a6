// demo.test.ts: the demo does what it announces, on any machine and without any service.
import { describe, expect, it } from 'vitest';
import { runSample } from './run-sample.ts';

/** What differs from run to run, made the same. */
function withoutTimes(text: string): string {
  return text
    .replace(/ +\d+\.\d ms/g, ' T')
    .replace(/\d+\.\d s$/m, 'T')
    .replace(/\d+ spawned/, 'N spawned')
    .replace(/ {2,}/g, '  ');
}

describe('npm run demo', () => {
  it('counts each success and each planned failure, leaves nothing over and exits with 0', {
    timeout: 40_000,
  }, async () => {
    const startedMs = performance.now();
    const { status, stdout, stderr } = await runSample('demo');
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
    expect(withoutTimes(stdout)).toBe(`1000 clients of a line server and a crawler, in one process
  requests  ok  p50  p99  errors, all on purpose
crawler  80  75 T T  2 ERR_TIMEOUT, 3 HTTP 500
lines  4440  4300 T T  20 ERR_ANSWER, 20 ERR_INCOMPLETE_READ, 50 ERR_TIMEOUT, 50 killed
greenlets: N spawned, 1 alive (this one)
handles: 0 of ours open; nothing is left over
time: T
`);
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
});
