// pipeline.test.ts: pipelines of real programs: what flows, how each ends, and that none is left.
import { type Op, run, SpawnError, sleep, spawn, timeout } from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { pipeline } from '../../samples/pipeline.ts';
import { runSample } from './run-sample.ts';
import { expectNothingLeft } from './settled.ts';

afterEach(expectNothingLeft);

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

function* outcomeOf<T>(op: Op<T>): Op<T | string> {
  try {
    return yield* op;
  } catch (error) {
    return codeOf(error);
  }
}

/** Does this process still exist? */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const exited = (exitCode: number): unknown => ({ exitCode, signal: null });
const ended = (signal: string): unknown => ({ exitCode: null, signal });

describe.skipIf(process.platform === 'win32')('A pipeline', () => {
  it('hands on what each program prints', async () => {
    const result = await run(() =>
      pipeline([['sort'], ['uniq', '-c'], ['sort', '-rn'], ['head', '-n', '1']], { input: 'b\na\nb\n' }),
    );
    expect({ ...result, output: result.output.toString().trim() }).toEqual({
      statuses: [exited(0), exited(0), exited(0), exited(0)],
      failed: undefined,
      output: '2 b',
    });
  });

  it('carries megabytes through programs that read at their own speed', async () => {
    const input = Buffer.alloc(6_000_000, 'abcdefg\n');
    const { output } = await run(() => pipeline([['cat'], ['cat'], ['wc', '-c']], { input }));
    expect(Number(output.toString())).toBe(6_000_000);
  });

  it('ends a program that nobody reads any more, as a shell does, and does not call that a failure', async () => {
    const result = await run(() => pipeline([['yes'], ['cat'], ['head', '-n', '3']]));
    expect({ ...result, output: result.output.toString() }).toEqual({
      statuses: [ended('SIGPIPE'), ended('SIGPIPE'), exited(0)],
      failed: undefined,
      output: 'y\ny\ny\n',
    });
  });

  it('says which program failed, the last one first', async () => {
    const failedOf = (...commands: [string, ...string[]][]): Promise<unknown> =>
      run(function* test(): Op<unknown> {
        const { failed, statuses } = yield* pipeline(commands);
        return [failed, statuses.map(({ exitCode, signal }) => exitCode ?? signal)];
      });
    expect(await failedOf(['sh', '-c', 'exit 3'], ['cat'])).toEqual([0, [3, 0]]);
    expect(await failedOf(['sh', '-c', 'exit 3'], ['sh', '-c', 'cat; exit 4'], ['cat'])).toEqual([1, [3, 4, 0]]);
    expect(await failedOf(['sh', '-c', 'kill -TERM $$'], ['cat'])).toEqual([0, ['SIGTERM', 0]]);
    expect(await failedOf(['true'], ['sh', '-c', 'kill -PIPE $$'])).toEqual([1, [0, 'SIGPIPE']]);
  });

  it('does not mind a program that does not read its input', async () => {
    const { statuses } = await run(() => pipeline([['true'], ['cat']], { input: Buffer.alloc(3_000_000) }));
    expect(statuses).toEqual([exited(0), exited(0)]);
  });

  it('stops those that have begun when one cannot be started', async () => {
    const outcome = await run(function* test(): Op<unknown> {
      try {
        return yield* pipeline([['sleep', '60'], ['no-such-program-at-all'], ['cat']]);
      } catch (error) {
        return [error instanceof SpawnError, codeOf(error)];
      }
    });
    expect(outcome).toEqual([true, 'ENOENT']);
  });

  it('stops all of them when it is killed, when its time is over, and when its output is too much or not wanted', async () => {
    const seen = await run(function* test(): Op<unknown[]> {
      const pids: number[] = [];
      const noting = {
        *write(bytes: Uint8Array): Op<void> {
          pids.push(...Buffer.from(bytes).toString().trim().split('\n').map(Number));
        },
      };
      // Each hands on the numbers of those before it, adds its own, and then does nothing; it does not notice that its input ends.
      const three = [0, 1, 2].map((before) => ['sh', '-c', `head -n ${before}; echo $$; exec sleep 600`] as const);
      const victim = spawn(() => pipeline(three, { output: noting }));
      while (pids.length < 3) yield* sleep(2);
      victim.kill();
      yield* victim.join();
      const left = pids.filter(exists);
      const late = yield* outcomeOf(timeout(20, pipeline([['sleep', '600'], ['cat']])));
      const much = yield* outcomeOf(pipeline([['yes'], ['cat']], { maxBytes: 100_000 }));
      const refused = yield* outcomeOf(
        pipeline([['yes'], ['cat']], {
          output: {
            *write(): Op<void> {
              throw new Error('full');
            },
          },
        }),
      );
      return [victim.outcome?.killed, pids.length, left, late, much, refused];
    });
    expect(seen).toEqual([true, 3, [], 'ERR_TIMEOUT', 'ERR_OUTPUT_TOO_LARGE', 'ERR_PIPE']);
  });

  it('runs as a program', { timeout: 40_000 }, async () => {
    expect(await runSample('pipeline')).toEqual({
      status: 0,
      stdout: `3 rye
2 wheat
1 spelt
bread, bread: ended with SIGPIPE, 0
one, but number 0 failed: 3, 0
too late: all three were stopped
`,
      stderr: '',
    });
  });
});
