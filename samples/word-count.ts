// word-count.ts: the most frequent words of files, counted by several cores.
//
// The main thread only cuts files into pieces, hands them out, a few ahead, and adds up the counts as they come. Which executor does the work is an argument, and the
// only thing that changes.
//
// How to run: npx tsx samples/word-count.ts [--on threads|processes|greenlets] [--workers N] [--top N] file...      (threads need: npm install piscina)

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { files, forEach, main, type Op, stdio, until } from 'tendril';
import { type Executor, GreenletExecutor } from 'tendril/executors';
import { ProcessExecutor } from 'tendril/executors/processes';
import { type Piece, tasks } from './word-count/tasks.ts';

/** Pieces of about this many bytes: large beside what it costs to hand one out, small beside a file. */
const pieceBytes = 1 << 20;

function* executorOn(kind: string, workers: number): Op<Executor> {
  if (kind === 'greenlets') return new GreenletExecutor(workers);
  if (kind === 'processes') return new ProcessExecutor(workers);
  if (kind !== 'threads') throw new Error(`--on takes threads, processes or greenlets, not ${kind}`);
  const { ThreadExecutor } = yield* until(import('tendril/executors/threads'));
  return new ThreadExecutor(workers);
}

/** Cut the files into pieces that end where a line does. */
function* piecesOf(paths: readonly string[]): Op<Piece[]> {
  const pieces: Piece[] = [];
  for (const path of paths) {
    const file = yield* files.open(path);
    try {
      const { size } = yield* file.stat();
      for (let start = 0; start < size; ) {
        let end = Math.min(start + pieceBytes, size);
        if (end < size) {
          file.seek(end);
          end += (yield* file.readUntil('\n'))?.length ?? 0;
        }
        pieces.push({ path, start, end });
        start = end;
      }
    } finally {
      file.close();
    }
  }
  return pieces;
}

/** Count the words of `paths` on `executor`. */
export function* countWords(executor: Executor, paths: readonly string[]): Op<Map<string, number>> {
  const total = new Map<string, number>();
  const pieces = yield* piecesOf(paths);
  // As they come: a sum has no order.
  yield* forEach(executor.map(tasks.countWords, pieces, { ordered: false }), function* add(counts) {
    for (const [word, count] of counts) total.set(word, (total.get(word) ?? 0) + count);
  });
  return total;
}

function* program(): Op<void> {
  const { values, positionals } = parseArgs({
    options: {
      on: { type: 'string', default: 'threads' },
      workers: { type: 'string', default: String(availableParallelism()) },
      top: { type: 'string', default: '10' },
    },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new Error('which files? npx tsx samples/word-count.ts file...');
  const executor = yield* executorOn(values.on, Number(values.workers));
  try {
    const counts = yield* countWords(executor, positionals);
    const ranked = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
    const lines = ranked.slice(0, Number(values.top)).map(([word, count]) => `${String(count).padStart(8)} ${word}\n`);
    yield* stdio.stdout().write(lines.join(''));
  } finally {
    yield* executor.shutdown({ graceMs: 0 });
  }
}

if (process.argv[1] === import.meta.filename) main(program);
