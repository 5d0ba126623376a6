// exhaustive.test.ts: small programs of three greenlets under every schedule with no preemption: every order of the runnable (tests/long preempts twice).
import { describe, expect, it } from 'vitest';
import { PROGRAMS } from './explorations.ts';

describe('under every schedule in every order of the runnable', () => {
  it.each(PROGRAMS)('$title', async ({ explore }) => {
    expect(await explore(0)).toBeGreaterThan(10);
  });
});
