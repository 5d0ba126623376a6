// engine.ts: what runs a task in a place: all in which one kind of executor differs from another.
//
// The executor decides when: it begins no more jobs than there are places, asks each at most once to stop, and has its worker ended at most once. The engine owes one
// thing: each job that it has begun ends, once, whatever happens to the worker.

import type { Op } from '../core/op.ts';
import type { Job } from './job.ts';
import type { AnyTask } from './tasks.ts';

/** Where tasks are run. */
export interface Engine {
  /** How many tasks it takes at once. */
  readonly places: number;
  /** Do its tasks end by something outside this world? */
  readonly external: boolean;
  /** Does it see to the limit of a task itself? Where tasks wait for a place that we do not know of, only it knows when they begin. */
  readonly keepsLimits?: boolean | undefined;
  /** Refuse what cannot travel. @throws TypeError that names the path of the value. */
  check(task: AnyTask, args: readonly unknown[]): void;
  /** Run it, and call `job.end` once. What this throws is the job's error. */
  begin(job: Job): void;
  /** Ask a job that has begun to stop. */
  abort(job: Job, reason: unknown): void;
  /** End the worker of a job that has begun, and replace it. */
  terminate(job: Job): void;
  /** No job runs or will come: let the workers go. */
  close(): Op<void>;
}
