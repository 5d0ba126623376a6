// worker-tasks.ts: what a worker of this machine does with the messages of its executor, whether they come through a port or a pipe.
//
// It checks what a task returns before it goes back: a result that cannot be cloned would otherwise bring the worker down, and one of gigabytes the program.
//
// Invariant: `early` holds only tasks that were asked to stop before their call came, which is possible where the two travel by different ways.

import type { Transferable } from 'node:worker_threads';
import { takeMoved } from '../move.ts';
import { runTask, stopTask, type TaskAnswer, type TaskCall } from '../task-run.ts';
import { describeThrown, revive, type Thrown } from '../thrown.ts';
import { checkTravels, type TravelRules } from '../travel.ts';

/** A call, with what its result is held to. */
export interface LocalCall extends TaskCall {
  readonly maxBytes: number;
}

export type LocalAnswer = TaskAnswer & { readonly id: number };

/** To a worker: ask a task to stop. */
export interface StopMessage {
  readonly stop: number;
  readonly reason: Thrown;
}

/** To a worker: answer at once. */
export interface PingMessage {
  readonly ping: true;
}

/** From a worker: a module has been imported, or it has heard a ping. */
export type WorkerNews = { readonly loaded: string } | { readonly heard: true };

const early = new Map<number, unknown>();
/** Modules of which the executor knows that they are there: it then has no eye on the time any more. */
const known = new Set<string>();
let lastBegun = 0;

/** An answer, and what of it is handed over and not copied. */
export interface Answered {
  readonly answer: LocalAnswer;
  readonly moved: readonly Transferable[];
}

/** Run a task. `rules` are those of its result. Never rejects. */
export async function answerTo(
  call: LocalCall,
  rules: Omit<TravelRules, 'maxBytes'>,
  loaded: (module: string) => void,
): Promise<Answered> {
  const { id, module, maxBytes } = call;
  lastBegun = id;
  const answering = runTask(call, () => {
    if (known.has(module)) return;
    known.add(module);
    loaded(module);
  });
  if (early.size > 0) {
    if (early.has(id)) stopTask(id, early.get(id));
    early.clear();
  }
  const answer = await answering;
  if (answer.kind !== 'value') return { answer: { id, ...answer }, moved: [] };
  try {
    checkTravels(answer.value, 'the result', { ...rules, maxBytes });
  } catch (error) {
    takeMoved([answer.value]);
    return { answer: { id, kind: 'result', thrown: describeThrown(error) }, moved: [] };
  }
  return { answer: { id, kind: 'value', value: answer.value }, moved: takeMoved([answer.value]) };
}

/** Ask a task to stop; also one whose call is still to come. */
export function heedStop({ stop, reason }: StopMessage): void {
  const given = 'shown' in reason ? reason.shown : revive(reason);
  if (stop > lastBegun) early.set(stop, given);
  else stopTask(stop, given);
}
