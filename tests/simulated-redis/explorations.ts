// explorations.ts: explore-program.ts, run by a test: in so many processes at once, each with seeds of its own.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Explored } from './explore-program.ts';

const program = fileURLToPath(new URL('explore-program.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
/** Far enough apart that no two processes explore the same run. */
const SEEDS_APART = 1_000_000;

export interface Share {
  /** How many seeds each process explores of each bad day, and of each thing that close() may interrupt. */
  readonly seeds: number;
  readonly closingSeeds: number;
  readonly processes: number;
  readonly timeoutMs: number;
}

/** What all processes together have done, exploration by exploration. */
export async function explorations({ seeds, closingSeeds, processes, timeoutMs }: Share): Promise<Explored[]> {
  const all = await Promise.all(
    Array.from({ length: processes }, (_, i) =>
      programRun([seeds, closingSeeds, 1 + i * SEEDS_APART].map(String), timeoutMs),
    ),
  );
  const [first = []] = all;
  return first.map(({ name }) => {
    const same = all.flat().filter((each) => each.name === name);
    const sum = (count: (each: Explored) => number): number => same.reduce((total, each) => total + count(each), 0);
    const report = same.find((each) => each.report !== undefined)?.report;
    const counts = {
      runs: sum((each) => each.runs),
      distinct: sum((each) => each.distinct),
      choices: sum((each) => each.choices),
    };
    return { name, ...counts, ms: Math.max(...same.map(({ ms }) => ms)), ...(report === undefined ? {} : { report }) };
  });
}

function programRun(args: readonly string[], timeoutMs: number): Promise<Explored[]> {
  return new Promise((resolve, reject) => {
    const command = ['--import', 'tsx', program, ...args];
    execFile(
      process.execPath,
      command,
      { cwd: root, timeout: timeoutMs, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        if (error !== null)
          reject(new Error(`${program} ${args.join(' ')} failed: ${error.message}\n${stderr}`, { cause: error }));
        else
          resolve(
            stdout
              .trim()
              .split('\n')
              .map((line) => JSON.parse(line) as Explored),
          );
      },
    );
  });
}
