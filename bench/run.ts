// run.ts: runs the benchmarks: every contestant of every row on this machine, in one go, as a table or as JSON.
//
//   npm run bench                              all rows, about ten minutes
//   npm run bench -- --only skynet             rows whose name contains the text; may be repeated
//   npm run bench -- --rounds 9                rounds per row (at least 5 for figures that count)
//   npm run bench -- --quick                   short rounds and fewer greenlets: does everything run?
//   npm run bench -- --json > figures.json     machine-readable on stdout, the table on stderr
//   npm run bench -- --report                  all of that, and REPORT.md with plots/
//   npm run bench -- --report 20.json 24.json  REPORT.md of stored figures, versions side by side; nothing is run. Rows of one version may
//                                              be in several files; the last one counts
//   npm run bench -- --list                    names of the rows
//
// Contestants are run by the Node that runs this file. For other versions, after one `npm run bench -- --list` that builds everything:
//   /path/to/node-24/bin/node bench/out/run.js --json > 24.json
//
// Peers are installed by `npm ci --prefix bench`; Go, gevent, redis-server, nginx, redis-benchmark and wrk are taken where they are
// installed. Who cannot play is named with the reason. A goal that is not met is reported; the exit status is 1 only if a contestant failed.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Row, Setting } from './contest.ts';
import { describeMachine, thisMachine } from './machine.ts';
import { type Pace, playRow, type RowResult } from './play-row.ts';
import { linkPackage, Programs } from './programs.ts';
import { columns, describeResults, describeRow } from './report.ts';
import { type Run, writeReport } from './report-page.ts';
import { type Server, startHttp, startRedis } from './servers.ts';

const files = [
  'channel-round-trip',
  'queue-round-trip',
  'producer-consumer',
  'yield',
  'spawn-join',
  'skynet',
  'parked-bytes',
  'timeout',
  'depth',
  'select',
  'tcp-echo',
  'stream-echo',
  'udp-echo',
  'redis-get',
  'http-get',
  'http-serve',
  'interval-ticks',
  'patch-cost',
  'executors',
  'gevent-echo',
  'growth',
  'growth-connections',
];

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

const { values: options, positionals: stored } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

function wanted(row: Row): boolean {
  return options.only.length === 0 || options.only.some((part) => row.name.toLowerCase().includes(part.toLowerCase()));
}

/** Starts a server when the first row asks for it. */
class Servers {
  #redis: Server | undefined;
  #http: Server | undefined;

  async settingFor(row: Row): Promise<Setting> {
    if (row.needs === 'redis') this.#redis ??= await startRedis();
    if (row.needs === 'nginx') this.#http ??= await startHttp();
    return { redisPort: this.#redis?.port ?? 0, httpUrl: `http://127.0.0.1:${this.#http?.port ?? 0}/page` };
  }

  programFor(row: Row): string | undefined {
    if (row.needs === undefined) return undefined;
    return row.needs === 'redis' ? (this.#redis?.program ?? 'not installed: redis-server') : this.#http?.program;
  }

  async close(): Promise<void> {
    await this.#redis?.close();
    await this.#http?.close();
  }
}

if (stored.length > 0) {
  if (!options.report) refuse(`${stored.join(' ')}: stored figures are for --report`);
  const runs = await Promise.all(stored.map(async (file) => JSON.parse(await readFile(file, 'utf8')) as Run));
  await writeReport(runs);
  process.exit(0);
}

const rounds = Number(options.rounds);
if (!Number.isInteger(rounds) || rounds < 1) refuse(`--rounds ${options.rounds}: not a number of rounds`);
const pace: Pace = { rounds, roundMs: options.quick ? 30 : 200, shrink: options.quick ? 10 : 1 };

const chosen: { file: string; row: Row }[] = [];
for (const file of files) {
  const { rows } = (await import(`./${file}.js`)) as { rows: readonly Row[] };
  for (const row of rows) if (wanted(row)) chosen.push({ file, row });
}
if (chosen.length === 0) refuse(`No row contains ${options.only.map((part) => `"${part}"`).join(' or ')}; see --list.`);

if (options.list) {
  for (const { row } of chosen) console.log(row.name);
  process.exit(0);
}

const print = options.json ? console.error : console.log;
await linkPackage();
const machine = await thisMachine();
print(
  `${describeMachine(machine)}\n${rounds} rounds${options.quick ? ', quick: figures do not count' : ''}\n\n${columns}\n`,
);

const programs = new Programs();
const servers = new Servers();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void servers.close().finally(() => process.kill(process.pid, signal)));
}
const results: (RowResult & { server?: string })[] = [];
try {
  for (const { file, row } of chosen) {
    if (row.needs === 'redis') await programs.sample();
    const setting = await servers.settingFor(row);
    const server = servers.programFor(row);
    const playable = row.needs === 'redis' && setting.redisPort === 0 ? withoutServer(row) : row;
    const result = await playRow(file, playable, pace, setting, programs);
    results.push(server === undefined ? result : { ...result, server });
    print(describeRow(result) + (server === undefined ? '' : `  server: ${server}\n`));
  }
} finally {
  await servers.close();
}
print(describeResults(results));
const run: Run = { ...machine, rounds, quick: options.quick, rows: results };
if (options.json) console.log(JSON.stringify(run, undefined, 2));
if (options.report) await writeReport([run]);
process.exitCode = results.some((each) => each.contestants.some(({ status }) => status === 'failed')) ? 1 : 0;

function withoutServer(row: Row): Row {
  const absent = 'redis-server is not installed';
  return { ...row, contestants: row.contestants.map((each) => ({ ...each, absent })) };
}
