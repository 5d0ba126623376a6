// port-scanner.test.ts: the port scanner against listeners of the test.
import { spawn as spawnProcess } from 'node:child_process';
import { connect, type Listener, listen, type Op, run, type Socket, sleep, spawn, TimeoutError } from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { portsOf, scan } from '../../samples/port-scanner.ts';
import { stoppedServer } from '../io/stopped-server.ts';
import { runSample } from './run-sample.ts';
import { expectNothingLeft } from './settled.ts';

// An address of this machine that nobody else uses, and ports that nobody listens on.
const host = '127.77.0.1';
const silent = [2, 3, 4, 5, 6, 8];

afterEach(expectNothingLeft);

describe.skipIf(process.platform !== 'linux')('The port scanner', () => {
  it('tells open ports from closed ones, and how far it is', async () => {
    const seen = await run(function* test(): Op<unknown> {
      const listeners: Listener[] = [];
      for (let i = 0; i < 5; i += 1) listeners.push(yield* listen({ host, port: 0 }));
      try {
        const open = listeners.map(({ address }) => address.port);
        const progress: string[] = [];
        const states = yield* scan(host, [...silent, ...open, ...silent], {
          concurrency: 3,
          timeoutMs: 10_000,
          onProgress: (done, of) => progress.push(`${done}/${of}`),
        });
        return [
          [...states.keys()].length,
          silent.map((port) => states.get(port)),
          open.map((port) => states.get(port)),
          progress.at(-1),
          progress.length,
        ];
      } finally {
        for (const listener of listeners) listener.close();
      }
    });
    expect(seen).toEqual([11, silent.map(() => 'closed'), Array.from({ length: 5 }, () => 'open'), '11/11', 11]);
  });

  it('does not wait for a port that does not answer, and leaves nothing behind when it is killed', async () => {
    const server = await stoppedServer();
    try {
      const seen = await run(function* test(): Op<unknown> {
        const fillers: Socket[] = [];
        try {
          // Until the queue is certainly full.
          for (let silences = 0; silences < 2; ) {
            try {
              fillers.push(yield* connect({ host: '127.0.0.1', port: server.port }, { timeoutMs: 150 }));
            } catch (error) {
              if (!(error instanceof TimeoutError)) throw error;
              silences += 1;
            }
          }
          const states = yield* scan('127.0.0.1', [server.port], { timeoutMs: 20 });
          const victim = spawn(scan, '127.0.0.1', [server.port], { timeoutMs: 60_000 });
          yield* sleep(5);
          victim.kill();
          yield* victim.join();
          return [states.get(server.port), victim.outcome?.killed];
        } finally {
          for (const filler of fillers) filler.close();
        }
      });
      expect(seen).toEqual(['filtered', true]);
    } finally {
      await server.end();
    }
  });

  it('takes no address for a host that does not exist', async () => {
    const outcome = await run(function* test(): Op<unknown> {
      try {
        return yield* scan('nobody.invalid', [80]);
      } catch (error) {
        return (error as { name: string }).name;
      }
    });
    expect(outcome).toBe('DnsError');
  });

  it('reads lists of ports and refuses what is none', () => {
    expect(portsOf('22,80-82,80,65535')).toEqual([22, 80, 81, 82, 65_535]);
    for (const bad of ['', '0', '65536', '5-3', 'a', '1-', '-5', '1,,2', '1e3', '999999', ' 1'])
      expect(() => portsOf(bad), bad).toThrow('is no port');
  });

  it('runs as a program, and says what is wrong', { timeout: 60_000 }, async () => {
    // A process of its own, because this one is busy waiting for the program.
    const program = `require('node:net').createServer((s) => s.destroy()).listen(0, '${host}', function () { console.log(this.address().port); });`;
    const child = spawnProcess(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const port = await new Promise<number>((resolve) =>
        child.stdout.once('data', (line: Buffer) => resolve(Number(line))),
      );
      const [good, bad, unknown] = await Promise.all([
        runSample('port-scanner', host, `2-6,${port}`, '3'),
        runSample('port-scanner', host, '1-70000'),
        runSample('port-scanner', 'nobody.invalid', '80'),
      ]);
      expect(good).toEqual({ status: 0, stdout: `${port} open\n1 open, 5 closed, 0 filtered\n`, stderr: '' });
      expect({ ...bad, stderr: bad.stderr.slice(0, 30) }).toEqual({
        status: 2,
        stdout: '',
        stderr: '"1-70000" is no port from 1 to',
      });
      expect({ ...unknown, stderr: unknown.stderr.slice(0, 27) }).toEqual({
        status: 1,
        stdout: '',
        stderr: 'Cannot scan nobody.invalid:',
      });
    } finally {
      child.kill('SIGKILL');
    }
  });
});
