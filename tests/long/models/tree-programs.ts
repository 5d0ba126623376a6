// tree-programs.ts: random trees of scopes, timeouts, shields, cleanup and failures.
//
// All durations are sums of different powers of two, so no two events of a program fall together unless one causes the other, and nothing
// depends on who runs first.
import fc from 'fast-check';

export type Step =
  | { do: 'sleep'; ms: number }
  | { do: 'fail' }
  | { do: 'spawn' | 'scope' | 'swallow'; body: Step[] }
  | { do: 'guard'; body: Step[]; cleanupMs: number; fails: boolean }
  | { do: 'timeout' | 'deadline'; ms: number; body: Step[]; otherwise: boolean }
  | { do: 'limit'; ms: number; sleepMs: number; otherwise: boolean }
  | { do: 'shield'; graceMs: number; body: Step[] };

export interface Program {
  readonly body: Step[];
  /** When each greenlet is killed, if at all: the first is the root, the others in the order of the text. */
  readonly kills: number[];
}

/** What is said of each step, and when a greenlet that it spawns is killed. */
export type Plan = ReadonlyMap<object, { readonly id: number; readonly killMs: number }>;

/** Number all steps and say when each greenlet is killed. */
export function planOf({ body, kills }: Program): Plan {
  const plan = new Map<object, { id: number; killMs: number }>();
  let killed = 1;
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) {
      const killMs = step.do === 'spawn' ? kills[killed++] : undefined;
      plan.set(step, { id: plan.size + 1, killMs: killMs ?? Number.POSITIVE_INFINITY });
      if ('body' in step) visit(step.body);
    }
  };
  visit(body);
  return plan;
}

const ms = fc.integer({ min: 1, max: 40 });
const { body: anyBody } = fc.letrec<{ body: Step[]; step: Step }>((tie) => {
  const body = fc.array(tie('step'), { maxLength: 4 });
  return {
    body,
    step: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      { weight: 5, arbitrary: fc.record({ do: fc.constant('sleep' as const), ms }) },
      { weight: 1, arbitrary: fc.constant({ do: 'fail' as const }).map((step) => ({ ...step })) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('limit' as const), ms, sleepMs: ms, otherwise: fc.boolean() }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('spawn' as const), body }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('scope' as const), body }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('swallow' as const), body }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('guard' as const), body, cleanupMs: ms, fails: fc.boolean() }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constantFrom('timeout' as const, 'deadline' as const),
          ms: fc.integer({ min: 0, max: 60 }),
          body,
          otherwise: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('shield' as const), graceMs: ms, body }) },
    ) as fc.Arbitrary<Step>,
  };
});

/**
 * Make no two events fall together; let only scopes spawn, and each child begin with a sleep; no shield with a grace directly in another one.
 */
function tidy(steps: readonly Step[], kinds: ReadonlySet<string>): Step[] {
  let bit = 1;
  const apart = (given: number): number => {
    bit /= 2;
    return given + bit;
  };
  const visit = (list: readonly Step[], inScope: boolean, inShield: boolean): Step[] =>
    list.flatMap((step): Step[] => {
      if (bit < 2 ** -34) return [];
      if (!kinds.has(step.do)) return 'body' in step ? visit(step.body, inScope, inShield) : [];
      const inner = (child: Step[]): Step[] => visit(child, inScope, inShield);
      switch (step.do) {
        case 'sleep':
          return [{ ...step, ms: apart(step.ms) }];
        case 'fail':
          return [{ ...step }];
        case 'limit':
          return [{ ...step, ms: apart(step.ms), sleepMs: apart(step.sleepMs) }];
        case 'spawn':
          if (!inScope) return inner(step.body);
          return [{ ...step, body: [{ do: 'sleep', ms: apart(1) }, ...visit(step.body, true, false)] }];
        case 'scope':
          return [{ ...step, body: visit(step.body, true, inShield) }];
        case 'swallow':
          return [{ ...step, body: inner(step.body) }];
        case 'guard':
          return [{ ...step, cleanupMs: apart(step.cleanupMs), body: inner(step.body) }];
        case 'timeout':
        case 'deadline':
          return [{ ...step, ms: step.ms === 0 ? 0 : apart(step.ms), body: inner(step.body) }];
        case 'shield':
          if (inShield) return inner(step.body);
          return [{ ...step, graceMs: apart(step.graceMs), body: visit(step.body, inScope, true) }];
        default:
          throw step satisfies never;
      }
    });
  return visit(steps, false, false);
}

const ALWAYS = ['sleep', 'fail', 'swallow', 'guard'];

/** Programs with the steps in `kinds`, and sleeps, failures and cleanup. */
export function programs(kinds: readonly string[]): fc.Arbitrary<Program> {
  const all = new Set([...ALWAYS, ...kinds]);
  return fc.record({
    body: fc.array(anyBody, { minLength: 1, maxLength: 3 }).map((bodies) =>
      tidy(
        bodies.map((body): Step => (kinds.includes('scope') ? { do: 'scope', body } : { do: 'swallow', body })),
        all,
      ),
    ),
    kills: fc
      .array(fc.option(fc.integer({ min: 0, max: 120 }), { nil: Number.POSITIVE_INFINITY, freq: 2 }), { maxLength: 8 })
      .map((times) => times.map((at, index) => at + 2 ** (-36 - index))),
  });
}
