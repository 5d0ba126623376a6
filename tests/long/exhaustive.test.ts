// exhaustive.test.ts: small programs of three greenlets under every schedule with at most two preemptions; prints how many those are.
import { describe, expect, it } from 'vitest';
import { PROGRAMS } from '../core/explorations.ts';

describe('under every schedule with at most two preemptions', () => {
  it.each(PROGRAMS)('$title', { timeout: 600_000 }, async ({ title, explore }) => {
    const schedules = await explore(2);
    console.log(`${schedules} schedules: ${title}`);
    expect(schedules).toBeGreaterThan(100);
  });
});
