// virtual-clock.ts: a virtual clock in a Node process: the host's part of core/testing/virtual-clock.ts.
//
// The clock's turns run in the check phase, as the hub's do, so promises, ticks and input come in between. Warnings, errors that nobody handles and
// AsyncLocalStorage are as in the process's own driver. What is captured here at load is what we use: neither patches nor fake timers reach us.

import type { ClockHost } from '../../core/testing/clock-driver.ts';
import { VirtualClock, type VirtualClockOptions } from '../../core/testing/virtual-clock.ts';
import { scheduler } from '../hub.ts';

const { setImmediate, setInterval, clearInterval } = globalThis;
const { driver } = scheduler;

const host: ClockHost = {
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  every(ms, tick) {
    const interval = setInterval(tick, ms).unref();
    return () => clearInterval(interval);
  },
  warn: (warning) => driver.warn(warning),
  fatal: (error, greenlet) => driver.fatal(error, greenlet),
  context: driver.context,
};

/**
 * Make a virtual clock: a world of its own, in which `clock.run(body)` runs code whose time moves only when the test says so.
 *
 * Never switches. Nothing of the process's own scheduler is touched, and real timers, `Date` and promises are what they were.
 *
 * @throws TypeError if `options` is no object or `warnAfterMs` no number.
 * @see https://trio.readthedocs.io/en/stable/reference-testing.html#trio.testing.MockClock
 */
export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  return new VirtualClock(options, host);
}
