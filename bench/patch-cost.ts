// patch-cost.ts: What do patches cost a program's ordinary code, and is `yield* promise` as fast as `await promise`?
//
// Outside greenlets: the same code with every patch applied (`tendril`) and with none (`unpatched`), in a process each. Promise-heavy: async functions that await promises, then()
// and Promise.all. Timer-heavy: timers that are cleared, immediates that fire. Event-heavy: listeners that come, are called and go.
// In greenlets: a promise that is settled, and one that an immediate settles, waited for with `yield*`, `yield* until()` and, in an async function, `await`.
//
// How to run: npm run bench -- --only 'outside greenlets' --only 'a promise'

import { EventEmitter } from 'node:events';
import { type Contestant, type Outcome, ours, type Round, type Row } from './contest.ts';

async function applyAll(): Promise<void> {
  const { patchAll, patchPromise } = await import('tendril/patches');
  patchAll();
  patchPromise();
}

/** `round` patched and unpatched. */
function both(round: Round): Contestant[] {
  return [
    {
      name: ours,
      async start() {
        await applyAll();
        return round;
      },
    },
    { name: 'unpatched', start: async () => round },
  ];
}

async function double(value: number): Promise<number> {
  return (await Promise.resolve(value)) * 2;
}

async function promiseHeavy(count: number): Promise<Outcome> {
  let sum = 0;
  for (let done = 0; done < count; done += 4) {
    sum += await double(1);
    sum += await double(1).then((value) => value);
    const [a, b] = await Promise.all([double(1), double(1)]);
    sum += (a as number) + (b as number);
  }
  return { answer: sum };
}

async function timerHeavy(count: number): Promise<Outcome> {
  let done = 0;
  while (done < count) {
    for (let index = 0; index < 50 && done < count; index += 1) {
      clearTimeout(setTimeout(() => {}, 1000));
      done += 1;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { answer: done };
}

async function eventHeavy(count: number): Promise<Outcome> {
  const emitter = new EventEmitter();
  let heard = 0;
  for (let done = 0; done < count; done += 1) {
    const listener = (value: number): void => void (heard += value);
    emitter.on('event', listener);
    emitter.emit('event', 1);
    emitter.removeListener('event', listener);
  }
  return { answer: heard };
}

type Make = () => Promise<number>;
const settled: Make = () => Promise.resolve(1);
const later: Make = () => new Promise((resolve) => setImmediate(resolve, 1));

function waiting(make: Make): Contestant[] {
  return [
    {
      name: ours,
      async start() {
        const { run } = await import('tendril');
        await applyAll();
        function* body(count: number) {
          let sum = 0;
          // The benchmark does not ask for the types that make promises Ops.
          for (let done = 0; done < count; done += 1) sum += yield* make() as unknown as Generator<never, number>;
          return sum;
        }
        return async (count): Promise<Outcome> => ({ answer: await run(body, count) });
      },
    },
    {
      name: 'yield* until(promise)',
      async start() {
        const { run, until } = await import('tendril');
        function* body(count: number) {
          let sum = 0;
          for (let done = 0; done < count; done += 1) sum += yield* until(make());
          return sum;
        }
        return async (count): Promise<Outcome> => ({ answer: await run(body, count) });
      },
    },
    {
      name: 'await promise',
      start: async () => async (count) => {
        let sum = 0;
        for (let done = 0; done < count; done += 1) sum += await make();
        return { answer: sum };
      },
    },
  ];
}

const common = { unit: 'ns', measure: 'each', better: 'lower', answer: (count: number) => count } as const;
const free = [{ stage: 'target', against: ['unpatched'], factor: 1.03 }] as const;

export const rows: readonly Row[] = [
  {
    ...common,
    name: 'promises outside greenlets',
    answer: (count) => Math.ceil(count / 4) * 8,
    contestants: both(promiseHeavy),
    goals: free,
  },
  { ...common, name: 'timers outside greenlets', contestants: both(timerHeavy), goals: free },
  { ...common, name: 'events outside greenlets', contestants: both(eventHeavy), goals: free },
  { ...common, name: 'a promise that is settled', contestants: waiting(settled), goals: [] },
  { ...common, name: 'a promise that an immediate settles', contestants: waiting(later), goals: [] },
];
