// job-queue.test.ts: the job queue sample prints what it is meant to print, with a server of its own and with one that is named, and says what is missing.
import { describe, expect, it } from 'vitest';
import { program, startNats } from '../executors/nats-server.ts';
import { runSample } from './run-sample.ts';

const printed = `60 results, their sum is 70210
meanwhile 3 workers were killed with SIGKILL
a job that was submitted 3 times has 1 outcome
ERR_TASK_DEAD: task 'poison' was given up after 2 attempts: each worker that began it was lost, or left before it ended
`;

describe.skipIf(program === undefined)('The job queue', () => {
  it('has every result although its workers are killed', { timeout: 120_000 }, async () => {
    expect(await runSample('job-queue')).toEqual({ status: 0, stdout: printed, stderr: '' });
    const server = await startNats();
    const named = await runSample('job-queue', server.address);
    await server.end();
    expect(named).toEqual({ status: 0, stdout: printed, stderr: '' });
  });

  it('says that no server answers', { timeout: 60_000 }, async () => {
    const { status, stderr } = await runSample('job-queue', '127.0.0.1:1');
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^no NATS server answered at 127\.0\.0\.1:1 for \d+ ms: .*ECONNREFUSED.*\n$/),
    ]);
  });
});
