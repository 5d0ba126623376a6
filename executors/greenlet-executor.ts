// greenlet-executor.ts: the executor whose workers are greenlets of this thread: for tasks that wait, so many at once.
//
// Nothing is copied and nothing needs to travel. It is of this world, so it runs under the virtual clock and in explored schedules, where it stands in for the others:
// a program that takes an Executor is tested with this one.

import { rangeError } from '../core/bad-argument.ts';
import { failureOf } from '../core/end.ts';
import type { Greenlet } from '../core/greenlet.ts';
import type { Op } from '../core/op.ts';
import { FAILED, KILLED } from '../core/status.ts';
import type { Engine } from './engine.ts';
import { Executor } from './executor.ts';
import type { ExecutorOptions } from './executor-options.ts';
import type { Job } from './job.ts';
import { takeMoved } from './move.ts';
import { greenletOf } from './tasks.ts';

class GreenletEngine implements Engine {
  readonly places: number;
  readonly external = false;

  constructor(places: number) {
    this.places = places;
  }

  check(): void {}

  begin(job: Job): void {
    const greenlet = greenletOf(job.task, job.args);
    greenlet.rare().name = job.label;
    job.engineState = greenlet;
    greenlet.markSeen();
    greenlet.onEnd(() => {
      if ((greenlet.status & FAILED) === 0) {
        takeMoved([greenlet.value]);
        job.end({ kind: 'value', value: greenlet.value });
      } else if ((greenlet.status & KILLED) !== 0) job.end({ kind: 'killed' });
      else job.end({ kind: 'error', error: failureOf(greenlet) });
    });
    greenlet.start();
  }

  abort(job: Job, reason: unknown): void {
    (job.engineState as Greenlet).kill(reason);
  }

  terminate(job: Job): void {
    (job.engineState as Greenlet).kill(job.asked?.reason);
  }

  *close(): Op<void> {}
}

/** Runs tasks in greenlets of this thread, at most `size` at once. */
export class GreenletExecutor extends Executor {
  /** @throws RangeError if `size` is no positive integer or Infinity. @throws TypeError for bad options. */
  constructor(size: number, options?: ExecutorOptions) {
    if (size !== Number.POSITIVE_INFINITY && !(Number.isInteger(size) && size >= 1))
      throw rangeError(`GreenletExecutor: the size is a positive integer or Infinity, not ${String(size)}`);
    super(new GreenletEngine(size), 'GreenletExecutor', options);
  }
}
