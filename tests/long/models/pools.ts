// pools.ts: a pool against a number of places and a line: spawn and its twin, members that end, fail or are killed, resize, join, kill and map.
import fc from 'fast-check';
import { type Greenlet, type Op, Pool, sleep, spawn, timeout } from 'tendril/core';
import { expect } from 'vitest';
import {
  apart,
  type Cue,
  cues,
  deedAtOnce,
  deedOfWait,
  type Game,
  limitMs,
  nameOfError,
  perform,
  type RealDeed,
} from './actors.ts';
import { Line, type Player, Stage } from './stage.ts';

interface Act {
  readonly do: 'spawn' | 'trySpawn' | 'join' | 'resize' | 'killMember' | 'kill';
  readonly ms: number;
  readonly fails: boolean;
  readonly count: number;
  readonly withinMs: number | undefined;
}

/** What a member is expected to be. */
class ModelMember {
  state: 'new' | 'sleeping' | 'queued' | 'done' = 'new';
  killed = false;
  stopSleep: () => void = () => {};
  readonly joiners = new Line<{ player: Player }>();
}

class PoolGame implements Game<Act> {
  readonly #stage: Stage;
  readonly #log: string[];
  readonly #pool: Pool;
  readonly #greenlets = new Map<number, Greenlet<unknown>>();
  #size: number;
  #free: number;
  readonly #members = new Map<number, ModelMember>();
  readonly #line = new Line<{ player: Player }>();
  readonly #joiners = new Line<{ player: Player }>();
  #realIds = 0;
  #modelIds = 0;

  constructor(stage: Stage, log: string[], size: number) {
    this.#stage = stage;
    this.#log = log;
    this.#pool = new Pool(size);
    this.#size = size;
    this.#free = size;
  }

  deed(act: Act): RealDeed {
    switch (act.do) {
      case 'spawn':
        return this.#spawn(act);
      case 'join':
        return deedOfWait<void>(
          this.#stage,
          () => this.#pool.join(),
          () => 'joined',
          () => (this.#members.size === 0 ? 'joined' : undefined),
          (player) => this.#joiners.push({ player }),
          act.withinMs,
        );
      case 'kill': {
        const real = (): Op<string> => this.#realKill();
        return {
          waits: false, // the kills come first
          real,
          model: (player) => {
            const doomed = [...this.#members];
            for (const [id, member] of doomed) this.#killModel(id, member);
            return this.#joinNext(
              player,
              doomed.map(([, member]) => member),
            );
          },
        };
      }
      default: {
        const [real, expected] = this.#twin(act);
        return deedAtOnce(real, expected);
      }
    }
  }

  direct(act: Act): readonly [string, string] | undefined {
    if (act.do === 'join' || act.do === 'kill') return undefined;
    const [real, expected] = this.#twin(act);
    return [real(), expected()];
  }

  compare(): void {
    const pool = this.#pool;
    expect([pool.size, pool.freeCount, pool.members().length, pool.waiters.size]).toEqual([
      this.#size,
      Math.max(this.#free, 0),
      this.#members.size,
      this.#line.size,
    ]);
  }

  over(): void {
    for (const greenlet of this.#pool.members()) greenlet.kill();
    for (const [id, member] of [...this.#members]) this.#killModel(id, member);
  }

  // ---- spawn

  #spawn({ ms, fails, withinMs }: Act): RealDeed {
    const pool = this.#pool;
    const body = (): Op<void> => this.#body(ms, fails);
    const keep = (greenlet: Greenlet<void>): string => this.#keep(greenlet);
    return {
      waits: true,
      *real() {
        if (withinMs === undefined) return keep(yield* pool.spawn(body));
        const greenlet = yield* timeout(withinMs, pool.spawn(body), { else: undefined });
        return greenlet === undefined ? 'expired' : keep(greenlet);
      },
      model: (player) => {
        if (this.#take()) return this.#enter(ms, fails);
        this.#stage.limit(player, withinMs);
        player.onward = (outcome) => (outcome === 'placed' ? this.#enter(ms, fails) : outcome);
        return this.#stage.wait(player, this.#line.push({ player }));
      },
    };
  }

  *#body(ms: number, fails: boolean): Op<void> {
    const id = ++this.#realIds; // when it runs
    try {
      yield* sleep(ms);
      this.#log.push(`member ${id}: ended`);
    } catch (error) {
      this.#log.push(`member ${id}: ${nameOfError(error)}`);
      throw error;
    }
    if (fails) throw new Error('a member failed');
  }

  #keep(greenlet: Greenlet<void>): string {
    greenlet.link(() => {});
    this.#greenlets.set(this.#greenlets.size + 1, greenlet);
    return 'spawned';
  }

  #take(): boolean {
    if (this.#free <= 0) return false;
    this.#free -= 1;
    return true;
  }

  readonly #all: ModelMember[] = [];

  #enter(ms: number, _fails: boolean): string {
    const key = this.#all.length + 1;
    const member = new ModelMember();
    this.#all.push(member);
    this.#members.set(key, member);
    const stage = this.#stage;
    stage.agenda.push(() => {
      if (member.state !== 'new') return;
      const id = ++this.#modelIds;
      const end = (): void => {
        stage.log.push(`member ${id}: ${member.state === 'sleeping' ? 'killed' : 'ended'}`);
        this.#left(key, member);
      };
      member.state = 'sleeping';
      const timer = stage.arm('sleep', ms, () => {
        member.state = 'queued';
        stage.agenda.push(end);
      });
      member.stopSleep = () => {
        stage.disarm(timer);
        stage.agenda.push(end);
      };
    });
    return 'spawned';
  }

  #left(key: number, member: ModelMember): void {
    member.state = 'done';
    this.#members.delete(key);
    if (this.#members.size === 0) this.#commitAll(this.#joiners, 'joined');
    this.#free += 1;
    this.#admit();
    this.#commitAll(member.joiners, 'again');
  }

  #admit(): void {
    while (this.#free > 0) {
      const next = this.#line.shift();
      if (next === undefined) return;
      this.#free -= 1;
      this.#stage.commit(next.player, 'placed');
    }
  }

  #commitAll(line: Line<{ player: Player }>, outcome: string): void {
    for (let next = line.shift(); next !== undefined; next = line.shift()) this.#stage.commit(next.player, outcome);
  }

  // ---- kill

  *#realKill(): Op<string> {
    yield* this.#pool.kill();
    return 'all killed';
  }

  #killModel(key: number, member: ModelMember): void {
    if (member.killed || member.state === 'done') return;
    member.killed = true;
    if (member.state === 'new') this.#left(key, member);
    else if (member.state === 'sleeping') member.stopSleep();
  }

  /** Each of `members` is joined in turn, also one that has ended: a blocking point each. */
  #joinNext(player: Player, members: readonly ModelMember[]): string | undefined {
    const [first, ...rest] = members;
    if (first === undefined) return 'all killed';
    const pending = this.#stage.pending(player);
    if (pending !== undefined) return pending;
    if (first.state === 'done') return this.#joinNext(player, rest);
    player.onward = (outcome) => (outcome === 'again' ? this.#joinNext(player, rest) : outcome);
    return this.#stage.wait(player, first.joiners.push({ player }));
  }

  #twin({ do: verb, ms, fails, count }: Act): [() => string, () => string] {
    if (verb === 'resize')
      return [
        () => String(this.#pool.resize(count)),
        () => {
          this.#free += count - this.#size;
          this.#size = count;
          this.#admit();
          return 'undefined';
        },
      ];
    if (verb === 'killMember')
      return [
        () => String(this.#greenlets.get(count)?.kill()),
        () => {
          const member = this.#all[count - 1];
          if (member === undefined) return 'undefined';
          const asked = !member.killed && member.state !== 'done';
          this.#killModel(count, member);
          return String(asked);
        },
      ];
    return [
      () => {
        const greenlet = this.#pool.trySpawn(() => this.#body(ms, fails));
        return greenlet === undefined ? 'full' : this.#keep(greenlet);
      },
      () => (this.#take() ? this.#enter(ms, fails) : 'full'),
    ];
  }
}

const act = fc.record<Act>({
  do: fc.constantFrom<Act['do']>(
    'spawn',
    'spawn',
    'spawn',
    'spawn',
    'trySpawn',
    'join',
    'resize',
    'killMember',
    'kill',
  ),
  ms: fc.constantFrom(1, 2, 3, 5, 8).map(apart),
  fails: fc.boolean(),
  count: fc.integer({ min: 1, max: 4 }),
  withinMs: limitMs,
});

export interface Program {
  readonly size: number;
  readonly cues: Cue<Act>[];
}

export const programs: fc.Arbitrary<Program> = fc.record({
  size: fc.integer({ min: 1, max: 3 }),
  cues: cues(act, 5, 30),
});

export function* playPool({ size, cues }: Program): Op<void> {
  const stage = new Stage();
  const log: string[] = [];
  yield* perform(cues, stage, log, new PoolGame(stage, log, size));
}

// ---- map and its kin

interface Call {
  readonly how: 'map' | 'imap' | 'imapUnordered';
  readonly startMs: number;
  readonly items: readonly { readonly ms: number; readonly fails: boolean }[];
  readonly lookAhead: number;
}

export interface MapProgram {
  readonly size: number;
  readonly calls: readonly Call[];
}

export const mapPrograms: fc.Arbitrary<MapProgram> = fc.record({
  size: fc.integer({ min: 1, max: 4 }),
  calls: fc.array(
    fc.record<Call>({
      how: fc.constantFrom<Call['how']>('map', 'imap', 'imapUnordered'),
      startMs: fc.nat({ max: 20 }),
      items: fc.array(
        fc.record({ ms: fc.integer({ min: 0, max: 20 }), fails: fc.nat({ max: 8 }).map((n) => n === 0) }),
        { maxLength: 8 },
      ),
      lookAhead: fc.integer({ min: 1, max: 4 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

/** Several greenlets map over one pool. The model: each result once, in its order; never too many at work; the first failure in time ends a map. */
export function* playMaps({ size, calls }: MapProgram): Op<void> {
  const pool = new Pool(size);
  let working = 0;
  const mappers: Greenlet<void>[] = [];
  for (const { how, startMs, items, lookAhead } of calls) {
    const finished: string[] = []; // in time
    let begun = 0;
    let taken = 0;
    const body = function* (index: number): Op<string> {
      begun += 1;
      working += 1;
      expect(working).toBeLessThanOrEqual(size);
      if (how !== 'map') expect(begun - taken).toBeLessThanOrEqual(lookAhead);
      try {
        const item = items[index] as Call['items'][number];
        yield* sleep(item.ms);
        finished.push(item.fails ? `failed ${index}` : `did ${index}`);
        if (item.fails) throw new Error(`failed ${index}`);
        return `did ${index}`;
      } finally {
        working -= 1;
      }
    };
    const indices = items.map((_, index) => index);
    const take = function* (): Op<string[]> {
      if (how === 'map') {
        try {
          return yield* pool.map(body, indices);
        } catch (error) {
          return [(error as Error).message];
        }
      }
      const results =
        how === 'imap' ? pool.imap(body, indices, { lookAhead }) : pool.imapUnordered(body, indices, { lookAhead });
      const seen: string[] = [];
      for (;;) {
        taken += 1; // asked for: the window moves as soon as there is a result
        try {
          const next = yield* results.next();
          if (next.done === true) return seen;
          seen.push(next.value);
        } catch (error) {
          seen.push((error as Error).message);
        }
      }
    };
    mappers.push(
      spawn(function* () {
        yield* sleep(startMs);
        const seen = yield* take();
        const inOrder = items.map((item, index) => `${item.fails ? 'failed' : 'did'} ${index}`);
        const failure = finished.find((text) => text.startsWith('failed'));
        if (how === 'imapUnordered') expect(seen).toEqual(finished);
        else if (how === 'imap' || failure === undefined) expect(seen).toEqual(inOrder);
        else expect(seen).toEqual([failure]);
      }),
    );
  }
  for (const mapper of mappers) yield* mapper.get();
  expect([pool.freeCount, pool.members().length, working]).toEqual([size, 0, 0]);
}
