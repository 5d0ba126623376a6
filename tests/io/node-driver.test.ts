// node-driver.test.ts: what the kernel relies on in a Node process: clocks, wake-ups.
import { describe, expect, it } from 'vitest';
import type { Scheduler } from '../../core/scheduler.ts';
import { NodeDriver } from '../../io/node-driver.ts';

describe('NodeDriver.wakeAt', () => {
  it('asks for a turn at the deadline or later, although Node fires timers early, and always does', async () => {
    const early: number[] = [];
    await Promise.all(
      Array.from(
        { length: 400 },
        (_, i) =>
          new Promise<void>((resolve) => {
            const driver = new NodeDriver();
            const deadlineMs = driver.now() + 1 + i / 40;
            const scheduler = {
              askTurn() {
                if (driver.now() < deadlineMs) early.push(deadlineMs - driver.now());
                resolve();
              },
            };
            driver.attach(scheduler as Scheduler);
            driver.wakeAt(deadlineMs);
          }),
      ),
    );
    expect(early).toEqual([]);
  });

  it('forgets a request that was withdrawn or replaced', async () => {
    const driver = new NodeDriver();
    const asked: number[] = [];
    driver.attach({ askTurn: () => asked.push(driver.now()) } as unknown as Scheduler);
    const startMs = driver.now();
    driver.wakeAt(startMs + 1);
    driver.wakeAt(Number.POSITIVE_INFINITY);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(asked).toEqual([]);
    driver.wakeAt(startMs + 1);
    driver.wakeAt(startMs + 30);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(asked).toHaveLength(1);
    expect(asked[0]).toBeGreaterThanOrEqual(startMs + 30);
  });
});
