// run-sample.ts: run a sample as a user would, in a process of its own, and return what it printed.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';

export interface Ending {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Run `samples/<name>.ts` to its end, for at most 30 seconds. */
export function runSample(name: string, ...args: string[]): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const command = ['--import', 'tsx', `samples/${name}.ts`, ...args];
    const child = spawn(process.execPath, command, {
      cwd: root,
      env: { ...process.env, TSX_TSCONFIG_PATH: `${inject('library')}/tsconfig.json` },
      timeout: 30_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}
