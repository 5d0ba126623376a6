// tasks.ts: tasks that handlers of executors.test.ts run.
import { sleep } from 'tendril';
import { defineTasks } from 'tendril/executors';

/** What `untilKilled` has seen of its end. */
export const ends: string[] = [];

export const tasks = defineTasks(import.meta.url, {
  length: (text: string) => text.length,
  *slowLength(text: string) {
    yield* sleep(10 * text.length);
    return 10 * text.length;
  },
  fail(text: string): number {
    throw new Error(`cannot measure ${text}`);
  },
  *untilKilled(text: string) {
    try {
      yield* sleep(1e9);
      return 0;
    } finally {
      ends.push(`${text} was stopped`);
    }
  },
});
