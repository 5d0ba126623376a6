// virtual-clock-warning.test.ts: in a Node process, a virtual clock that nobody moves says so after a while of real time.
import { Channel, Event, type Op, sleep, timeout, until } from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import type { VirtualClock, VirtualClockOptions } from '../../core/testing/virtual-clock.ts';
import { virtualClock } from '../../io/testing/virtual-clock.ts';

const clocks: VirtualClock[] = [];
afterEach(() => {
  for (const clock of clocks.splice(0)) clock.close();
});

function newClock(options?: VirtualClockOptions): VirtualClock {
  const clock = virtualClock(options);
  clocks.push(clock);
  return clock;
}

function* ticking(everyMs: number): Op<never> {
  for (;;) yield* sleep(everyMs);
}

describe('The warning of a clock that nobody moves', () => {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  it('comes once, and says what waits and what to do', async () => {
    const warnings: Error[] = [];
    const clock = newClock({ warnAfterMs: 5, warn: (warning) => void warnings.push(warning) });
    clock.spawn(() => timeout(700, new Channel<number>(0, { name: 'jobs' }).receive()));
    await clock.advance(100);
    await pause(60);
    clock.spawn(() => sleep(5));
    await pause(30);
    expect(warnings.map(({ name }) => name)).toEqual(['VirtualClockWarning']);
    const [first, second] = (warnings[0]?.message ?? '').split('\n');
    expect(first).toBe(
      'a virtual clock stands at 100 ms and nobody has moved it for 5 ms of real time, while its next timer is due at 700 ms: ' +
        'await clock.advance(ms) or clock.next(), or make it with {auto: true}',
    );
    expect(second).toBe('  greenlet-1 waits: timeout(700, receive) on channel jobs');
  });

  it('does not come while time is moved, without a timer, or from a clock that moves by itself', async () => {
    const warnings: Error[] = [];
    // Of all that time nobody may stand still for so long, however busy the machine is.
    const options = { warnAfterMs: 300, warn: (warning: Error) => void warnings.push(warning) };
    const moved = newClock(options);
    moved.spawn(ticking, 10);
    const waiting = newClock(options);
    waiting.spawn(() => new Event().wait());
    const auto = newClock({ ...options, auto: true });
    auto.spawn(() => timeout(10, until(pause(900))));
    // Three times as long: a clock is looked at twice before it is said to stand.
    for (let i = 0; i < 45; i += 1) {
      await moved.advance(1);
      await pause(20);
    }
    expect(warnings).toEqual([]);
  });

  it('can be switched off', async () => {
    const warnings: Error[] = [];
    const clock = newClock({
      warnAfterMs: Number.POSITIVE_INFINITY,
      warn: (warning) => void warnings.push(warning),
    });
    clock.spawn(() => sleep(10));
    await pause(20);
    expect(warnings).toEqual([]);
  });

  it('is a warning of the process if nothing else is asked for', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const clock = newClock({ warnAfterMs: 3 });
    clock.spawn(() => sleep(10));
    expect(await warned).toMatchObject({ name: 'VirtualClockWarning' });
  });
});
