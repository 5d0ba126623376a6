// depth.ts: How does the cost of a resume grow with the depth of the call chain that waits?
//
// At the bottom of `depth` nested calls a greenlet yields again and again; only that loop is timed. Every `yield*` level is entered anew on
// each resume, so the plain chain grows with the depth and overflows at some thousands; through call() a resume costs the same at
// any depth. Floors and peers: a bare generator chain without a scheduler, nested async functions, nested Effect.gen. The
// note under the last row is the slope: what one more `yield*` level adds to a resume.
//
// How to run: npm run bench -- --only depth

import { type Contestant, type Outcome, ours, type Row } from './contest.ts';

type Op<T> = import('tendril').Op<T>;
type EffectOf<T> = import('effect').Effect.Effect<T>;

/** What the bottom of a chain reports. */
interface Bottom {
  turns: number;
  startedAt: bigint;
  endedAt: bigint;
}

function outcome(bottom: Bottom): Outcome {
  return { answer: bottom.turns, total: Number(bottom.endedAt - bottom.startedAt) };
}

function newBottom(): Bottom {
  return { turns: 0, startedAt: 0n, endedAt: 0n };
}

function tendril(depth: number): Contestant {
  return {
    name: ours,
    async start() {
      const { run, yieldNow } = await import('tendril');
      function* down(level: number, count: number, bottom: Bottom): Op<number> {
        if (level > 1) return (yield* down(level - 1, count, bottom)) + 1;
        bottom.startedAt = process.hrtime.bigint();
        for (let i = 0; i < count; i += 1) {
          yield* yieldNow();
          bottom.turns += 1;
        }
        bottom.endedAt = process.hrtime.bigint();
        return 1;
      }
      return async (count) => {
        const bottom = newBottom();
        await run(down, depth, count, bottom);
        return outcome(bottom);
      };
    },
  };
}

function tendrilCall(depth: number): Contestant {
  return {
    name: 'tendril, call()',
    async start() {
      const { call, run, yieldNow } = await import('tendril');
      function* down(level: number, count: number, bottom: Bottom): Op<number> {
        if (level > 1) return (yield* call(down(level - 1, count, bottom))) + 1;
        bottom.startedAt = process.hrtime.bigint();
        for (let i = 0; i < count; i += 1) {
          yield* yieldNow();
          bottom.turns += 1;
        }
        bottom.endedAt = process.hrtime.bigint();
        return 1;
      }
      return async (count) => {
        const bottom = newBottom();
        await run(down, depth, count, bottom);
        return outcome(bottom);
      };
    },
  };
}

function bareChain(depth: number): Contestant {
  return {
    name: 'bare yield* chain',
    async start() {
      function* down(level: number, count: number, bottom: Bottom): Generator<undefined, number> {
        if (level > 1) return (yield* down(level - 1, count, bottom)) + 1;
        bottom.startedAt = process.hrtime.bigint();
        for (let i = 0; i < count; i += 1) {
          yield;
          bottom.turns += 1;
        }
        bottom.endedAt = process.hrtime.bigint();
        return 1;
      }
      return async (count) => {
        const bottom = newBottom();
        const chain = down(depth, count, bottom);
        while (chain.next().done !== true);
        return outcome(bottom);
      };
    },
  };
}

function promises(depth: number): Contestant {
  return {
    name: 'promises',
    async start() {
      async function down(level: number, count: number, bottom: Bottom): Promise<number> {
        if (level > 1) {
          // A pause now and then: async calls use the stack on the way down.
          if (level % 1000 === 0) await null;
          return (await down(level - 1, count, bottom)) + 1;
        }
        bottom.startedAt = process.hrtime.bigint();
        for (let i = 0; i < count; i += 1) {
          await null;
          bottom.turns += 1;
        }
        bottom.endedAt = process.hrtime.bigint();
        return 1;
      }
      return async (count) => {
        const bottom = newBottom();
        await down(depth, count, bottom);
        return outcome(bottom);
      };
    },
  };
}

function effect(depth: number): Contestant {
  return {
    name: 'Effect',
    async start() {
      const { Effect } = await import('effect');
      const down: (level: number, count: number, bottom: Bottom) => EffectOf<number> = Effect.fnUntraced(function* (
        level: number,
        count: number,
        bottom: Bottom,
      ) {
        if (level > 1) return (yield* down(level - 1, count, bottom)) + 1;
        bottom.startedAt = process.hrtime.bigint();
        for (let i = 0; i < count; i += 1) {
          yield* Effect.yieldNow;
          bottom.turns += 1;
        }
        bottom.endedAt = process.hrtime.bigint();
        return 1;
      });
      return async (count) => {
        const bottom = newBottom();
        await Effect.runPromise(down(depth, count, bottom));
        return outcome(bottom);
      };
    },
  };
}

const overflow = 'a chain this deep overflows the stack';

function row(depth: number): Row {
  const deep = depth > 4000;
  return {
    name: `resume at depth ${depth.toLocaleString('en')}`,
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    // Most of a deep round is the way down and back, which is not timed.
    ...(deep ? { count: 320_000 } : {}),
    answer: (count) => count,
    contestants: [
      deep ? { name: ours, absent: `${overflow}: that is what call() is for` } : tendril(depth),
      tendrilCall(depth),
      deep ? { name: 'bare yield* chain', absent: overflow } : bareChain(depth),
      promises(depth),
      { name: 'Effection', absent: 'no yield to measure with' },
      effect(depth),
    ],
    goals: [],
  };
}

export const rows: readonly Row[] = [1, 10, 100, 1000, 100_000].map(row);
