// word-count.test.ts: the word count gives the same on every executor, wherever the pieces are cut.
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from 'tendril';
import { GreenletExecutor } from 'tendril/executors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countWords } from '../../samples/word-count.ts';
import { runSample } from './run-sample.ts';

let folder: string;
let paths: string[];
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'tendril-words-'));
  paths = ['large.txt', 'small.txt', 'empty.txt'].map((name) => join(folder, name));
  // Lines of odd lengths, so that pieces of 1 MiB end anywhere in one.
  const line = (i: number): string => `Zoë's ${'über '.repeat(i % 7)}don't stop; ${i % 3 === 0 ? 'Stop' : 'go'}\n`;
  fs.writeFileSync(paths[0] as string, Array.from({ length: 90_000 }, (_, i) => line(i)).join(''));
  fs.writeFileSync(paths[1] as string, 'no newline at the end: stop');
  fs.writeFileSync(paths[2] as string, '');
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const counted = `  269997 über
  120001 stop
   90000 don't
   90000 zoë's
`;

describe('The word count', () => {
  it('cuts files between lines and adds up', async () => {
    const executor = new GreenletExecutor(3);
    const counts = await run(() => countWords(executor, paths));
    expect([...counts].sort(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['at', 1],
      ["don't", 90_000],
      ['end', 1],
      ['go', 60_000],
      ['newline', 1],
      ['no', 1],
      ['stop', 120_001],
      ['the', 1],
      ["zoë's", 90_000],
      ['über', 269_997],
    ]);
  });

  it.each(['threads', 'processes', 'greenlets'])('prints the same on %s', async (kind) => {
    expect(await runSample('word-count', '--on', kind, '--workers', '2', '--top', '4', ...paths)).toEqual({
      status: 0,
      stdout: counted,
      stderr: '',
    });
  });

  it('says what it needs', async () => {
    const { status, stderr } = await runSample('word-count');
    expect([status, stderr]).toEqual([1, expect.stringContaining('which files?')]);
  });
});
