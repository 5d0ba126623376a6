// local-worker.ts: one worker of this machine, a thread or a process, as its executor sees it: what it runs, and what becomes of that if it ends.
//
// It starts when it is made, for a first task, and is used for one task after another until it ends. How it is started, spoken to and ended is a subclass's. A worker
// that ends takes its task with it and nobody sends the task again, so a worker that cannot start fails one task, and the next task tries anew: there is no loop of starts.
//
//        made -> starting -> ready -> ending -> gone
//                    \_________________/^        ^ from each, if it is lost
//
// Invariants, between any two steps:
//   a job has begun here and has not ended  implies  the worker holds the process
//   the state is ending                     implies  `verdict` says how a job that is still here ends
//   the timer is armed                      implies  the worker starts, or imports the module of its job, or ends

import type { Transferable } from 'node:worker_threads';
import type { Job, JobEnd } from '../job.ts';
import { describeThrown, type Thrown } from '../thrown.ts';
import { endOf, lateError, lossOf, type WorkerEnd } from './worker-end.ts';
import type { LocalAnswer, LocalCall } from './worker-tasks.ts';

// Taken at load: patches never reach us.
const { setTimeout, clearTimeout } = globalThis;

/** How long a worker that is to be ended has to say that it hears us, and so executes nothing that could be shown. */
const hearingMs = 25;
/** How long the inspector has to say where a worker is that does not hear us. It is quick, but on a busy machine; a call of the system is never seen. */
const stackLimitMs = 1_500;
/** How long a worker that was told to end has before its task is given up: one that is in a call of the system ends when that does. */
const endLimitMs = 1_000;

/** Beyond it Node fires after 1 ms. */
const longestDelayMs = 2 ** 31 - 1;

/** The engine of a worker. */
export interface WorkerKeeper {
  readonly maxBytes: number;
  readonly startTimeoutMs: number;
  /** It could take a task. */
  workerIdle(worker: LocalWorker): void;
  /** It takes no tasks any more. */
  workerEnding(worker: LocalWorker): void;
  workerGone(worker: LocalWorker): void;
}

type WorkerState = 'starting' | 'ready' | 'ending' | 'gone';

export abstract class LocalWorker {
  readonly #keeper: WorkerKeeper;
  readonly #modules: Set<string> = new Set();
  #state: WorkerState = 'starting';
  #job: Job | undefined = undefined;
  #verdict: (where: string | undefined) => JobEnd = (where) => ({ kind: 'killed', where });
  #where: string | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  /** When it will have gone. */
  readonly gone: Promise<void>;
  readonly #tellGone: () => void;
  /** While it is looked at: aborts when that is of no use any more. */
  #looking: AbortController | undefined = undefined;

  constructor(keeper: WorkerKeeper) {
    this.#keeper = keeper;
    let tell = (): void => {};
    this.gone = new Promise((resolve) => {
      tell = resolve;
    });
    this.#tellGone = tell;
  }

  /** Send a task. What it throws is the task's error. */
  protected abstract send(call: LocalCall, moved: readonly Transferable[]): void;
  /** Send word that a task is to stop. */
  protected abstract ask(id: number, reason: Thrown): void;
  /** Have it call `heard`, unless it is busy. */
  protected abstract ping(): void;
  /** Find out what it executes, until `over` aborts. Never rejects. */
  protected abstract stack(over: AbortSignal): Promise<string | undefined>;
  /** End it, whatever it does. */
  protected abstract kill(): void;
  /** Let it end: it does nothing. */
  protected abstract retire(): void;
  /** Keep the process alive, or do not. */
  protected abstract hold(holding: boolean): void;

  begin(job: Job): void {
    const { id, task, args, moved } = job;
    const { module, name } = task;
    this.#job = job;
    job.engineState = this;
    this.hold(true);
    if (this.#state === 'starting' || !this.#modules.has(module)) this.#arm(this.#keeper.startTimeoutMs);
    try {
      this.send({ id, module, name, args, maxBytes: this.#keeper.maxBytes }, moved);
    } catch (error) {
      this.#free();
      this.hold(false);
      throw error;
    }
    // A long task does not keep two copies.
    job.forgetArgs();
  }

  abort(job: Job, reason: unknown): void {
    if (this.#job === job && this.#state !== 'gone') this.ask(job.id, describeThrown(reason));
  }

  terminate(job: Job): void {
    if (this.#job === job) void this.#end((where) => ({ kind: 'killed', where }));
  }

  /** The executor is closed. */
  close(): void {
    if (this.#state === 'gone') return;
    if (this.#job === undefined && this.#state !== 'ending') {
      this.#state = 'ending';
      this.hold(true);
      this.#arm(endLimitMs);
      this.retire();
    } else this.kill();
  }

  /** It has started. */
  protected started(): void {
    if (this.#state !== 'starting') return;
    this.#state = 'ready';
    // From here on the module has the time.
    if (this.#job !== undefined) this.#arm(this.#keeper.startTimeoutMs);
  }

  protected loaded(module: string): void {
    this.#modules.add(module);
    if (this.#state === 'ready' && this.#job?.task.module === module) this.#disarm();
  }

  protected answered(answer: LocalAnswer): void {
    const job = this.#job;
    if (job === undefined || job.id !== answer.id) return;
    this.#finish(job, endOf(answer, job.label));
    job.scheduler.turnSoon();
  }

  /** It has answered a ping. */
  protected heard(): void {
    this.#looking?.abort();
  }

  /** The task could not be sent, or not be sent back. */
  protected refused(error: unknown): void {
    if (this.#job !== undefined) this.#finish(this.#job, { kind: 'error', error });
  }

  /** It is about to end by itself. */
  protected failing(): void {
    this.#keeper.workerEnding(this);
  }

  /** It has ended, by itself or not. */
  protected lost(end: WorkerEnd): void {
    if (this.#state === 'gone') return;
    const before = this.#state;
    this.#state = 'gone';
    this.#disarm();
    this.#looking?.abort();
    this.#keeper.workerGone(this);
    const job = this.#job;
    if (job !== undefined)
      this.#finish(job, before === 'ending' ? this.#verdict(this.#where) : lossOf(job, before === 'starting', end));
    this.#tellGone();
  }

  /** Before the job ends, since its end begins the next one. */
  #free(): void {
    this.#job = undefined;
    if (this.#state === 'ready') {
      this.#disarm();
      this.#keeper.workerIdle(this);
    } else if (this.#state === 'starting') void this.#end(this.#verdict);
  }

  #finish(job: Job, end: JobEnd): void {
    this.#free();
    job.end(end);
    if (this.#job === undefined) this.hold(false);
  }

  async #end(verdict: (where: string | undefined) => JobEnd): Promise<void> {
    if (this.#state === 'ending' || this.#state === 'gone') return;
    const runs = this.#state === 'ready';
    this.#state = 'ending';
    this.#verdict = verdict;
    this.#disarm();
    this.#keeper.workerEnding(this);
    if (runs) this.#where = await this.#look();
    // It may have ended meanwhile.
    if ((this.#state as WorkerState) === 'gone') return;
    this.#arm(endLimitMs);
    this.kill();
  }

  /** What it executes; undefined if it waits, or if that cannot be found out. */
  async #look(): Promise<string | undefined> {
    const looking = new AbortController();
    this.#looking = looking;
    const timer = setTimeout(() => looking.abort(), stackLimitMs);
    this.ping();
    await new Promise<void>((resolve) => {
      const patience = setTimeout(resolve, hearingMs);
      looking.signal.addEventListener('abort', () => {
        clearTimeout(patience);
        resolve();
      });
    });
    const where = looking.signal.aborted ? undefined : await this.stack(looking.signal);
    clearTimeout(timer);
    this.#looking = undefined;
    return where;
  }

  #arm(ms: number): void {
    this.#disarm();
    if (ms !== Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.#late(ms), Math.min(ms, longestDelayMs)).unref();
  }

  #disarm(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #late(ms: number): void {
    this.#timer = undefined;
    const job = this.#job;
    if (this.#state === 'ending') {
      if (job !== undefined) this.#finish(job, this.#verdict(this.#where));
      else this.kill();
    } else if (job !== undefined) {
      const starting = this.#state === 'starting';
      void this.#end((where) => ({ kind: 'error', error: lateError(job, starting, ms, where) }));
    }
  }
}
