// keeps-alive.test.ts: an end of a channel, a shared object and a manager keep a process alive while a greenlet waits there, and not otherwise.
import { spawn as spawnProcess } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { moduleFile } from '../program-file.ts';

const imports = `
  import { Worker } from 'node:worker_threads';
  import { run, spawnWith, sleep } from 'tendril';
  import { channelPair, openChannel } from 'tendril/executors/channels';
  import { SharedCounter, SharedMutex } from 'tendril/executors/shared';
`;

function printed(source: string): Promise<{ code: number | null; output: string }> {
  const child = spawnProcess(process.execPath, [moduleFile(imports + source).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

describe('A process', () => {
  it.concurrent.each([
    [
      'ends beside open ends and stale waits of shared memory',
      `
        const [near, far] = channelPair({ capacity: 1 });
        const end = openChannel(far);
        const counter = new SharedCounter();
        const lock = new SharedMutex();
        await run(function* () {
          yield* near.send(1);
          const waiters = [() => near.receive(), () => counter.waitFor(1), () => end.send(2), () => end.send(3)].map((body) => spawnWith({}, body));
          yield* sleep(1);
          for (const waiter of waiters) waiter.kill();
          spawnWith({ daemon: true }, () => near.receive());
        });
        console.log('end');
      `,
      'end\n',
    ],
    [
      'goes on while a greenlet waits for a thread',
      `
        const work = 'const { workerData, threadId } = require("node:worker_threads"); setTimeout(() => { Atomics.add(new BigInt64Array(workerData.buffer, 0, 1), 0, 5n); Atomics.add(new Int32Array(workerData.buffer), 2, 1); Atomics.notify(new Int32Array(workerData.buffer), 2); }, 100)';
        const counter = new SharedCounter();
        new Worker(work, { eval: true, workerData: counter.handle }).unref();
        console.log(await run(() => counter.waitFor(5)));
      `,
      '5\n',
    ],
    [
      'goes on while a greenlet waits at an end',
      `
        const work = 'const { workerData } = require("node:worker_threads"); setTimeout(() => { workerData.port.postMessage(["news"]); }, 100)';
        const [near, far] = channelPair({ capacity: 1 });
        new Worker(work, { eval: true, workerData: far, transferList: [far.port] }).unref();
        console.log(await run(() => near.receive()));
      `,
      'news\n',
    ],
  ])('%s', async (_what, source, output) => {
    expect(await printed(source)).toEqual({ code: 0, output });
  });
});
