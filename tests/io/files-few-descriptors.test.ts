// files-few-descriptors.test.ts: a program that has no descriptor left gets Node's errors, and goes on when it has closed some.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { probeProgram } from '../services.ts';

const prlimit = probeProgram('prlimit');

/** Run the program in `folder`, with at most 64 descriptors as soon as it is loaded; returns what it prints then. */
function runWithFew(folder: string): Promise<string[]> {
  const program = path.join(import.meta.dirname, 'few-descriptors-program.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, folder]);
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (said: string) => (stderr += said));
  child.stdout.setEncoding('utf8').on('data', (said: string) => {
    stdout += said;
    if (said !== 'loaded\n') return;
    execFileSync(prlimit as string, ['--pid', String(child.pid), '--nofile=64:64']);
    child.stdin.end('go');
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(stdout.trimEnd().split('\n').slice(1));
      else reject(new Error(`it ended with ${code}: ${stderr}`));
    });
  });
}

it.skipIf(prlimit === undefined)(
  'A program without descriptors gets EMFILE where it asks for one, and goes on when there are some again',
  async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tendril-few-'));
    try {
      expect(await runWithFew(folder)).toEqual([
        'EMFILE open true true',
        ...Array.from({ length: 9 }, () => 'EMFILE'),
        'true',
        '8 content',
        '',
        'content',
        '',
        'content',
        '0 0',
      ]);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  },
);
