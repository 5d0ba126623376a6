// growth-program.ts: measures how one part of the kernel grows, and prints what it saw as JSON.
//
// Run by growth.test.ts, each measurement in a process of its own, with --expose-gc. Times are CPU time of the whole process.
import {
  Channel,
  call,
  type Greenlet,
  Mutex,
  type Op,
  Queue,
  run,
  scope,
  sleep,
  spawn,
  suppressedErrors,
  timeout,
  yieldNow,
} from 'tendril';

const gc = (globalThis as { gc?: () => void }).gc;
if (gc === undefined) throw new Error('run me with --expose-gc');

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** CPU time of `work`, after a collection, so that each pays for its own garbage only. */
function* timed(work: () => Op<unknown>): Op<number> {
  for (let i = 0; i < 2; i += 1) gc?.();
  const startMs = cpuMs();
  yield* work();
  return cpuMs() - startMs;
}

/** What the language itself takes for 100,000 that wait at once and are each ended by an error: a yardstick of the machine in this very minute. */
function* bare(): Op<void> {
  const body = function* (): Generator<undefined, void, undefined> {
    yield;
  };
  const waiting: Generator<undefined, void, undefined>[] = [];
  for (let i = 0; i < 100_000; i += 1) {
    const one = body();
    one.next();
    waiting.push(one);
  }
  for (const one of waiting) {
    const wrong = new Error('ended');
    try {
      one.throw(wrong);
    } catch (error) {
      if (error !== wrong) throw error;
    }
  }
}

function* spawnMany(count: number): Op<number> {
  let ended = 0;
  const body = function* (): Op<void> {
    ended += 1;
  };
  for (let i = 0; i < count; i += 1) spawn(body);
  while (ended < count) yield* yieldNow();
  return ended;
}

/** Timeouts that are all armed at once, around a wait that never ends, and all fire. */
function* fireTimeouts(count: number): Op<number> {
  let expired = 0;
  const jobs = new Channel<number>();
  const options = { else: undefined };
  const body = function* (ms: number): Op<void> {
    if ((yield* timeout(ms, jobs.receive(), options)) === undefined) expired += 1;
  };
  // In no order, all different, over one second.
  for (let i = 0; i < count; i += 1) spawn(body, 1 + ((i * 7919) % count) / (count / 1000));
  while (expired < count) yield* sleep(1);
  return expired;
}

function* killWaiters(count: number): Op<number> {
  const jobs = new Channel<number>();
  const waiting: Greenlet<number>[] = [];
  for (let i = 0; i < count; i += 1) waiting.push(spawn(() => jobs.receive()));
  while (jobs.balance > -count) yield* yieldNow();
  return yield* timed(function* () {
    for (const greenlet of waiting) greenlet.kill();
    for (const greenlet of waiting) yield* greenlet.join();
    if (jobs.balance !== 0) throw new Error(`${jobs.balance} still wait`);
  });
}

/** A scope of so many children, of which the middle one fails: all end, and the owner gets the one error. */
function* scopeFails(count: number): Op<number> {
  return yield* timed(function* () {
    const wrong = new Error('on purpose');
    let ended = 0;
    try {
      yield* scope(function* (children) {
        for (let i = 0; i < count; i += 1)
          children.spawn(function* () {
            try {
              if (i === count / 2) throw wrong;
              yield* sleep(1e6);
            } finally {
              ended += 1;
            }
          });
      });
    } catch (error) {
      if (error !== wrong || suppressedErrors(error).length > 0) throw new Error('another error', { cause: error });
    }
    // Those behind the one that failed were killed before they ran.
    if (ended !== count / 2 + 1) throw new Error(`${ended} ended`);
  });
}

function* endLinks(count: number): Op<number> {
  const jobs = new Channel<number>();
  const linked = spawn(() => jobs.receive());
  let told = 0;
  return yield* timed(function* () {
    for (let i = 0; i < count; i += 1)
      linked.link(() => {
        told += 1;
      });
    yield* jobs.send(1);
    while (told < count) yield* yieldNow();
  });
}

function* drainBacklog(count: number): Op<number> {
  const backlog = new Queue<number>();
  return yield* timed(function* () {
    for (let i = 0; i < count; i += 1) backlog.putNow(i);
    for (let i = 0; i < count; i += 1) if ((yield* backlog.get()) !== i) throw new Error('out of order');
  });
}

/** Waiting putters at a full queue, each served in turn. */
function* drainPutters(count: number): Op<number> {
  const backlog = new Queue<number>(1);
  for (let i = 0; i < count; i += 1) spawn(() => backlog.put(i));
  while (backlog.length === 0) yield* yieldNow();
  return yield* timed(function* () {
    for (let i = 0; i < count; i += 1) if ((yield* backlog.get()) !== i) throw new Error('out of order');
  });
}

/** Each greenlet joins the one before it. */
function* joinChain(count: number): Op<number> {
  const start = new Channel<number>();
  return yield* timed(function* () {
    let last: Greenlet<unknown> = spawn(() => start.receive());
    for (let i = 0; i < count; i += 1) {
      const before = last;
      last = spawn(() => before.join());
    }
    yield* yieldNow();
    yield* start.send(1);
    yield* last.join();
  });
}

/** Each waits for the lock of the one before it while it holds its own: a chain that every start walks, as far as it may. */
function* lockChain(count: number): Op<number> {
  return yield* timed(function* () {
    let last = new Mutex();
    yield* last.acquire();
    const first = last;
    const greenlets: Greenlet<void>[] = [];
    for (let i = 0; i < count; i += 1) {
      const before = last;
      const own = new Mutex();
      greenlets.push(
        spawn(function* () {
          yield* own.use(before.use(yieldNow()));
        }),
      );
      last = own;
    }
    yield* yieldNow();
    first.release();
    for (const greenlet of greenlets) yield* greenlet.join();
  });
}

/** Bytes of heap per cycle of a spawn, a timeout that never fires, one that does, and a kill. */
function* heapSlope(cycles: number): Op<number> {
  const jobs = new Channel<number>();
  const perSample = 500;
  const cycle = function* (): Op<void> {
    const waiting = spawn(() => jobs.receive());
    yield* timeout(1e6, call(yieldNow()));
    yield* timeout(0, jobs.receive(), { else: 0 });
    waiting.kill();
    yield* timeout(1e6, waiting.join());
  };
  const samples: number[] = [];
  for (let i = -5; i < cycles; i += 1) {
    for (let j = 0; j < perSample; j += 1) yield* cycle();
    yield* sleep(1);
    for (let j = 0; j < 3; j += 1) gc?.();
    if (i >= 0) samples.push(process.memoryUsage().heapUsed);
  }
  // Least squares.
  const meanX = (samples.length - 1) / 2;
  const meanY = samples.reduce((sum, y) => sum + y, 0) / samples.length;
  const covariance = samples.reduce((sum, y, x) => sum + (x - meanX) * (y - meanY), 0);
  const variance = samples.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  return covariance / variance / perSample;
}

const scaling: Readonly<Record<string, (count: number) => Op<number>>> = {
  killWaiters,
  scopeFails,
  endLinks,
  drainBacklog,
  drainPutters,
  joinChain,
  lockChain,
};

function* measure(what: string, count: number): Op<Record<string, number>> {
  if (what === 'heapSlope') return { bytesPerCycle: yield* heapSlope(count) };
  if (what === 'spawn' || what === 'timeouts') {
    const startMs = performance.now();
    const usedMs = yield* timed(() => (what === 'spawn' ? spawnMany : fireTimeouts)(count));
    return { usedMs, passedMs: performance.now() - startMs, bareMs: yield* timed(bare) };
  }
  const work = scaling[what];
  if (work === undefined) throw new Error(`what is ${what}?`);
  // Both sizes in turn, so that a noisy spell or a warmer JIT does not favour one; the least of each is what the work itself takes.
  let smallMs = Number.POSITIVE_INFINITY;
  let largeMs = Number.POSITIVE_INFINITY;
  let bareMs = Number.POSITIVE_INFINITY;
  yield* work(count);
  for (let i = 0; i < 3; i += 1) {
    smallMs = Math.min(smallMs, yield* work(count / 4));
    largeMs = Math.min(largeMs, yield* work(count));
    bareMs = Math.min(bareMs, yield* timed(bare));
  }
  return { smallMs, largeMs, ratio: largeMs / smallMs, bareMs };
}

const [what = '', count = ''] = process.argv.slice(2);
const seen = await run(() => measure(what, Number(count)));
console.log(JSON.stringify({ what, count: Number(count), ...seen, node: process.version }));
