// process-entry.ts: what a child process runs: it takes tasks from the channel to its parent, one after another.
//
// It imports nothing of the kernel: see task-run.ts. It lives as long as the channel does. A Ctrl-C in a terminal goes to all processes there, and is for the parent to
// answer, which may let its tasks finish.

import { Worker } from 'node:worker_threads';
import { beginWorker } from '../../io/nesting.ts';
import { processRules } from '../local/carried.ts';
import { answerTo, heedStop, type LocalCall } from '../local/worker-tasks.ts';
import { describeThrown } from '../thrown.ts';
import type { ChildMessage, ParentMessage, Said } from './process-worker.ts';
import { WATCH_SOURCE, WATCHED } from './watch-source.ts';

// Taken at load: a task may do what it likes with its process.
const send = process.send?.bind(process) as (message: Said, ...rest: unknown[]) => boolean;

beginWorker(process.argv);
process.on('message', (message: ParentMessage) => {
  if ('stop' in message) heedStop(message);
  else if ('ping' in message) tell({ heard: true });
  else void respond(message);
});

process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {});
// Told before Node prints the error and ends the process, as it does without us.
process.on('uncaughtExceptionMonitor', (error) => {
  // Somebody here has taken it on himself to go on.
  if (process.listenerCount('uncaughtException') === 0) tell({ crash: describeThrown(error) });
});

async function respond(call: LocalCall): Promise<void> {
  const { answer } = await answerTo(call, processRules, (loaded) => tell({ loaded }));
  try {
    tell({ answer });
  } catch (error) {
    tell({ answer: { id: call.id, kind: 'result', thrown: describeThrown(error) } });
  }
}

/** @throws what Node throws for a message that cannot be written. */
function tell(message: ChildMessage): void {
  // If the parent has gone, which is what the callback would tell, we go too.
  send({ 'tendril.worker': message }, undefined, undefined, () => {});
}

tell({ ready: true });
// It starts beside us while the first task is on its way. None of our options: they would preload everything again.
if (process.argv.includes(WATCHED)) new Worker(WATCH_SOURCE, { eval: true, execArgv: [] }).unref();
