// local-engine.ts: the engine over workers of this machine: which worker runs a task.
//
// A task goes to the worker that was idle last, so a program with one task at a time has one worker, and workers are started when there are more tasks than
// workers, up to the places of the executor. One that ends is not replaced before a task needs it.
//
// Invariants, between any two steps:
//   idle workers are ready, and the one in use last is the last of them
//   workers that take tasks  <=  places; one that was told to end does not count

import type { Op } from '../../core/op.ts';
import { select } from '../../core/select.ts';
import { sleep } from '../../core/sleep.ts';
import { checkNesting } from '../../io/nesting.ts';
import { until } from '../../io/until.ts';
import type { Engine } from '../engine.ts';
import { WorkerStartError } from '../errors.ts';
import type { Job } from '../job.ts';
import type { AnyTask } from '../tasks.ts';
import { checkTravels, type TravelRules } from '../travel.ts';
import type { LocalSettings } from './local-settings.ts';
import type { LocalWorker, WorkerKeeper } from './local-worker.ts';

/** How long the workers have to end when the executor is closed: one that is in a call of the system ends when that does. */
const closeLimitMs = 5_000;

export class LocalEngine implements Engine, WorkerKeeper {
  readonly places: number;
  readonly external = true;
  readonly maxBytes: number;
  readonly startTimeoutMs: number;
  readonly #make: (keeper: WorkerKeeper) => LocalWorker;
  readonly #rules: TravelRules;
  readonly #workers: Set<LocalWorker> = new Set();
  readonly #idle: LocalWorker[] = [];

  constructor(
    settings: LocalSettings,
    rules: Omit<TravelRules, 'maxBytes'>,
    make: (keeper: WorkerKeeper) => LocalWorker,
  ) {
    this.places = settings.size;
    this.maxBytes = settings.maxBytes;
    this.startTimeoutMs = settings.startTimeoutMs;
    this.#rules = { ...rules, maxBytes: settings.maxBytes };
    this.#make = make;
  }

  check(_task: AnyTask, args: readonly unknown[]): void {
    let bytes = 0;
    for (let i = 0; i < args.length; i += 1) bytes = checkTravels(args[i], `argument ${i + 1}`, this.#rules, bytes);
  }

  begin(job: Job): void {
    (this.#idle.pop() ?? this.#newWorker(job)).begin(job);
  }

  abort(job: Job, reason: unknown): void {
    (job.engineState as LocalWorker).abort(job, reason);
  }

  terminate(job: Job): void {
    (job.engineState as LocalWorker).terminate(job);
  }

  *close(): Op<void> {
    const workers = [...this.#workers];
    for (const worker of workers) worker.close();
    this.#idle.length = 0;
    yield* select({ gone: until(Promise.all(workers.map(({ gone }) => gone))), late: sleep(closeLimitMs) });
  }

  workerIdle(worker: LocalWorker): void {
    this.#idle.push(worker);
  }

  workerEnding(worker: LocalWorker): void {
    const index = this.#idle.indexOf(worker);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  workerGone(worker: LocalWorker): void {
    this.#workers.delete(worker);
    this.workerEnding(worker);
  }

  #newWorker(job: Job): LocalWorker {
    checkNesting(`a worker for ${job.label} was to be started`);
    try {
      const worker = this.#make(this);
      this.#workers.add(worker);
      return worker;
    } catch (cause) {
      throw new WorkerStartError(`a worker for ${job.label} could not be made: ${(cause as Error).message}`, { cause });
    }
  }
}
