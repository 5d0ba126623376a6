// demo.ts: a thousand greenlets talk to real sockets, some of them fail on purpose, and nothing is left behind.
//
// All of it is in this process: a web site (node:http), a line server, a crawler for the one and a thousand clients for the other. Each client is a
// greenlet with a connection of its own, and none begins before all are connected. 50 wait for an answer that never comes and time out, 50 wait
// for it and are killed, 20 are told an error and 20 are cut off in mid-answer; the others ask five questions each. At the end a table says what
// happened; if a count is not as planned, or a greenlet, a handle or anything that keeps Node alive is left over, the exit status is 1.
//
// How to run: npm run demo

import {
  all,
  Barrier,
  http,
  hub,
  isKilled,
  listen,
  main,
  now,
  type Op,
  openHandles,
  race,
  type Scope,
  Semaphore,
  scope,
  serve,
  sleep,
  timeout,
} from 'tendril';
import { type Crawl, crawl } from './crawler.ts';
import { serveSite } from './crawler-site.ts';
import { leftovers, snapshot } from './demo/leftovers.ts';
import { type LineClient, withLines } from './demo/line-client.ts';
import { serveLines } from './demo/line-server.ts';
import { table } from './demo/table.ts';
import { Tally } from './demo/tally.ts';
import { type ProgressBar, progressBar } from './progress-bar.ts';

const CLIENTS = 1_000;
const QUESTIONS = 5;
const SILENCE_MS = 500;
const DIAL_MS = 10_000;
// Generous, because the thousand connections are made at the same time.
const PAGE_MS = 2_000;
const host = '127.0.0.1';
const site = { pages: 80, silent: [41, 55], broken: [44, 60, 75] };

const planned = {
  crawler: { ok: 75, ERR_TIMEOUT: 2, 'HTTP 500': 3 },
  lines: { ok: 860 * QUESTIONS, ERR_ANSWER: 20, ERR_INCOMPLETE_READ: 20, ERR_TIMEOUT: 50, killed: 50 },
};

const isVictim = (number: number): boolean => number % 20 === 1;

/** What client `number` does with its connection. */
function* converse(client: LineClient, number: number, tally: Tally): Op<void> {
  if (number % 20 === 0) yield* timeout(SILENCE_MS, client.ask('SILENCE'));
  if (isVictim(number)) yield* client.ask('SILENCE');
  if (number % 50 === 2) yield* client.ask('FAIL');
  if (number % 50 === 3) yield* client.ask('CUT');
  for (let i = 0; i < QUESTIONS; i += 1) {
    const startedMs = now();
    const answer = yield* client.ask(`REVERSE question ${i} of ${number}`);
    if (answer !== [...`question ${i} of ${number}`].reverse().join(''))
      throw new Error(`not the answer of ${number}: ${answer}`);
    tally.ok(now() - startedMs);
  }
}

function* oneClient(number: number, port: number, dialing: Semaphore, here: Barrier, tally: Tally): Op<void> {
  try {
    yield* withLines({ host, port }, dialing, function* visit(client): Op<void> {
      yield* timeout(DIAL_MS, here.wait());
      yield* converse(client, number, tally);
    });
  } catch (error) {
    tally.failed(isKilled(error) ? 'killed' : ((error as { code?: string }).code ?? String(error)));
    if (isKilled(error)) throw error;
  }
}

function* talk(tally: Tally): Op<void> {
  const listener = yield* listen({ host, port: 0 });
  // A hundred at a time, because some systems keep few connections that nobody has accepted yet.
  const dialing = new Semaphore(100, { name: 'dialing' });
  const everybodyIsHere = new Barrier(CLIENTS, { name: 'everybody is here' });
  yield* scope(function* everybody(s: Scope): Op<void> {
    const server = s.spawn(serve, listener, serveLines);
    const clients = [];
    for (let i = 0; i < CLIENTS; i += 1)
      clients.push(s.spawn(oneClient, i, listener.address.port, dialing, everybodyIsHere, tally));
    for (const [i, client] of clients.entries()) if (!isVictim(i)) yield* client.join();
    for (const [i, client] of clients.entries()) if (isVictim(i)) client.kill('on purpose');
    for (const client of clients) yield* client.join();
    listener.close();
    yield* server.join();
  });
}

function* browse(tally: Tally): Op<void> {
  const { url, close } = yield* serveSite(site);
  try {
    const { pages, failures }: Crawl = yield* crawl(url, { parallel: 8, pageMs: PAGE_MS, totalMs: 15_000 });
    for (const { ms } of pages.values()) tally.ok(ms);
    for (const reason of failures.values()) tally.failed(reason);
    http.closeIdle(); // else they would stay open for the next request
  } finally {
    void close;
  }
}

function* redraw(bar: ProgressBar, tallies: readonly Tally[], total: number): Op<never> {
  for (;;) {
    bar.draw(
      tallies.reduce((sum, { requests }) => sum + requests, 0),
      total,
    );
    yield* sleep(50);
  }
}

/** What is not as planned. */
function surprises(tally: Tally, plan: Readonly<Record<string, number>>): string[] {
  const endings = tally.endings();
  const kinds = new Set([...Object.keys(plan), ...Object.keys(endings)]);
  return [...kinds]
    .filter((kind) => endings[kind] !== plan[kind])
    .map((kind) => `${tally.name}: ${kind}: planned ${plan[kind] ?? 0}, happened ${endings[kind] ?? 0}`);
}

function row(tally: Tally): string[] {
  const { ok, ...errors } = tally.endings();
  const list = Object.entries(errors).map(([kind, count]) => `${count} ${kind}`);
  const times = [0.5, 0.99].map((share) => `${tally.percentileMs(share).toFixed(1)} ms`);
  return [tally.name, String(tally.requests), String(ok), ...times, list.join(', ')];
}

main(function* demo(): Op<void> {
  const startedMs = now();
  const before = yield* snapshot();
  const { spawned } = hub.stats();
  const crawler = new Tally('crawler');
  const lines = new Tally('lines');
  const total = [...Object.values(planned.crawler), ...Object.values(planned.lines)].reduce(
    (sum, count) => sum + count,
  );

  console.log(`${CLIENTS} clients of a line server and a crawler, in one process`);
  const bar = progressBar('requests');
  yield* race([all([browse(crawler), talk(lines)]), redraw(bar, [crawler, lines], total)]);
  bar.end();

  const left = yield* leftovers(before);
  const stats = hub.stats();
  console.log(table(['', ' requests', ' ok', ' p50', ' p99', 'errors, all on purpose'], [row(crawler), row(lines)]));
  console.log(`greenlets: ${stats.spawned - spawned} spawned, ${stats.greenlets} alive (this one)`);
  console.log(
    `handles: ${openHandles().total} of ours open; ${left.length === 0 ? 'nothing is left over' : 'LEFT OVER'}`,
  );
  console.log(`time: ${((now() - startedMs) / 1000).toFixed(1)} s`);

  const faults = [...surprises(crawler, planned.crawler), ...surprises(lines, planned.lines), ...left];
  for (const fault of faults) console.log(`NOT AS PLANNED: ${fault}`);
  // At once, because what is left over may keep the process alive.
  if (faults.length > 0) process.exit(1);
});
