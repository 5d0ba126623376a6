// thread-entry.ts: what a thread runs: piscina calls `run` with each task.
//
// It imports nothing of the kernel: see task-run.ts. Words that are no task, "stop", "this module is there", go through a port of its own, which it sends to the executor when
// it starts, before piscina is told that it is ready.

import { MessageChannel, parentPort, type Transferable } from 'node:worker_threads';
import { beginWorker } from '../../io/nesting.ts';
import { threadRules } from '../local/carried.ts';
import {
  answerTo,
  heedStop,
  type LocalAnswer,
  type LocalCall,
  type PingMessage,
  type StopMessage,
  type WorkerNews,
} from '../local/worker-tasks.ts';
import type { FirstWords } from './thread-worker.ts';

beginWorker(process.argv);
const { port1, port2 } = new MessageChannel();
port1.on('message', (message: StopMessage | PingMessage) => {
  if ('stop' in message) heedStop(message);
  else tell({ heard: true });
});
port1.unref(); // after the listener, which holds the thread
const first: FirstWords = { 'tendril.port': port2 };
parentPort?.postMessage(first, [port2]);

/** Run a task. What it gives is what `Piscina.move` makes, if the result was marked to be moved. */
export async function run(call: LocalCall): Promise<unknown> {
  const { answer, moved } = await answerTo(call, threadRules, (loaded) => tell({ loaded }));
  return moved.length === 0 ? answer : await movable(answer, moved);
}

async function movable(answer: LocalAnswer, moved: readonly Transferable[]): Promise<unknown> {
  // Loaded by the first who needs it: a thread starts faster without.
  const { move, transferableSymbol, valueSymbol } = await import('piscina');
  return move({ [transferableSymbol]: [...moved], [valueSymbol]: answer } as unknown as Parameters<typeof move>[0]);
}

function tell(news: WorkerNews): void {
  port1.postMessage(news);
}
