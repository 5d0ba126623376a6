// conformance.test.ts: every socket behaviour on every ground: what a program sees must be the same.
//
// Where there is no such thing on a ground, the case says so and why; that is printed with how many ran where, and too few are a failure.
import { afterAll, describe, expect, it } from 'vitest';
import type { Ground } from './ground.ts';
import { tcp, tls, unix } from './real-grounds.ts';
import { simulatedTcp, simulatedUnix } from './simulated-grounds.ts';
import { cases, reasonAgainst, subjects } from './subjects.ts';

/** How many behaviours must run on TCP and in simulation. */
const LEAST = 60;

const grounds: readonly Ground[] = [tcp, unix, tls, simulatedTcp, simulatedUnix];
const needed: readonly Ground[] = [tcp, tls, simulatedTcp];
/** The titles that have passed on each ground. */
const passed = new Map(grounds.map((ground) => [ground, new Set<string>()]));

describe.each(grounds)('On $name', (ground) => {
  for (const [subject, ofSubject] of Object.entries(subjects)) {
    describe(subject, () => {
      for (const each of ofSubject) {
        if (reasonAgainst(each, ground) !== undefined) continue;
        it(each.title, async () => {
          expect(await ground.open(each.body)).toEqual(each.expected);
          passed.get(ground)?.add(each.title);
        });
      }
    });
  }
});

describe('The suite', () => {
  it('tells its cases apart', () => {
    expect(new Set(cases.map(({ title }) => title)).size).toBe(cases.length);
  });

  it(`has run at least ${LEAST} behaviours on ${needed.map(({ name }) => name).join(' and ')}`, () => {
    for (const ground of needed) expect(passed.get(ground)?.size).toBeGreaterThanOrEqual(LEAST);
  });

  afterAll(() => {
    const counts = grounds.map((ground) => `${passed.get(ground)?.size} on ${ground.name}`);
    const missing = cases.flatMap((each) =>
      Object.entries(each.absent).map(([name, reason]) => `  not on ${name}: ${each.title} (${reason})`),
    );
    console.log([`socket behaviours: ${cases.length}; passed: ${counts.join(', ')}`, ...missing].join('\n'));
  });
});
