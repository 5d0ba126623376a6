// process-program.ts: a program of a user in a process of its own: written to a file, with what it prints and how it ended.
import { spawn } from 'node:child_process';
import { programFile, root } from '../program-file.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  /** What it reads from stdin; without it stdin is empty. Given bit by bit, each as soon as what is to come before it was printed. */
  readonly input?: readonly (readonly [after: string, text: string])[];
  /** A script of bash, which runs the program as "$@". */
  readonly script?: string;
}

/** Run `source`, which imports 'tendril'; each line `kill SIGNAL` that it prints is answered with that signal. */
export function runProgram(source: string, { input = [], script }: Surroundings = {}): Promise<Ended> {
  const program = [process.execPath, programFile(source)];
  const [command, ...args] = script === undefined ? program : ['bash', '-c', script, 'bash', ...program];
  const child = spawn(command as string, args, { cwd: root, stdio: 'pipe' });
  const waiting = [...input];
  let stdout = '';
  let stderr = '';
  const feed = (): void => {
    while (waiting.length > 0 && stdout.includes((waiting[0] as readonly [string, string])[0])) {
      child.stdin.write((waiting.shift() as readonly [string, string])[1]);
    }
    if (waiting.length === 0) child.stdin.end();
  };
  child.stdin.on('error', () => {});
  feed();
  child.stdout.on('data', (chunk: Buffer) => {
    for (const [, signal] of chunk.toString().matchAll(/kill (SIG\w+)/g)) child.kill(signal as NodeJS.Signals);
    stdout += chunk;
    feed();
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
}
