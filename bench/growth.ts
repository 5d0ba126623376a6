// growth.ts: Does an operation cost the same beside ten others as beside a million?
//
// Each curve is one operation, at sizes from 10 to 1,000,000: so many greenlets, channels, timers, links or waiters are there at once, and the figure
// is the time for one. Where the work needs greenlets that are not what is asked about, they are made before the clock starts. The peers
// do what their users would: async functions that are awaited, setTimeout. A figure at 1,000,000 holds what the collector takes for so many objects that live.
//
// How to run: npm run bench -- --only growth

import { type Contestant, type Outcome, ours, type Row } from './contest.ts';

type Numbers = import('tendril').Channel<number>;
type Op<T> = import('tendril').Op<T>;
type Tendril = typeof import('tendril');

/** Do `batches` times `size` operations; those that are timed. */
type Batches = (size: number, batches: number) => Promise<Outcome>;

const limitMs = 60_000;

/** Time and CPU time, from here to `outcome`. */
class Stopwatch {
  readonly #startedAt = process.hrtime.bigint();
  readonly #cpu = process.cpuUsage();

  /** Of elapsed time, or of CPU time where the elapsed one is waiting for timers. */
  outcome(answer: number, cpuOnly = false): Outcome {
    const { user, system } = process.cpuUsage(this.#cpu);
    const cpu = (user + system) * 1000;
    return { answer, cpu, total: cpuOnly ? cpu : Number(process.hrtime.bigint() - this.#startedAt) };
  }
}

/** `delays` in no order, all different, up to `spreadMs` more than `leastMs`. */
function delayOf(i: number, size: number, leastMs: number, spreadMs: number): number {
  return leastMs + (((i * 7919) % size) / size) * spreadMs;
}

function greenlets({ run, spawn }: Tendril): Batches {
  function* child(i: number) {
    return i & 1;
  }
  function* body(size: number, batches: number) {
    const watch = new Stopwatch();
    let ended = 0;
    for (let batch = 0; batch < batches; batch += 1) {
      const children = [];
      for (let i = 0; i < size; i += 1) children.push(spawn(child, i));
      for (const each of children) ended += (yield* each.get()) < 2 ? 1 : 0;
    }
    return watch.outcome(ended);
  }
  return (size, batches) => run(body, size, batches);
}

async function asyncFunctions(size: number, batches: number): Promise<Outcome> {
  async function child(i: number): Promise<number> {
    return i & 1;
  }
  const watch = new Stopwatch();
  let ended = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    const children = [];
    for (let i = 0; i < size; i += 1) children.push(Promise.resolve(i).then(child));
    for (const each of children) ended += (await each) < 2 ? 1 : 0;
  }
  return watch.outcome(ended);
}

function channels({ Channel, run }: Tendril): Batches {
  function* body(size: number, batches: number) {
    const watch = new Stopwatch();
    let sum = 0;
    for (let batch = 0; batch < batches; batch += 1) {
      const all: Numbers[] = [];
      for (let i = 0; i < size; i += 1) all.push(new Channel<number>(1));
      for (const channel of all) yield* channel.send(1);
      for (const channel of all) sum += yield* channel.receive();
    }
    return watch.outcome(sum);
  }
  return (size, batches) => run(body, size, batches);
}

/** So many greenlets that do `work` again and again until they have seen `batches` values; returns when all wait for their first. */
function* crowd({ spawn, yieldNow }: Tendril, size: number, work: (i: number) => Op<void>, waiting: () => number) {
  for (let i = 0; i < size; i += 1) spawn(work, i);
  while (waiting() < size) yield* yieldNow();
}

/** All wait on one channel, each within a limit of its own; each value that comes ends a timeout and begins another. */
function armedAndCancelled(tendril: Tendril): Batches {
  const { Channel, run, timeout, yieldNow } = tendril;
  function* body(size: number, batches: number) {
    const jobs: Numbers = new Channel<number>(Number.POSITIVE_INFINITY);
    let received = 0;
    yield* crowd(
      tendril,
      size,
      function* (i) {
        const ms = delayOf(i, size, limitMs, limitMs);
        for (let batch = 0; batch < batches; batch += 1) {
          const one = yield* timeout(ms, jobs.receive());
          received += one;
        }
      },
      () => -jobs.balance,
    );
    const watch = new Stopwatch();
    for (let batch = 1; batch <= batches; batch += 1) {
      for (let i = 0; i < size; i += 1) jobs.trySend(1);
      while (received < batch * size) yield* yieldNow();
    }
    return watch.outcome(received);
  }
  return (size, batches) => run(body, size, batches);
}

async function setAndClear(size: number, batches: number): Promise<Outcome> {
  const armed: NodeJS.Timeout[] = [];
  const expire = (): void => {};
  for (let i = 0; i < size; i += 1) armed.push(setTimeout(expire, delayOf(i, size, limitMs, limitMs)));
  const watch = new Stopwatch();
  let cleared = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    for (let i = 0; i < size; i += 1) {
      clearTimeout(armed[i]);
      armed[i] = setTimeout(expire, delayOf(i, size, limitMs, limitMs));
      cleared += 1;
    }
    await null;
  }
  const outcome = watch.outcome(cleared);
  armed.forEach(clearTimeout);
  return outcome;
}

/** Over how long they fire. */
function spreadOf(size: number): number {
  return Math.min(1000, 1 + size / 500);
}

function armedAndFired({ Channel, run, sleep, spawn, timeout, yieldNow }: Tendril): Batches {
  const options = { else: 1 } as const;
  function* body(size: number, batches: number) {
    const never: Numbers = new Channel<number>();
    let fired = 0;
    function* limited(i: number): Op<void> {
      const one = yield* timeout(delayOf(i, size, 1, spreadOf(size)), never.receive(), options);
      fired += one;
    }
    yield* yieldNow();
    const watch = new Stopwatch();
    for (let batch = 1; batch <= batches; batch += 1) {
      for (let i = 0; i < size; i += 1) spawn(limited, i);
      while (fired < batch * size) yield* sleep(1);
    }
    return watch.outcome(fired, true);
  }
  return (size, batches) => run(body, size, batches);
}

async function setAndFired(size: number, batches: number): Promise<Outcome> {
  const watch = new Stopwatch();
  let fired = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    await new Promise<void>((resolve) => {
      const expire = (): void => {
        fired += 1;
        if (fired === (batch + 1) * size) resolve();
      };
      for (let i = 0; i < size; i += 1) setTimeout(expire, delayOf(i, size, 1, spreadOf(size)));
    });
  }
  return watch.outcome(fired, true);
}

function links({ Channel, Event, run, spawn }: Tendril): Batches {
  function* waiting(start: Numbers) {
    return yield* start.receive();
  }
  function* body(size: number, batches: number) {
    let told = 0;
    const all = new Event();
    const tell = (): void => {
      told += 1;
      if (told % size === 0) all.set();
    };
    const watch = new Stopwatch();
    for (let batch = 0; batch < batches; batch += 1) {
      const start: Numbers = new Channel<number>();
      const linked = spawn(waiting, start);
      for (let i = 0; i < size; i += 1) linked.link(tell);
      all.clear();
      yield* start.send(1);
      yield* all.wait();
    }
    return watch.outcome(told);
  }
  return (size, batches) => run(body, size, batches);
}

/** One flag wakes all of them, and they wait again. */
function waitersOnEvent(tendril: Tendril): Batches {
  const { Event, run, yieldNow } = tendril;
  function* body(size: number, batches: number) {
    const bell = new Event();
    let woken = 0;
    yield* crowd(
      tendril,
      size,
      function* () {
        for (let batch = 0; batch < batches; batch += 1) {
          yield* bell.wait();
          woken += 1;
        }
      },
      () => bell.waiters.size,
    );
    const watch = new Stopwatch();
    for (let batch = 1; batch <= batches; batch += 1) {
      bell.set();
      bell.clear();
      while (woken < batch * size) yield* yieldNow();
    }
    return watch.outcome(woken);
  }
  return (size, batches) => run(body, size, batches);
}

/** Each value wakes one of them, and it waits again. */
function waitersOnChannel(tendril: Tendril): Batches {
  const { Channel, run, yieldNow } = tendril;
  function* body(size: number, batches: number) {
    const jobs: Numbers = new Channel<number>();
    let received = 0;
    yield* crowd(
      tendril,
      size,
      function* () {
        for (let batch = 0; batch < batches; batch += 1) {
          const one = yield* jobs.receive();
          received += one;
        }
      },
      () => -jobs.balance,
    );
    const watch = new Stopwatch();
    for (let batch = 1; batch <= batches; batch += 1) {
      for (let i = 0; i < size; i += 1) yield* jobs.send(1);
      while (received < batch * size) yield* yieldNow();
    }
    return watch.outcome(received);
  }
  return (size, batches) => run(body, size, batches);
}

/** Killed in no order: each is taken out of the middle of those who wait. */
function waitersKilled({ Channel, run, spawn, yieldNow }: Tendril): Batches {
  function* waiting(jobs: Numbers): Op<void> {
    yield* jobs.receive();
  }
  function* body(size: number, batches: number) {
    let ended = 0;
    const watch = new Stopwatch();
    for (let batch = 0; batch < batches; batch += 1) {
      const jobs: Numbers = new Channel<number>();
      const all = [];
      for (let i = 0; i < size; i += 1) all.push(spawn(waiting, jobs));
      while (jobs.balance > -size) yield* yieldNow();
      for (let i = 0; i < size; i += 1) all[(i * 7919) % size]?.kill();
      for (const each of all) {
        yield* each.join();
        ended += 1;
      }
    }
    return watch.outcome(ended);
  }
  return (size, batches) => run(body, size, batches);
}

interface Curve {
  readonly of: string;
  readonly ours: (tendril: Tendril) => Batches;
  readonly peer?: { readonly name: string; readonly batches: Batches };
  /** Why it is not flat, where it is not. */
  readonly shape: string;
  /** Operations per round at the smaller sizes. */
  readonly operations: number;
  /** The last size. */
  readonly most?: number;
}

const collected =
  'It rises where the objects that live at once outgrow the young generation (some tens of thousands): from there on the collector copies each of them, as it does any ' +
  'object. With `--max-semi-space-size=1024` a million cost no more each than a thousand.';

const curves: readonly Curve[] = [
  {
    of: 'greenlets, spawned and joined',
    shape: collected,
    ours: greenlets,
    peer: { name: 'promises', batches: asyncFunctions },
    operations: 200_000,
  },
  { of: 'channels, made and used', shape: collected, ours: channels, operations: 200_000 },
  {
    of: 'timeouts, armed and cancelled',
    shape:
      'A timeout that is cancelled in the slice that armed it costs the same at any size; one that lives longer sinks in a heap, O(log n), which is what rises.',
    ours: armedAndCancelled,
    peer: { name: 'setTimeout', batches: setAndClear },
    operations: 200_000,
  },
  {
    of: 'timeouts, armed and fired',
    shape:
      'Each pass of the event loop, with its wake-up, takes 30 to 40 us of the processor: two or three of ten timeouts share one, thousands of a million. (setTimeout rounds to whole milliseconds, so ten of its timers share one pass.) The greenlet, its spawn and the limit are in our figure.',
    ours: armedAndFired,
    peer: { name: 'setTimeout', batches: setAndFired },
    operations: 5000,
  },
  {
    of: 'links on one greenlet',
    shape: `A greenlet, its channel and a turn are shared by ten links or by a million. ${collected}`,
    ours: links,
    operations: 200_000,
  },
  {
    of: 'waiters on one event, woken',
    shape: 'Two yields are shared by all; a million greenlets are in no cache.',
    ours: waitersOnEvent,
    operations: 200_000,
  },
  {
    of: 'waiters on one channel, woken',
    shape: 'A million greenlets are in no cache.',
    ours: waitersOnChannel,
    operations: 200_000,
  },
  {
    of: 'waiters on one channel, killed',
    shape: `Most of it is the stack that each Killed carries, which is why the curve ends at 100,000; one is taken out of the middle of the list in O(1). ${collected}`,
    ours: waitersKilled,
    operations: 100_000,
    most: 100_000,
  },
];

function contestant(name: string, size: number, make: () => Promise<Batches>): Contestant {
  return {
    name,
    async start() {
      const batches = await make();
      return async (count): Promise<Outcome> => {
        const times = Math.max(1, Math.round(count / size));
        return { ...(await batches(size, times)), count: times * size };
      };
    },
  };
}

function row(curve: Curve, size: number): Row {
  const { peer } = curve;
  return {
    name: `growth: ${curve.of}, ${size.toLocaleString('en')}`,
    unit: 'ns',
    measure: 'each',
    better: 'lower',
    count: Math.max(size, curve.operations),
    curve: { of: curve.of, size, shape: curve.shape },
    answer: (count) => count,
    contestants: [
      contestant(ours, size, async () => curve.ours(await import('tendril'))),
      ...(peer === undefined ? [] : [contestant(peer.name, size, async () => peer.batches)]),
    ],
    goals: [],
  };
}

const sizes = [10, 100, 1000, 10_000, 100_000, 1_000_000];

export const rows: readonly Row[] = curves.flatMap((curve) =>
  sizes.filter((size) => size <= (curve.most ?? size)).map((size) => row(curve, size)),
);
