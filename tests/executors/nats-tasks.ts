// nats-tasks.ts: tasks for workers in processes of their own, some of which take their worker with them.
import { appendFileSync } from 'node:fs';
import { type Op, sleep } from 'tendril';
import { defineTasks } from 'tendril/executors';

export const tasks = defineTasks(
  import.meta.url,
  {
    /** Takes some time, leaves a line in `log`, and returns twice `n`. */
    *double(n: number, ms: number, log: string): Op<number> {
      yield* sleep(ms);
      appendFileSync(log, `${n}\n`);
      return 2 * n;
    },
    /** Ends its worker as nothing else does. */
    deadly(log: string): void {
      appendFileSync(log, 'deadly\n');
      process.kill(process.pid, 'SIGKILL');
    },
    /** Says in `log` that it has begun, and takes its time. */
    *lasting(log: string, ms = Number.POSITIVE_INFINITY): Op<string> {
      appendFileSync(log, 'began\n');
      yield* sleep(ms);
      return 'ended';
    },
    checked: (n: number): number => n,
    pid: (): number => process.pid,
  },
  {
    validate: {
      checked([n]) {
        if (typeof n !== 'number') throw new TypeError(`checked takes a number, not ${typeof n}`);
        return [n];
      },
    },
  },
);
