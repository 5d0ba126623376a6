// selects.ts: select over channels, a mutex and sleeps: named and positional arms, null arms, the same channel twice, nested, fair or by priority.
//
// Which of several ready arms is chosen is random. The model is told what was really chosen and says whether that arm was ready.
import fc from 'fast-check';
import {
  Channel,
  current,
  type Greenlet,
  Mutex,
  type Op,
  type SelectOptions,
  select,
  sleep,
  timeout,
  type Waitable,
} from 'tendril/core';
import { expect } from 'vitest';
import { watch } from '../../core/world.ts';
import {
  apart,
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
import { ModelChannel, tellSent } from './channels.ts';
import { Line, type Player, Stage } from './stage.ts';

interface Arm {
  readonly do: 'send' | 'receive' | 'lock' | 'sleep' | 'null';
  readonly channel: number;
  readonly ms: number;
  readonly nested: boolean;
}

type Act =
  | {
      readonly do: 'select';
      readonly arms: readonly Arm[];
      readonly options: Options;
      readonly withinMs: number | undefined;
    }
  | { readonly do: 'send' | 'receive' | 'release' | 'close'; readonly channel: number };

interface Options {
  readonly named: boolean;
  readonly priority: boolean;
  readonly otherwise: boolean;
}

const CLOSED = 'ERR_CHANNEL_CLOSED';

class SelectGame implements Game<Act> {
  readonly #stage: Stage;
  readonly #models: readonly ModelChannel[];
  readonly #capacities: readonly number[];
  readonly #channels: readonly Channel<number>[];
  readonly #mutex = watch(new Mutex());
  #owner: Player | undefined;
  readonly #line = new Line<{ player: Player; done: (outcome: string) => string }>();
  #values = 0;

  constructor(stage: Stage, capacities: readonly number[]) {
    this.#stage = stage;
    this.#capacities = capacities;
    this.#models = capacities.map((capacity) => new ModelChannel(stage, { capacity, preference: 'none' }));
    this.#channels = capacities.map((capacity) => watch(new Channel<number>(capacity)) as Channel<number>);
  }

  deed(act: Act): RealDeed {
    if (act.do === 'select') return this.#select(act.arms, act.options, act.withinMs);
    const value = ++this.#values;
    const channel = this.#channels[act.channel] as Channel<number>;
    const model = this.#models[act.channel] as ModelChannel;
    const sent = { value, isError: false };
    const same = (outcome: string): string => outcome;
    if (act.do === 'send')
      return deedOfWait<void>(
        this.#stage,
        () => channel.send(value),
        () => 'sent',
        () => model.send(sent),
        (player) => model.senders.push({ player, sent, done: same }),
      );
    if (act.do === 'receive')
      return deedOfWait<number>(
        this.#stage,
        () => channel.receive(),
        (got) => `got ${got}`,
        () => model.receive(),
        (player) => model.receivers.push({ player, done: same }),
      );
    if (act.do === 'close')
      return deedAtOnce(
        () => String(channel.close()),
        () => String(model.close()),
      );
    return deedAtOnce(
      () => attempt(() => this.#mutex.release() ?? 'released'),
      (player) => {
        if (this.#owner !== player) return 'ERR_NOT_OWNER';
        this.left(player);
        return 'released';
      },
    );
  }

  direct(act: Act): readonly [string, string] | undefined {
    if (act.do === 'select' || act.do === 'release') return undefined;
    const channel = this.#channels[act.channel] as Channel<number>;
    const model = this.#models[act.channel] as ModelChannel;
    const value = ++this.#values;
    if (act.do === 'close') return [String(channel.close()), String(model.close())];
    if (act.do === 'send')
      return [attempt(() => channel.trySend(value)), verdict(model.send({ value, isError: false }), 'true', 'false')];
    const taken = attempt(() => channel.tryReceive()?.value ?? 'none');
    const expected = model.receive() ?? 'none';
    return [taken, expected.replace('got ', '')];
  }

  compare(): void {
    expect(
      this.#channels.map(({ length, senders, receivers, closed }) => [length, senders.size, receivers.size, closed]),
    ).toEqual(
      this.#models.map(({ buffer, senders, receivers, closed }) => [
        buffer.length,
        senders.size,
        receivers.size,
        closed,
      ]),
    );
    expect([this.#mutex.locked, this.#mutex.waiters.size]).toEqual([this.#owner !== undefined, this.#line.size]);
  }

  leave(greenlet: Greenlet): void {
    if (this.#mutex.owner === greenlet) this.#mutex.release();
  }

  left(player: Player): void {
    if (this.#owner !== player) return;
    const next = this.#line.shift();
    this.#owner = next?.player;
    if (next !== undefined) this.#stage.commit(next.player, next.done('locked'));
  }

  #select(arms: readonly Arm[], { named, priority, otherwise }: Options, withinMs: number | undefined): RealDeed {
    const values = arms.map(() => ++this.#values);
    const canWait = arms.some((arm) => arm.do !== 'null' && arm.do !== 'lock');
    let chosen: string | undefined; // what was really chosen at once, or in the end
    const real = (): Waitable<{ key: string | number; value: unknown }> => {
      const waits = arms.map((arm, index) => this.#wait(arm, values[index] as number));
      const options = { priority, ...(otherwise || !canWait ? { else: 'else' } : {}) } as SelectOptions;
      return named
        ? select(Object.fromEntries(waits.map((wait, index) => [`a${index}`, wait])), options)
        : select(waits, options);
    };
    const told = ({ key, value }: { key: string | number; value: unknown }): string => {
      chosen = String(key).replace('a', '');
      if (key === 'else') return 'else';
      return `${chosen}: ${outcomeOf(arms[Number(chosen)] as Arm, value)}`;
    };
    const deed = deedOfWait(
      this.#stage,
      real,
      told,
      (player) => {
        const ready = arms.flatMap((arm, index) => (this.#isReady(arm, player) ? [index] : []));
        if (ready.length === 0) return otherwise || !canWait ? 'else' : undefined;
        const closed = ready.filter((index) => this.#throws(arms[index] as Arm));
        const index = priority ? (ready[0] as number) : chosen === undefined ? closed[0] : Number(chosen);
        if (index === undefined || !ready.includes(index))
          return `an arm of ${ready.join()} was ready and ${chosen} was chosen`;
        return this.#commit(arms[index] as Arm, index, values[index] as number, player);
      },
      (player) => {
        const retracts: (() => void)[] = [];
        const retract = (): void => {
          for (const one of retracts) one();
        };
        for (const [index, arm] of arms.entries())
          retracts.push(this.#enlist(arm, index, values[index] as number, player, retract));
        return retract;
      },
      withinMs,
    );
    return deed;
  }

  #wait(arm: Arm, value: number): Waitable<unknown> | null {
    const channel = this.#channels[arm.channel] as Channel<number>;
    let wait: Waitable<unknown>;
    if (arm.do === 'null' || (arm.do === 'lock' && this.#mutex.owner === current())) return null;
    else if (arm.do === 'send') wait = channel.send(value);
    else if (arm.do === 'receive') wait = channel.receive();
    else if (arm.do === 'lock') wait = this.#mutex.acquire();
    else wait = sleep(arm.ms);
    return arm.nested ? timeout(1e9, select({ only: wait }, { priority: true })) : wait;
  }

  #isReady(arm: Arm, player: Player): boolean {
    const { buffer, senders, receivers, closed } = this.#models[arm.channel] as ModelChannel;
    if (arm.do === 'send')
      return closed || receivers.size > 0 || buffer.length < (this.#capacities[arm.channel] as number);
    if (arm.do === 'receive') return closed || senders.size > 0 || buffer.length > 0;
    return arm.do === 'lock' && this.#owner === undefined && this.#owner !== player;
  }

  #throws(arm: Arm): boolean {
    const { buffer, closed } = this.#models[arm.channel] as ModelChannel;
    return closed && (arm.do === 'send' || (arm.do === 'receive' && buffer.length === 0));
  }

  #commit(arm: Arm, index: number, value: number, player: Player): string {
    const model = this.#models[arm.channel] as ModelChannel;
    if (arm.do === 'send') return keyed(index, model.send({ value, isError: false }) as string);
    if (arm.do === 'receive') return keyed(index, model.receive() as string);
    this.#owner = player;
    return `${index}: locked`;
  }

  #enlist(arm: Arm, index: number, value: number, player: Player, retract: () => void): () => void {
    const model = this.#models[arm.channel] as ModelChannel;
    const done = (outcome: string): string => {
      retract();
      return keyed(index, outcome);
    };
    if (arm.do === 'send') return model.senders.push({ player, sent: { value, isError: false }, done });
    if (arm.do === 'receive') return model.receivers.push({ player, done });
    if (arm.do === 'lock') return this.#owner === player ? () => {} : this.#line.push({ player, done });
    if (arm.do === 'null') return () => {};
    const timer = this.#stage.arm('sleep', arm.ms, () => this.#stage.commit(player, done('woke')));
    return () => this.#stage.disarm(timer);
  }
}

function keyed(index: number, outcome: string): string {
  return outcome === CLOSED ? outcome : `${index}: ${outcome}`;
}

function outcomeOf(arm: Arm, given: unknown): string {
  const value = arm.nested ? (given as { value: unknown }).value : given;
  if (arm.do === 'receive') return tellSent({ value: value as number, isError: false });
  return arm.do === 'send' ? 'sent' : arm.do === 'lock' ? 'locked' : 'woke';
}

function verdict(outcome: string | undefined, yes: string, no: string): string {
  return outcome === undefined ? no : outcome === CLOSED ? outcome : yes;
}

const arm = fc.record<Arm>({
  do: fc.constantFrom<Arm['do']>('send', 'send', 'receive', 'receive', 'lock', 'sleep', 'null'),
  channel: fc.nat({ max: 1 }),
  ms: fc.constantFrom(2, 4, 6).map(apart),
  nested: fc.boolean(),
});

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('select' as const),
      arms: fc.array(arm, { minLength: 1, maxLength: 4 }),
      options: fc.record({
        named: fc.boolean(),
        priority: fc.boolean(),
        otherwise: fc.nat({ max: 3 }).map((n) => n === 0),
      }),
      withinMs: limitMs,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('send' as const, 'receive' as const), channel: fc.nat({ max: 1 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), channel: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), channel: fc.nat({ max: 1 }) }) },
);

export interface Program {
  readonly capacities: readonly number[];
  readonly cues: Cue<Act>[];
}

export const programs: fc.Arbitrary<Program> = fc.record({
  capacities: fc.array(fc.constantFrom(0, 0, 1, 2), { minLength: 2, maxLength: 2 }),
  cues: cues(act, 5),
});

export function* playSelects({ capacities, cues }: Program): Op<void> {
  const stage = new Stage();
  yield* perform(cues, stage, [], new SelectGame(stage, capacities));
}
