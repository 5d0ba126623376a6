// contestant.ts: one contestant of one row, alone in its process, asked for rounds on stdin.
//
// Started by the runner as `node contestant.js FILE ROW NAME SETTING`. Says {"ready": true} once, or {"skip": reason} if a package is not installed.
// Then each line {"count": n} is answered by {"total", "count", "answer", "cpu"}: nanoseconds (or bytes, ticks), operations done, the
// answer to be checked and, if all of the round was timed, CPU nanoseconds of the process with all its threads. The programs in go/ and python/ speak the same lines.
// What a peer prints goes to stderr, so that stdout holds the protocol alone.

import { Console } from 'node:console';
import { createInterface } from 'node:readline';
import { NotInstalledError, type Outcome, type Round, type Row, type Setting } from './contest.ts';

const [file, rowName, name, setting] = process.argv.slice(2) as [string, string, string, string];
globalThis.console = new Console(process.stderr, process.stderr);

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function whatIsMissing(error: unknown): string | undefined {
  if (error instanceof NotInstalledError) return error.message;
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') return undefined;
  const specifier = /Cannot find (?:package|module) '([^']+)'/.exec(error.message)?.[1] ?? error.message;
  if (specifier.includes('/dist/') || specifier === 'tendril') return 'not built: npm run build';
  if (specifier.includes('/samples/')) return 'not built: samples/redis.ts';
  return `${specifier} is not installed: npm ci --prefix bench`;
}

async function start(): Promise<Round | undefined> {
  const { rows } = (await import(`./${file}.js`)) as { rows: readonly Row[] };
  const contestant = rows.find((row) => row.name === rowName)?.contestants.find((each) => each.name === name);
  if (contestant?.start === undefined) throw new Error(`${file} has no contestant ${name} in a row ${rowName}`);
  try {
    return await contestant.start(JSON.parse(setting) as Setting);
  } catch (error) {
    const reason = whatIsMissing(error);
    if (reason === undefined) throw error;
    say({ skip: reason });
    return undefined;
  }
}

async function play(round: Round, count: number): Promise<void> {
  const cpuBefore = process.cpuUsage();
  const before = process.hrtime.bigint();
  const outcome: Outcome = await round(count);
  const total = Number(process.hrtime.bigint() - before);
  const cpu = process.cpuUsage(cpuBefore);
  // What a contestant measured by itself is not all that it did: its CPU time would mislead.
  const own = outcome.total === undefined ? { cpu: (cpu.user + cpu.system) * 1000 } : {};
  say({ total, count, ...outcome, ...own });
}

const round = await start();
if (round !== undefined) {
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    await play(round, (JSON.parse(line) as { count: number }).count);
  }
}
process.exit(0);
