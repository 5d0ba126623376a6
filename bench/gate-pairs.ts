// gate-pairs.ts: what the regression gate compares: an operation of ours, and a control in the same process that has nothing of ours in it.
//
// The control is work of the same kind on the bare engine, so that a slower machine, a busy one or another version of Node moves both. It is no peer and its
// ratio is no goal: it is a yardstick. Each side does `count` operations; one that returns a number has measured itself, in units of its own.

import { ours } from './contest.ts';
import { rawNet, tendril as tendrilEcho } from './tcp-echo.ts';

type Numbers = import('tendril').Channel<number>;

export type Side = (count: number) => Promise<number | undefined>;

export interface Pair {
  readonly name: string;
  readonly control: string;
  /** Of both sides, where it is not found out. */
  readonly count?: number;
  readonly start: () => Promise<{ ours: Side; control: Side }>;
}

const limitMs = 60_000;
const connections = 16;
/** Results go here, so that they are used. */
let sink = 0;

function* passing(): Generator<number, never, number> {
  let value = 0;
  for (;;) value = (yield value + 1) | 0;
}

/** Two bare generators that are resumed in turn: the least that a switch can cost. */
async function switches(count: number): Promise<undefined> {
  const [a, b] = [passing(), passing()];
  a.next();
  b.next();
  let value = 0;
  for (let i = 0; i < count; i += 1) value = b.next(a.next(value).value).value;
  sink += value;
}

class Ready implements Iterator<never, number> {
  readonly #result = { done: true, value: 1 } as const;
  [Symbol.iterator](): this {
    return this;
  }
  next(): IteratorReturnResult<number> {
    return this.#result;
  }
}

/** `yield*` over an iterator that is done at once. */
async function readyYields(count: number): Promise<undefined> {
  const ready = new Ready();
  function* body() {
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum += yield* ready;
    return sum;
  }
  sink += body().next().value as number;
}

async function awaited(count: number): Promise<undefined> {
  async function child(i: number): Promise<number> {
    return i;
  }
  let sum = 0;
  for (let i = 0; i < count; i += 1) sum += await Promise.resolve(i).then(child);
  sink += sum;
}

async function setAndCleared(count: number): Promise<undefined> {
  for (let i = 0; i < count; i += 1) clearTimeout(setTimeout(() => {}, limitMs));
}

function heapUsed(): number {
  for (let i = 0; i < 3; i += 1) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function pair(name: string, control: [name: string, side: Side], make: () => Promise<Side>, count?: number): Pair {
  return {
    name,
    control: control[0],
    ...(count === undefined ? {} : { count }),
    start: async () => ({ ours: await make(), control: control[1] }),
  };
}

const twoResumes: [string, Side] = ['two resumes of bare generators', switches];
const readyIterator: [string, Side] = ['yield* over a ready iterator', readyYields];

async function channelRoundTrip(): Promise<Side> {
  const { Channel, run, spawn } = await import('tendril');
  function* echo(there: Numbers, back: Numbers, count: number) {
    for (let i = 0; i < count; i += 1) yield* back.send((yield* there.receive()) + 1);
  }
  function* body(count: number) {
    const [there, back]: [Numbers, Numbers] = [new Channel(), new Channel()];
    spawn(echo, there, back, count);
    let value = 0;
    for (let i = 0; i < count; i += 1) {
      yield* there.send(value);
      value = yield* back.receive();
    }
    sink += value;
  }
  return async (count) => run(body, count) as Promise<undefined>;
}

async function yieldTurns(): Promise<Side> {
  const { run, spawn, yieldNow } = await import('tendril');
  function* turns(count: number) {
    for (let i = 0; i < count; i += 1) yield* yieldNow();
  }
  function* body(count: number) {
    const other = spawn(turns, count);
    yield* turns(count);
    yield* other.join();
  }
  return async (count) => run(body, count) as Promise<undefined>;
}

async function readyReceive(): Promise<Side> {
  const { Channel, run } = await import('tendril');
  function* body(count: number) {
    const channel: Numbers = new Channel<number>(1);
    let sum = 0;
    for (let i = 0; i < count; i += 1) {
      channel.trySend(1);
      sum += yield* channel.receive();
    }
    sink += sum;
  }
  return async (count) => run(body, count) as Promise<undefined>;
}

async function freeLock(): Promise<Side> {
  const { Mutex, run } = await import('tendril');
  function* body(count: number) {
    const mutex = new Mutex();
    for (let i = 0; i < count; i += 1) {
      yield* mutex.acquire();
      mutex.release();
    }
  }
  return async (count) => run(body, count) as Promise<undefined>;
}

async function spawnAndJoin(): Promise<Side> {
  const { run, spawn } = await import('tendril');
  function* child(i: number) {
    return i;
  }
  function* body(count: number) {
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum += yield* spawn(child, i).get();
    sink += sum;
  }
  return async (count) => run(body, count) as Promise<undefined>;
}

/** Two greenlets, one of which receives, each time within a limit. */
async function limitedReceive(): Promise<Side> {
  const { Channel, run, spawn, timeout, yieldNow } = await import('tendril');
  function* produce(channel: Numbers, count: number) {
    for (let i = 0; i < count; i += 1) {
      channel.trySend(1);
      yield* yieldNow();
    }
  }
  function* body(count: number) {
    const channel: Numbers = new Channel<number>(Number.POSITIVE_INFINITY);
    spawn(produce, channel, count);
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum += yield* timeout(limitMs, channel.receive());
    sink += sum;
  }
  return async (count) => run(body, count) as Promise<undefined>;
}

async function selectOfTen(): Promise<Side> {
  const { Channel, run, select, spawn } = await import('tendril');
  function* produce(channels: readonly Numbers[], count: number) {
    for (let i = 0; i < count; i += 1) yield* (channels[i % channels.length] as Numbers).send(1);
  }
  function* body(count: number) {
    const channels: Numbers[] = Array.from({ length: 10 }, () => new Channel<number>());
    spawn(produce, channels, count);
    const any = select(channels.map((channel) => channel.receive()));
    let sum = 0;
    for (let i = 0; i < count; i += 1) {
      const { value } = yield* any;
      sum += value;
    }
    sink += sum;
  }
  return async (count) => run(body, count) as Promise<undefined>;
}

async function parkedBytes(): Promise<Side> {
  const { Channel, run, spawn, yieldNow } = await import('tendril');
  function* parked(channel: Numbers) {
    yield* channel.receive();
  }
  function* body(count: number) {
    const channel: Numbers = new Channel<number>();
    const before = heapUsed();
    for (let i = 0; i < count; i += 1) spawn(parked, channel);
    while (channel.balance > -count) yield* yieldNow();
    const bytes = heapUsed() - before;
    while (channel.balance < 0) channel.trySend(1);
    return bytes;
  }
  return (count) => run(body, count);
}

/** Generators that wait at their first yield, in an array. */
async function generatorBytes(count: number): Promise<number> {
  const all: Generator<number, never, number>[] = [];
  const before = heapUsed();
  for (let i = 0; i < count; i += 1) {
    const generator = passing();
    generator.next();
    all.push(generator);
  }
  const bytes = heapUsed() - before;
  sink += all.length;
  return bytes;
}

const echo: Pair = {
  name: 'TCP echo with a timeout',
  control: 'raw net',
  start: async () => {
    const theirs = await rawNet('net', connections, false).start?.({ redisPort: 0, httpUrl: '' });
    const own = await tendrilEcho(ours, connections, 5000).start?.({ redisPort: 0, httpUrl: '' });
    const side =
      (round: typeof own): Side =>
      async (count) => {
        await round?.(Math.max(1, Math.round(count / connections)) * connections);
        return undefined;
      };
    return { ours: side(own), control: side(theirs) };
  },
};

export const pairs: readonly Pair[] = [
  pair('channel round trip', twoResumes, channelRoundTrip),
  pair('yieldNow, two greenlets', twoResumes, yieldTurns),
  pair('receive, ready', readyIterator, readyReceive),
  pair('a lock that is free', readyIterator, freeLock),
  pair('select of ten channels, parking', twoResumes, selectOfTen),
  pair('spawn and join', ['a promise of an async function, awaited', awaited], spawnAndJoin),
  pair('timeout over a receive that parks', ['setTimeout and clearTimeout', setAndCleared], limitedReceive),
  echo,
  pair('bytes of a parked greenlet', ['bytes of a generator', generatorBytes], parkedBytes, 20_000),
];

/** Keeps what was computed from being optimised away. */
export function computed(): number {
  return sink;
}
