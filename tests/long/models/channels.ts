// channels.ts: a channel against a plain one: every capacity and preference, twins, errors as values, limits of time, close.
import fc from 'fast-check';
import { Channel, type Op } from 'tendril/core';
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

type Preference = 'none' | 'receiver' | 'sender';

interface Act {
  readonly do: 'send' | 'sendError' | 'receive' | 'next' | 'trySend' | 'tryReceive' | 'close';
  readonly withinMs: number | undefined;
}

interface Setup {
  readonly capacity: number;
  readonly preference: Preference;
}

export interface Sent {
  readonly value: number;
  readonly isError: boolean;
}

const CLOSED = 'ERR_CHANNEL_CLOSED';

/** What a channel is, told without a scheduler. */
export class ModelChannel {
  readonly buffer: Sent[] = [];
  readonly senders = new Line<{ player: Player; sent: Sent; done: (outcome: string) => string }>();
  readonly receivers = new Line<{ player: Player; done: (outcome: string) => string }>();
  closed = false;
  /** The last look woke the side that is preferred. */
  preferred = false;
  readonly #stage: Stage;
  readonly #setup: Setup;
  constructor(stage: Stage, setup: Setup) {
    this.#stage = stage;
    this.#setup = setup;
  }

  send(sent: Sent): string | undefined {
    this.preferred = false;
    if (this.closed) return CLOSED;
    const receiver = this.receivers.shift();
    if (receiver !== undefined) this.#wake(receiver.player, receiver.done(tellSent(sent)), 'receiver');
    else if (this.buffer.length < this.#setup.capacity) this.buffer.push(sent);
    else return undefined;
    return 'sent';
  }

  receive(): string | undefined {
    this.preferred = false;
    const oldest = this.buffer.shift();
    const sender = oldest === undefined || this.senders.size > 0 ? this.senders.shift() : undefined;
    if (oldest !== undefined) {
      if (sender === undefined) return tellSent(oldest);
      this.buffer.push(sender.sent);
      this.#stage.commit(sender.player, sender.done('sent'));
      return tellSent(oldest);
    }
    if (sender === undefined) return this.closed ? CLOSED : undefined;
    this.#wake(sender.player, sender.done('sent'), 'sender');
    return tellSent(sender.sent);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const line of [this.senders, this.receivers])
      for (let entry = line.shift(); entry !== undefined; entry = line.shift())
        this.#stage.commit(entry.player, entry.done(CLOSED));
  }

  #wake(player: Player, outcome: string, side: Preference): void {
    this.preferred = this.#setup.preference === side;
    if (this.preferred) this.#stage.commitFirst(player, outcome);
    else this.#stage.commit(player, outcome);
  }
}

export function tellSent(sent: Sent): string {
  return sent.isError ? `threw ${sent.value}` : `got ${sent.value}`;
}

class SentIn extends Error {}

class ChannelGame implements Game<Act> {
  readonly #stage: Stage;
  readonly #setup: Setup;
  readonly #model: ModelChannel;
  readonly #channel: Channel<number>;
  #values = 0;

  constructor(stage: Stage, setup: Setup) {
    this.#stage = stage;
    this.#setup = setup;
    this.#model = new ModelChannel(stage, setup);
    this.#channel = watch(new Channel<number>(setup.capacity, { preference: setup.preference })) as Channel<number>;
  }

  deed({ do: verb, withinMs }: Act): RealDeed | undefined {
    const channel = this.#channel;
    const model = this.#model;
    const value = ++this.#values;
    switch (verb) {
      case 'send':
      case 'sendError': {
        const isError = verb === 'sendError';
        const sent = { value, isError };
        return deedOfWait<unknown>(
          this.#stage,
          () => (isError ? channel.sendError(new SentIn(`threw ${value}`)) : channel.send(value)),
          () => 'sent',
          (player) => this.#yielding(player, model.send(sent), 'receiver', withinMs),
          (player) => model.senders.push({ player, sent, done: (outcome) => outcome }),
          withinMs,
        );
      }
      case 'receive':
        return deedOfWait<number>(
          this.#stage,
          () => channel.receive(),
          (got) => `got ${got}`,
          (player) => this.#yielding(player, model.receive(), 'sender', withinMs),
          (player) => model.receivers.push({ player, done: (outcome) => outcome }),
          withinMs,
        );
      case 'next': {
        const done = (outcome: string): string => (outcome === CLOSED ? 'done' : outcome);
        return deedOfWait(
          this.#stage,
          () => channel.next(),
          (result) => (result.done === true ? 'done' : `got ${result.value}`),
          () => {
            const outcome = model.receive();
            return outcome === undefined ? undefined : done(outcome);
          },
          (player) => model.receivers.push({ player, done }),
          withinMs,
        );
      }
      default: {
        const [real, expected] = this.#twin(verb, value);
        return deedAtOnce(real, expected);
      }
    }
  }

  direct({ do: verb }: Act): readonly [string, string] {
    const twins = { send: 'trySend', sendError: 'trySend', receive: 'tryReceive', next: 'tryReceive' } as const;
    const twin = verb in twins ? twins[verb as keyof typeof twins] : (verb as 'close');
    const [real, expected] = this.#twin(twin, ++this.#values);
    return [real(), expected()];
  }

  compare(): void {
    const { length, senders, receivers, closed, balance } = this.#channel;
    const model = this.#model;
    expect([length, senders.size, receivers.size, closed, balance]).toEqual([
      model.buffer.length,
      model.senders.size,
      model.receivers.size,
      model.closed,
      model.senders.size - model.receivers.size,
    ]);
  }

  /** A plain send or receive gives way to the side that is preferred. */
  #yielding(
    player: Player,
    outcome: string | undefined,
    side: Preference,
    withinMs: number | undefined,
  ): string | undefined {
    if (outcome === undefined || withinMs !== undefined || this.#setup.preference !== side || !this.#model.preferred)
      return outcome;
    return this.#stage.giveWay(player, outcome);
  }

  #twin(verb: 'trySend' | 'tryReceive' | 'close', value: number): [() => string, () => string] {
    const channel = this.#channel;
    const model = this.#model;
    if (verb === 'trySend')
      return [
        () => attempt(() => (channel.trySend(value) ? 'sent' : 'full')),
        () => model.send({ value, isError: false }) ?? 'full',
      ];
    if (verb === 'tryReceive')
      return [
        () =>
          attempt(() => {
            const got = channel.tryReceive();
            return got === undefined ? 'empty' : `got ${got.value}`;
          }),
        () => model.receive() ?? 'empty',
      ];
    return [
      () => attempt(() => channel.close()),
      () => {
        model.close();
        return 'undefined';
      },
    ];
  }
}

const verbs = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<Act['do']>('send', 'receive') },
  { weight: 8, arbitrary: fc.constantFrom<Act['do']>('sendError', 'next', 'trySend', 'tryReceive') },
  { weight: 1, arbitrary: fc.constant<Act['do']>('close') },
);

export interface Program {
  readonly setup: Setup;
  readonly cues: Cue<Act>[];
}

export const programs: fc.Arbitrary<Program> = fc.record({
  setup: fc.record<Setup>({
    capacity: fc.constantFrom(0, 0, 1, 2, 3, Number.POSITIVE_INFINITY),
    preference: fc.constantFrom<Preference>('none', 'receiver', 'sender'),
  }),
  cues: cues(fc.record<Act>({ do: verbs, withinMs: limitMs }), 5),
});

export function* playChannel({ setup, cues }: Program): Op<void> {
  const stage = new Stage();
  yield* perform(cues, stage, [], new ChannelGame(stage, setup));
}
