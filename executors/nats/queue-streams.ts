// queue-streams.ts: what a queue of tasks is at the server: four streams, their subjects and consumers, and how they are made.
//
//   TENDRIL_q_TASKS    tendril.q.task.<set>.<name>        tasks that have no outcome yet; one consumer for all workers. A message goes when it is acknowledged
//   TENDRIL_q_RESULTS  tendril.q.result.<client>.<n>      outcomes on their way to the executor that submitted; a consumer for each
//   TENDRIL_q_KEYS     tendril.q.key.<hash>               outcomes of tasks that have a key, the last of each, for as long as it counts as the same
//   TENDRIL_q_DEAD     tendril.q.dead.<set>.<name>        tasks that were given up, with the reason, for people to look at
//   (no stream)        tendril.q.control                  executors to all workers: stop this one
//
// Executors and workers alike make what is missing, so it does not matter who comes first. What is there stays as it is, except for what somebody asks for by an option.

import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { typeError } from '../../core/bad-argument.ts';
import type { Op } from '../../core/op.ts';
import { shownValue } from '../../io/address.ts';
import type { Session } from './session.ts';
import { isApiError } from './transient.ts';

const nanosecondsPerMs = 1e6;
const noStream = 10059;
const noConsumer = 10014;
const streamNameInUse = 10058;
/** Dead letters are kept for a week, and no more than so many. */
const deadForMs = 7 * 24 * 3_600_000;
const mostDead = 10_000;
/** Pull requests that may lie at the server: every worker has one for each free place. */
const mostWaiting = 100_000;
/** An executor acknowledges an outcome in the turn in which it comes: one that is not was sent as the connection broke, and is sent again. */
const outcomeAckWaitMs = 2_000;

/** The names of a queue. */
export class QueueNames {
  readonly queue: string;
  readonly tasks: string;
  readonly results: string;
  readonly keys: string;
  readonly dead: string;
  /** The consumer of the workers. */
  readonly workers = 'workers';
  readonly control: string;

  /** @throws TypeError if `queue` is no name. */
  constructor(queue: string, where: string) {
    if (!/^[\w-]{1,64}$/.test(queue))
      throw typeError(
        `${where}: the name of a queue consists of letters, digits, _ and -, at most 64, which ${shownValue(queue)} does not`,
        'ERR_INVALID_ARG_VALUE',
      );
    this.queue = queue;
    this.tasks = `TENDRIL_${queue}_TASKS`;
    this.results = `TENDRIL_${queue}_RESULTS`;
    this.keys = `TENDRIL_${queue}_KEYS`;
    this.dead = `TENDRIL_${queue}_DEAD`;
    this.control = `tendril.${queue}.control`;
  }

  /** `kind` and what follows are tokens: without dots, blanks and wildcards. */
  subject(kind: 'task' | 'result' | 'key' | 'dead', ...tokens: readonly string[]): string {
    return `tendril.${this.queue}.${kind}.${tokens.join('.')}`;
  }
}

/** What may be asked of a queue; undefined: as it is, or our default if it is not there. */
export interface QueueSettings {
  readonly duplicateWindowMs: number | undefined;
  readonly keepResultsMs: number | undefined;
  readonly ackWaitMs: number | undefined;
}

type NamedStream = Partial<StreamConfig> & { readonly name: string };
type AskedOfStream = { readonly [K in keyof StreamConfig]?: StreamConfig[K] | undefined };

/** The four streams as they are made, and what is asked of each that may be there already. */
function streamsOf(names: QueueNames, settings: QueueSettings): readonly [NamedStream, AskedOfStream][] {
  const windowNs = nanoseconds(settings.duplicateWindowMs);
  return [
    [
      {
        name: names.tasks,
        subjects: [names.subject('task', '>')],
        retention: RetentionPolicy.Workqueue,
        duplicate_window: 120_000 * nanosecondsPerMs,
      },
      { duplicate_window: windowNs },
    ],
    [
      {
        name: names.results,
        subjects: [names.subject('result', '*', '*')],
        retention: RetentionPolicy.Workqueue,
        max_age: 3_600_000 * nanosecondsPerMs,
      },
      { max_age: nanoseconds(settings.keepResultsMs) },
    ],
    [
      {
        name: names.keys,
        subjects: [names.subject('key', '*')],
        retention: RetentionPolicy.Limits,
        max_msgs_per_subject: 1,
        max_age: 120_000 * nanosecondsPerMs,
        duplicate_window: 1_000 * nanosecondsPerMs,
        allow_direct: true,
      },
      { max_age: windowNs },
    ],
    [
      {
        name: names.dead,
        subjects: [names.subject('dead', '>')],
        retention: RetentionPolicy.Limits,
        max_age: deadForMs * nanosecondsPerMs,
        max_msgs: mostDead,
        discard: DiscardPolicy.Old,
      },
      {},
    ],
  ];
}

/** Make the streams of a queue, and the workers' consumer, as far as they are missing. Returns how long a worker may be silent, in milliseconds. */
export function* setUpQueue(session: Session, names: QueueNames, settings: QueueSettings): Op<number> {
  const manager = yield* session.manager();
  for (const [config, asked] of streamsOf(names, settings)) yield* setUpStream(session, manager, config, asked);
  const { ack_wait: ackWait } = yield* setUpConsumer(
    session,
    manager,
    names.tasks,
    {
      durable_name: names.workers,
      ack_wait: 30_000 * nanosecondsPerMs,
      max_ack_pending: -1,
      max_waiting: mostWaiting,
    },
    { ack_wait: nanoseconds(settings.ackWaitMs) },
  );
  return milliseconds(ackWait);
}

/** Make the consumer of an executor, for its results. It goes by itself when nobody has asked it for so long. */
export function* setUpResults(session: Session, names: QueueNames, client: string, keepMs: number): Op<number> {
  const { ack_wait: ackWait } = yield* setUpConsumer(
    session,
    yield* session.manager(),
    names.results,
    {
      durable_name: client,
      filter_subject: names.subject('result', client, '*'),
      ack_wait: outcomeAckWaitMs * nanosecondsPerMs,
      max_ack_pending: 10_000,
      inactive_threshold: keepMs * nanosecondsPerMs,
    },
    {},
  );
  return milliseconds(ackWait);
}

/** Make a stream, or bring what is asked for into one that is there. */
export function* setUpStream(
  session: Session,
  manager: JetStreamManager,
  config: NamedStream,
  asked: AskedOfStream,
): Op<StreamConfig> {
  const changes = given(asked);
  for (;;) {
    try {
      const found = yield* session.during(manager.streams.info(config.name));
      if (Object.entries(changes).every(([key, value]) => found.config[key as keyof StreamConfig] === value))
        return found.config;
      const updated = { ...found.config, ...changes };
      return (yield* session.during(manager.streams.update(config.name, withinAge(updated)))).config;
    } catch (error) {
      if (!isApiError(error, noStream)) throw error;
    }
    try {
      const made = { storage: StorageType.File, ...config, ...changes };
      return (yield* session.during(manager.streams.add(withinAge(made)))).config;
    } catch (error) {
      // Somebody else has made it meanwhile: look again.
      if (!isApiError(error, streamNameInUse)) throw error;
    }
  }
}

/** The server knows an id no longer than it keeps a message. */
function withinAge<C extends Partial<StreamConfig>>(config: C): C {
  const { max_age: age, duplicate_window: window } = config;
  if (age === undefined || age === 0 || (window !== undefined && window <= age)) return config;
  return { ...config, duplicate_window: Math.min(window ?? age, age, 120_000 * nanosecondsPerMs) };
}

/** Make a durable pull consumer, or bring what is asked for into one that is there. */
export function* setUpConsumer(
  session: Session,
  manager: JetStreamManager,
  stream: string,
  config: Partial<ConsumerConfig> & { readonly durable_name: string },
  asked: { readonly [K in keyof ConsumerConfig]?: ConsumerConfig[K] | undefined },
): Op<ConsumerConfig> {
  const changes = given(asked);
  const name = config.durable_name;
  try {
    const found = yield* session.during(manager.consumers.info(stream, name));
    const same = Object.entries(changes).every(([key, value]) => found.config[key as keyof ConsumerConfig] === value);
    if (same) return found.config;
    return (yield* session.during(manager.consumers.update(stream, name, changes))).config;
  } catch (error) {
    if (!isApiError(error, noConsumer)) throw error;
  }
  // Making one that was made meanwhile, alike, is no error.
  const made = yield* session.during(
    manager.consumers.add(stream, {
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ...config,
      ...changes,
    }),
  );
  return made.config;
}

/** The server fills in what was not asked for. */
export function milliseconds(ackWait: number | undefined): number {
  return (ackWait ?? 30_000 * nanosecondsPerMs) / nanosecondsPerMs;
}

function nanoseconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms * nanosecondsPerMs;
}

function given<T extends object>(asked: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
