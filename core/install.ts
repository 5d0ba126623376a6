// install.ts: give the kernel its driver: once per process or page, before the first spawn.
//
// `tendril` does this for Node when it is imported; on other hosts the program does. A simulation does not: it makes a scheduler of its own beside
// the installed one.

import type { Driver } from './driver.ts';
import { UsageError } from './errors.ts';
import { kernel } from './kernel.ts';
import { Scheduler } from './scheduler.ts';
import { UnstartedWatch } from './unstarted.ts';

/** Make a scheduler over `driver` and use it for every spawn from ordinary code. @throws UsageError if there is one already. */
export function install(driver: Driver): Scheduler {
  if (kernel.scheduler !== undefined)
    throw new UsageError('a driver is installed already: there is one scheduler per process');
  const scheduler = new Scheduler(driver);
  kernel.scheduler = scheduler;
  if (driver.development) {
    const watch = new UnstartedWatch((warning) => driver.warn(warning));
    kernel.watch = watch;
    driver.onQuiescent(() => watch.flush());
  }
  return scheduler;
}
