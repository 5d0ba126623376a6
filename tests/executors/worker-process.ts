// worker-process.ts: workers of a queue as processes, which a test kills and replaces.
import { type ChildProcess, spawn } from 'node:child_process';
import { inject } from 'vitest';

export interface WorkerProcess {
  readonly pid: number;
  /** Kill it, and wait until it has gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** What it said, when it has gone by itself. */
  readonly gone: Promise<string>;
}

export interface WorkerOptions {
  readonly servers: string;
  readonly queue: string;
  readonly concurrency?: number;
  readonly ackWaitMs?: number;
}

export function startWorker({ servers, queue, concurrency = 5, ackWaitMs = 1_000 }: WorkerOptions): WorkerProcess {
  const program = new URL('./nats-worker-program.ts', import.meta.url).pathname;
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', program, servers, queue, String(concurrency), String(ackWaitMs)],
    {
      env: { ...process.env, TSX_TSCONFIG_PATH: `${inject('library')}/tsconfig.json` },
      stdio: ['ignore', 'inherit', 'pipe'],
    },
  );
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const gone = new Promise<string>((resolve) => child.once('close', () => resolve(said)));
  return {
    pid: child.pid as number,
    gone,
    async kill(signal = 'SIGKILL') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await gone;
    },
  };
}
