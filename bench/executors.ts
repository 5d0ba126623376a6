// executors.ts: What does a task cost beyond what it computes, on a thread and in a child process, and how much faster are two workers than one?
//
// Two workers, and as many greenlets, or async functions, that submit one task after another. The peers are bare: `piscina.run` with its own defaults, and `fork` with `send`
// and a map of promises (the serialization is the same, 'advanced'). A task of nothing is the worst case: on few cores most of its time is that threads wake each other,
// which varies more than anything else here, so compare the CPU time too, and the task of 100 us. The last row is the memory of a task that waits for a worker.
//
// How to run: npm run bench -- --only task

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Executor } from 'tendril/executors';
import { type Contestant, type Outcome, ours, type Round, type Row, sumBelow } from './contest.ts';

type Work = 'same' | 'little' | 'much';
type Kind = 'threads' | 'processes';

const places = 2;

async function executorOf(kind: Kind, size: number): Promise<Executor> {
  if (kind === 'processes') return new (await import('tendril/executors/processes')).ProcessExecutor(size);
  return new (await import('tendril/executors/threads')).ThreadExecutor(size);
}

/** Submit `count` tasks by `lanes` greenlets, each of which waits for its own. */
function executor(name: string, kind: Kind, work: Work, size: number, lanes: number): Contestant {
  return {
    name,
    async start() {
      const [{ run, spawn }, { tasks }] = await Promise.all([import('tendril'), import('./executor-tasks.ts')]);
      const made = await executorOf(kind, size);
      function* lane(first: number, count: number) {
        let sum = 0;
        for (let i = first; i < count; i += lanes) sum += yield* made.submit(tasks[work], i);
        return sum;
      }
      function* body(count: number) {
        const lanesOf = Array.from({ length: lanes }, (_, first) => spawn(lane, first, count));
        let sum = 0;
        for (const each of lanesOf) sum += yield* each.get();
        return sum;
      }
      return async (count) => ({ answer: await run(body, count) });
    },
  };
}

/** The same of async functions; `call` runs a task in a lane. */
function asyncLanes(lanes: number, call: (value: number, lane: number) => Promise<number>): Round {
  async function lane(first: number, count: number): Promise<number> {
    let sum = 0;
    for (let i = first; i < count; i += lanes) sum += await call(i, first);
    return sum;
  }
  return async (count): Promise<Outcome> => {
    const sums = await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first, count)));
    return { answer: sums.reduce((sum, each) => sum + each, 0) };
  };
}

function piscina(work: Work): Contestant {
  return {
    name: 'piscina',
    async start() {
      const { Piscina } = await import('piscina');
      const filename = new URL('./executor-work.js', import.meta.url).href;
      const pool = new Piscina<number, number>({ filename, name: work, minThreads: places, maxThreads: places });
      return asyncLanes(places, (value) => pool.run(value));
    },
  };
}

interface Child {
  call(value: number): Promise<number>;
}

function bareChild(work: Work): Child {
  const child = fork(fileURLToPath(new URL('./executor-child.js', import.meta.url)), [], { serialization: 'advanced' });
  const waiting = new Map<number, (value: number) => void>();
  let lastId = 0;
  child.on('message', ({ id, value }: { id: number; value: number }) => {
    waiting.get(id)?.(value);
    waiting.delete(id);
  });
  return {
    call: (value) =>
      new Promise((resolve) => {
        lastId += 1;
        waiting.set(lastId, resolve);
        child.send({ id: lastId, name: work, value });
      }),
  };
}

function forks(work: Work): Contestant {
  return {
    name: 'fork and send',
    async start() {
      const children = Array.from({ length: places }, () => bareChild(work));
      return asyncLanes(places, (value, lane) => (children[lane] as Child).call(value));
    },
  };
}

function taskRow(what: string, kind: Kind, work: Work): Row {
  const peer = kind === 'threads' ? piscina(work) : forks(work);
  return {
    name: `task of ${what}, 2 ${kind}`,
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    answer: sumBelow,
    contestants: [executor(ours, kind, work, places, places), peer],
    goals: [{ stage: 'target', against: [peer.name], factor: 1.2 }],
  };
}

function speedUpRow(kind: Kind): Row {
  const one = `one of the ${kind}`;
  return {
    name: `tasks of 20 ms, 2 ${kind}`,
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    count: 96,
    answer: sumBelow,
    contestants: [executor(ours, kind, 'much', 2, 4), executor(one, kind, 'much', 1, 4)],
    goals: [{ stage: 'target', against: [one], factor: 0.59 }],
  };
}

/** What must outlive the second measurement. */
const kept: unknown[] = [];

const pendingBytes: Contestant = {
  name: ours,
  async start() {
    const [{ ThreadExecutor }, { tasks }] = await Promise.all([
      import('tendril/executors/threads'),
      import('./executor-tasks.ts'),
    ]);
    return async (count): Promise<Outcome> => {
      const executor = new ThreadExecutor(1);
      kept.push(executor, executor.submit(tasks.much, 0));
      const before = heapUsed();
      for (let i = 0; i < count; i += 1) kept.push(executor.submit(tasks.same, i));
      return { total: heapUsed() - before, answer: executor.stats.pending };
    };
  },
};

function heapUsed(): number {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('this row needs node --expose-gc');
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

export const rows: readonly Row[] = [
  taskRow('nothing', 'threads', 'same'),
  taskRow('100 us', 'threads', 'little'),
  taskRow('nothing', 'processes', 'same'),
  taskRow('100 us', 'processes', 'little'),
  speedUpRow('threads'),
  speedUpRow('processes'),
  {
    name: 'task that waits, bytes',
    unit: 'B',
    measure: 'each',
    better: 'lower',
    count: 10_000,
    fresh: true,
    answer: (count) => count,
    contestants: [pendingBytes],
    goals: [{ stage: 'target', limit: 1_000 }],
  },
];
