// allocation-program.ts: measures how many bytes an operation allocates, and prints them by name as one line of JSON.
//
// Run by allocation.test.ts with --expose-gc and a young generation that holds all of a round, so that nothing is collected between the two readings
// and their difference is what was allocated, to the byte. `who` instead of names: a sample of one allocation in 64 bytes, by function.
import { Session } from 'node:inspector';
import { PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';
import {
  Channel,
  Event,
  Mutex,
  type Op,
  Queue,
  RLock,
  run,
  Semaphore,
  sleep,
  spawn,
  timeout,
  type Waitable,
  yieldNow,
} from 'tendril';

const gc = (globalThis as { gc?: () => void }).gc;
if (gc === undefined) throw new Error('run me with --expose-gc');

/** Rounds go on until so many in a row were no better: the engine compiles meanwhile, and compiles anew. */
const patience = 6;
const mostRounds = 40;
const operations = 100_000;
/** Never reached. */
const limitMs = 60_000;

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

type Work = (count: number) => Op<unknown>;

/** `wait()` again and again, by one greenlet that never has to wait. */
function alone(wait: () => Op<unknown>, after: () => void = () => {}): Work {
  return function* (count) {
    for (let i = 0; i < count; i += 1) {
      yield* wait();
      after();
    }
  };
}

function* giving(give: () => void, count: number): Op<void> {
  for (let i = 0; i < count; i += 1) {
    give();
    yield* yieldNow();
  }
}
/** `wait()` parks each time, until another greenlet, which runs meanwhile, has given. */
function parking(wait: () => Waitable<unknown>, give: () => void): Work {
  return function* (count) {
    const giver = spawn(giving, give, count);
    for (let i = 0; i < count; i += 1) yield* wait();
    yield* giver.join();
  };
}

function* receiving(channel: Channel<number>, count: number): Op<void> {
  for (let i = 0; i < count; i += 1) yield* channel.receive();
}

/** A sender that parks: its channel has no room, and the receiver takes one value a turn. */
function sendParks(): Work {
  const channel = new Channel<number>();
  function* taking(count: number): Op<void> {
    for (let i = 0; i < count; i += 1) {
      channel.tryReceive();
      yield* yieldNow();
    }
  }
  return function* (count) {
    const taker = spawn(taking, count + 1);
    for (let i = 0; i < count; i += 1) yield* channel.send(i);
    yield* taker.join();
  };
}

/** With a receive for each, which allocates nothing. */
function sendReady(): Work {
  const channel = new Channel<number>(Number.POSITIVE_INFINITY);
  return function* (count) {
    for (let i = 0; i < count; i += 1) {
      yield* channel.send(i);
      yield* channel.receive();
    }
  };
}

function sendToReceiver(): Work {
  const channel = new Channel<number>();
  return function* (count) {
    const receiver = spawn(receiving, channel, count);
    yield* yieldNow();
    for (let i = 0; i < count; i += 1) yield* channel.send(i);
    yield* receiver.join();
  };
}

const full = new Channel<number>(Number.POSITIVE_INFINITY);
const empty = new Channel<number>(Number.POSITIVE_INFINITY);
const queue = new Queue<number>();
const emptyQueue = new Queue<number>();
const mutex = new Mutex();
const rlock = new RLock();
const semaphore = new Semaphore(1);
const up = new Event();
up.set();
const bell = new Event();
/** What the control keeps. */
const kept: unknown[] = new Array(operations).fill(undefined);

const cases: Readonly<Record<string, Work>> = {
  nothing: function* () {},
  'an object of two fields': function* (count) {
    for (let i = 0; i < count; i += 1) kept[i] = { i, kept };
  },
  yieldNow: alone(yieldNow),
  'sleep(0)': alone(() => sleep(0)),
  'receive, ready': function* (count) {
    for (let i = 0; i < count; i += 1) {
      full.trySend(i);
      yield* full.receive();
    }
  },
  'receive, parks': parking(
    () => empty.receive(),
    () => empty.trySend(1),
  ),
  'Queue.get, ready': function* (count) {
    for (let i = 0; i < count; i += 1) {
      queue.tryPut(i);
      yield* queue.get();
    }
  },
  'Queue.get, parks': parking(
    () => emptyQueue.get(),
    () => emptyQueue.tryPut(1),
  ),
  'Mutex, uncontended': alone(
    () => mutex.acquire(),
    () => mutex.release(),
  ),
  'RLock, uncontended': alone(
    () => rlock.acquire(),
    () => rlock.release(),
  ),
  'Semaphore, uncontended': alone(
    () => semaphore.acquire(),
    () => semaphore.release(),
  ),
  'Event.wait, set': alone(() => up.wait()),
  'Event.wait, parks': parking(
    () => bell.wait(),
    () => bell.set(),
  ),
  'send, ready': sendReady(),
  'send, parks': sendParks(),
  'send to a receiver that waits': sendToReceiver(),
  'Queue.put, ready': function* (count) {
    for (let i = 0; i < count; i += 1) {
      yield* queue.put(i);
      yield* queue.get();
    }
  },
  'timeout over a receive, ready': function* (count) {
    for (let i = 0; i < count; i += 1) {
      full.trySend(i);
      yield* timeout(limitMs, full.receive());
    }
  },
  'timeout over a receive, parks': parking(
    () => timeout(limitMs, empty.receive()),
    () => empty.trySend(1),
  ),
};

function used(): number {
  return v8.getHeapStatistics().used_heap_size;
}

function* measure(work: Work): Op<number> {
  const before = used();
  yield* work(operations);
  return used() - before;
}

/** What `work` allocates when all of it is compiled: the least of rounds in which nothing was collected. */
async function least(work: Work): Promise<number> {
  let bytes = Number.POSITIVE_INFINITY;
  let worse = 0;
  for (let i = 0; i < mostRounds && worse < patience; i += 1) {
    const seen = await round(work);
    worse += 1;
    if (seen === undefined || seen > bytes - operations / 4) continue;
    bytes = seen;
    worse = 0;
  }
  return bytes;
}

/** Bytes of one round; undefined if something was collected in it. */
async function round(work: Work): Promise<number | undefined> {
  gc?.();
  await settled();
  collections = 0;
  const bytes = await run(measure, work);
  await settled();
  return collections === 0 ? bytes : undefined;
}

/** The observer of collections is told of them later, in a turn of its own. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

function workOf(name: string): Work {
  const work = cases[name];
  if (work === undefined) throw new Error(`there is no ${name}: ${Object.keys(cases).join('; ')}`);
  return work;
}

/** Print which functions allocated while `work` ran, the most first. */
async function who(work: Work): Promise<void> {
  const session = new Session();
  session.connect();
  await run(measure, work);
  await run(measure, work);
  session.post('HeapProfiler.startSampling', {
    samplingInterval: 64,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  } as object);
  await run(measure, work);
  session.post('HeapProfiler.stopSampling', (_error, { profile }) => {
    const rows: { where: string; bytes: number }[] = [];
    const walk = (node: (typeof profile)['head']): void => {
      const { functionName, url, lineNumber } = node.callFrame;
      rows.push({ where: `${functionName} ${url.split('/').at(-1)}:${lineNumber + 1}`, bytes: node.selfSize });
      for (const child of node.children) walk(child);
    };
    walk(profile.head);
    for (const { where, bytes } of rows.sort((a, b) => b.bytes - a.bytes).slice(0, 12))
      console.log(`${(bytes / operations).toFixed(1).padStart(8)} B  ${where}`);
  });
}

const [first = 'all', ...rest] = process.argv.slice(2);
if (first === 'who') {
  await who(workOf(rest.join(' ')));
} else {
  const names = first === 'all' ? Object.keys(cases) : [first, ...rest];
  const overhead = await least(workOf('nothing'));
  const bytes: Record<string, number> = {};
  for (const name of names)
    bytes[name] = Math.round(((await least(workOf(name))) - overhead) / (operations / 100)) / 100;
  console.log(JSON.stringify({ node: process.version, bytes }));
}
