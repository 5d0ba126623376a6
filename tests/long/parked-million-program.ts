// parked-million-program.ts: parks a million greenlets on one channel, measures, wakes them all and prints what it saw as JSON.
//
// Run by parked-million.test.ts in a process of its own, with --expose-gc.
import { Channel, type Op, run, spawn, yieldNow } from 'tendril';

const count = Number(process.argv[2] ?? 1_000_000);
const gc = (globalThis as { gc?: () => void }).gc;
if (gc === undefined) throw new Error('run me with --expose-gc');

const jobs = new Channel<number>();
let woken = 0;
let sum = 0;

function* waiting(): Op<void> {
  const value = yield* jobs.receive(); // not `sum += yield* ...`, which reads sum before it waits
  sum += value;
  woken += 1;
}

function heapMiB(): number {
  for (let i = 0; i < 3; i += 1) gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

const report = await run(function* () {
  const beforeMiB = heapMiB();
  const startMs = performance.now();
  for (let i = 0; i < count; i += 1) spawn(waiting);
  while (jobs.balance > -count) yield* yieldNow();
  const parkedMs = performance.now() - startMs;
  const parkedMiB = heapMiB();
  for (let i = 0; i < count; i += 1) yield* jobs.send(i);
  while (woken < count) yield* yieldNow();
  const totalMs = performance.now() - startMs;
  return { beforeMiB, parkedMiB, parkedMs, totalMs, balance: jobs.balance };
});
const afterMiB = heapMiB();
console.log(JSON.stringify({ ...report, afterMiB, woken, sum, node: process.version }));
