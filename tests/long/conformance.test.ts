// conformance.test.ts: the socket behaviours of tests/conformance, each in forty simulated worlds more.
import { describe, expect, it } from 'vitest';
import { seenInAll, simulatedTcp, simulatedUnix, slow } from '../conformance/simulated-grounds.ts';
import { cases, reasonAgainst } from '../conformance/subjects.ts';

const worlds = Array.from({ length: 20 }, (_, i) => [{ seed: 100 + i }, { seed: 200 + i, ...slow }]).flat();

describe.each([simulatedTcp, simulatedUnix])('On $name', (ground) => {
  for (const each of cases) {
    if (reasonAgainst(each, ground) !== undefined) continue;
    it(each.title, { timeout: 60_000 }, async () => {
      expect(await seenInAll(ground.kind, each.body, worlds)).toEqual(each.expected);
    });
  }
});
