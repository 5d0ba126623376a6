// descriptors.ts: how many descriptors this process has open, as the system counts them.
import { readdirSync } from 'node:fs';
import { type Op, sleep } from 'tendril';
import { expect } from 'vitest';

export function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Wait until no more than `count` are open: closing takes a moment in another thread. */
export function* descriptorsBackAt(count: number): Op<void> {
  for (let i = 0; i < 2000 && descriptors() > count; i += 1) yield* sleep(1);
  expect(descriptors()).toBeLessThanOrEqual(count);
}
