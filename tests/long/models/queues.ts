// queues.ts: queues in each of their orders against plain lists: put, get, peek, twins, counting, both ways to close.
import fc from 'fast-check';
import { JoinableQueue, LifoQueue, type Op, PriorityQueue, Queue } from 'tendril/core';
import { expect } from 'vitest';
import { watch } from '../../core/world.ts';
import {
  attempt,
  type Cue,
  cues,
  deedAtOnce,
  deedOfWait,
  type Game,
  limitMs,
  perform,
  type RealDeed,
} from './actors.ts';
import { Line, type Player, Stage } from './stage.ts';

type Verb = 'put' | 'get' | 'peek' | 'next' | 'join';
type Twin = 'tryPut' | 'tryGet' | 'tryPeek' | 'putNow' | 'getNow' | 'taskDone' | 'close' | 'closeNow';

interface Act {
  readonly do: Verb | Twin;
  readonly rank: number;
  readonly withinMs: number | undefined;
}

interface Setup {
  readonly order: 'fifo' | 'lifo' | 'priority' | 'joinable';
  readonly capacity: number;
  readonly items: number;
}

interface Item {
  readonly id: number;
  readonly rank: number;
}

const CLOSED = 'ERR_QUEUE_CLOSED';
const FULL = 'ERR_QUEUE_FULL';
const EMPTY = 'ERR_QUEUE_EMPTY';

interface Getter {
  readonly player: Player;
  readonly peeks: boolean;
  done(outcome: string): string;
}

class ModelQueue {
  items: Item[] = [];
  readonly getters = new Line<Getter>();
  readonly putters = new Line<{ player: Player; item: Item }>();
  readonly joiners = new Line<{ player: Player }>();
  unfinished = 0;
  closed = false;
  readonly #stage: Stage;
  readonly #setup: Setup;
  constructor(stage: Stage, setup: Setup) {
    this.#stage = stage;
    this.#setup = setup;
  }

  /** In the order in which they would come out. */
  get inOrder(): Item[] {
    const { items } = this;
    if (this.#setup.order === 'lifo') return [...items].reverse();
    if (this.#setup.order === 'priority') return [...items].sort((a, b) => a.rank - b.rank); // stable
    return [...items];
  }

  put(item: Item): string | undefined {
    if (this.closed) return CLOSED;
    if (this.items.length >= this.#setup.capacity) return undefined;
    this.insert(item);
    for (let getter = this.getters.head; getter !== undefined && this.items.length > 0; getter = this.getters.head) {
      this.getters.shift();
      const [first] = this.inOrder as [Item];
      if (!getter.peeks) this.#remove(first);
      this.#stage.commit(getter.player, getter.done(`got ${first.id}`));
    }
    return 'put';
  }

  insert(item: Item): void {
    this.items.push(item);
    this.unfinished += 1;
  }

  get(peeks: boolean): string | undefined {
    const [first] = this.inOrder;
    if (first === undefined) return this.closed ? CLOSED : undefined;
    if (peeks) return `got ${first.id}`;
    this.#remove(first);
    while (this.items.length < this.#setup.capacity) {
      const putter = this.putters.shift();
      if (putter === undefined) break;
      this.insert(putter.item);
      this.#stage.commit(putter.player, 'put');
    }
    return `got ${first.id}`;
  }

  finish(count: number): void {
    this.unfinished -= count;
    if (this.unfinished > 0) return;
    for (let joiner = this.joiners.shift(); joiner !== undefined; joiner = this.joiners.shift())
      this.#stage.commit(joiner.player, 'joined');
  }

  close(immediate: boolean): string {
    const dropped = immediate ? this.inOrder : [];
    if (immediate) {
      this.items = [];
      this.finish(Math.min(dropped.length, this.unfinished));
    }
    if (!this.closed) {
      this.closed = true;
      for (let putter = this.putters.shift(); putter !== undefined; putter = this.putters.shift())
        this.#stage.commit(putter.player, CLOSED);
      for (let getter = this.getters.shift(); getter !== undefined; getter = this.getters.shift())
        this.#stage.commit(getter.player, getter.done(CLOSED));
    }
    return dropped.map((item) => item.id).join();
  }

  #remove(item: Item): void {
    this.items = this.items.filter((other) => other !== item);
  }
}

class QueueGame implements Game<Act> {
  readonly #stage: Stage;
  readonly #model: ModelQueue;
  readonly #queue: Queue<Item>;
  #ids = 0;

  constructor(stage: Stage, setup: Setup) {
    this.#stage = stage;
    this.#model = new ModelQueue(stage, setup);
    const items = Array.from({ length: Math.min(setup.items, setup.capacity) }, (_, i) => ({
      id: ++this.#ids,
      rank: i % 2,
    }));
    for (const item of items) this.#model.insert(item);
    const kinds = { fifo: Queue, lifo: LifoQueue, joinable: JoinableQueue };
    const compare = (a: Item, b: Item): number => a.rank - b.rank;
    this.#queue = watch(
      setup.order === 'priority'
        ? new PriorityQueue<Item>(setup.capacity, { items, compare })
        : new kinds[setup.order]<Item>(setup.capacity, { items }),
    );
  }

  deed({ do: verb, rank, withinMs }: Act): RealDeed {
    const queue = this.#queue;
    const model = this.#model;
    const same = (outcome: string): string => outcome;
    switch (verb) {
      case 'put': {
        const item = { id: ++this.#ids, rank };
        return deedOfWait<void>(
          this.#stage,
          () => queue.put(item),
          () => 'put',
          () => model.put(item),
          (player) => model.putters.push({ player, item }),
          withinMs,
        );
      }
      case 'get':
      case 'peek': {
        const peeks = verb === 'peek';
        return deedOfWait<Item>(
          this.#stage,
          () => (peeks ? queue.peek() : queue.get()),
          ({ id }) => `got ${id}`,
          () => model.get(peeks),
          (player) => model.getters.push({ player, peeks, done: same }),
          withinMs,
        );
      }
      case 'next': {
        const done = (outcome: string): string => (outcome === CLOSED ? 'done' : outcome);
        return deedOfWait(
          this.#stage,
          () => queue.next(),
          (result) => (result.done === true ? 'done' : `got ${result.value.id}`),
          () => {
            const outcome = model.get(false);
            return outcome === undefined ? undefined : done(outcome);
          },
          (player) => model.getters.push({ player, peeks: false, done }),
          withinMs,
        );
      }
      case 'join':
        return deedOfWait<void>(
          this.#stage,
          () => queue.join(),
          () => 'joined',
          () => (model.unfinished === 0 ? 'joined' : undefined),
          (player) => model.joiners.push({ player }),
          withinMs,
        );
      default: {
        const [real, expected] = this.#twin(verb, { id: ++this.#ids, rank });
        return deedAtOnce(real, expected);
      }
    }
  }

  direct({ do: verb, rank }: Act): readonly [string, string] {
    const twins: Record<Verb, Twin> = {
      put: 'tryPut',
      get: 'tryGet',
      peek: 'tryPeek',
      next: 'getNow',
      join: 'taskDone',
    };
    const [real, expected] = this.#twin(verb in twins ? twins[verb as Verb] : (verb as Twin), {
      id: ++this.#ids,
      rank,
    });
    return [real(), expected()];
  }

  compare(): void {
    const { length, closed, unfinished, getters, putters, joiners } = this.#queue;
    const model = this.#model;
    const sizes = [model.items.length, model.getters.size, model.putters.size, model.joiners.size];
    expect([length, getters.size, putters.size, joiners.size, closed, unfinished]).toEqual([
      ...sizes,
      model.closed,
      model.unfinished,
    ]);
  }

  #twin(verb: Twin, item: Item): [() => string, () => string] {
    const queue = this.#queue;
    const model = this.#model;
    const got = (taken: { value: Item } | undefined): string =>
      taken === undefined ? 'none' : `got ${taken.value.id}`;
    switch (verb) {
      case 'tryPut':
        return [() => attempt(() => (queue.tryPut(item) ? 'put' : 'full')), () => model.put(item) ?? 'full'];
      case 'putNow':
        return [() => attempt(() => queue.putNow(item) ?? 'put'), () => model.put(item) ?? FULL];
      case 'tryGet':
        return [() => attempt(() => got(queue.tryGet())), () => model.get(false) ?? 'none'];
      case 'tryPeek':
        return [() => attempt(() => got(queue.tryPeek())), () => model.get(true) ?? 'none'];
      case 'getNow':
        return [() => attempt(() => got({ value: queue.getNow() })), () => model.get(false) ?? EMPTY];
      case 'taskDone':
        return [
          () => attempt(() => queue.taskDone() ?? 'done').replace(/^ERR_.*/, 'refused'),
          () => {
            if (model.unfinished === 0) return 'refused';
            model.finish(1);
            return 'done';
          },
        ];
      default: {
        const immediate = verb === 'closeNow';
        return [
          () =>
            attempt(() =>
              queue
                .close({ immediate })
                .map(({ id }) => id)
                .join(),
            ),
          () => model.close(immediate),
        ];
      }
    }
  }
}

const act = fc.record<Act>({
  do: fc.oneof(
    { weight: 16, arbitrary: fc.constantFrom<Act['do']>('put', 'get') },
    { weight: 12, arbitrary: fc.constantFrom<Act['do']>('peek', 'next', 'join', 'taskDone') },
    { weight: 6, arbitrary: fc.constantFrom<Act['do']>('tryPut', 'tryGet', 'tryPeek', 'putNow', 'getNow') },
    { weight: 1, arbitrary: fc.constantFrom<Act['do']>('close', 'closeNow') },
  ),
  rank: fc.nat({ max: 3 }),
  withinMs: limitMs,
});

export interface Program {
  readonly setup: Setup;
  readonly cues: Cue<Act>[];
}

export function programs(order: Setup['order']): fc.Arbitrary<Program> {
  return fc.record({
    setup: fc.record<Setup>({
      order: fc.constant(order),
      capacity: fc.constantFrom(1, 1, 2, 3, Number.POSITIVE_INFINITY),
      items: fc.nat({ max: 2 }),
    }),
    cues: cues(act, 5),
  });
}

export function* playQueue({ setup, cues }: Program): Op<void> {
  const stage = new Stage();
  yield* perform(cues, stage, [], new QueueGame(stage, setup));
}
