// remote-executor.ts: the executor whose workers are other processes, on this machine or another, that `serveTasks` from a queue of NATS JetStream.
//
// It holds no worker and knows of none: it publishes, and outcomes come. Unlike the local ones it runs a task at least once. What the server does with a task, and
// how an outcome comes back, is in remote-engine.ts and queue-streams.ts.

import { typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import type { Op } from '../../core/op.ts';
import { checkOptions, own, ownCount, ownMs, ownText, shownValue } from '../../io/address.ts';
import { Executor } from '../executor.ts';
import type { ExecutorOptions, ExecutorStats } from '../executor-options.ts';
import { NatsLink } from './link.ts';
import type { NatsOptions } from './nats-options.ts';
import { QueueNames, type QueueSettings, setUpQueue } from './queue-streams.ts';
import { RemoteEngine } from './remote-engine.ts';

export interface RemoteExecutorOptions extends ExecutorOptions, NatsOptions {
  /** The name of the queue that workers serve: letters, digits, _ and -. 'tasks' by default. */
  readonly queue?: string | undefined;
  /** A connection that is shared; it stays open. Without one the executor opens its own, by the options for that. */
  readonly link?: NatsLink | undefined;
  /** How many tasks may be at the server without an outcome; what is submitted beyond waits here. Infinity by default. */
  readonly window?: number | undefined;
  /** How many workers may be lost over a task before it is given up. 5 by default. */
  readonly maxAttempts?: number | undefined;
  /** For how long two tasks with the same key are the same one. Of the queue: it is changed there if it is given. 120,000 at first. */
  readonly duplicateWindowMs?: number | undefined;
  /** How long an outcome is kept for an executor that cannot be reached. Of the queue: it is changed there if it is given. 3,600,000 at first. */
  readonly keepResultsMs?: number | undefined;
}

/** As of every executor. For this one `running` is what was handed to the server, whether it has begun there or not. */
export interface RemoteExecutorStats extends ExecutorStats {
  /** Messages that turned out to be of something known: a second submit of a key, a publish that had already arrived, a second outcome of one task. */
  readonly duplicates: number;
  /** Outcomes of a second or later attempt: so many tasks have lost a worker. */
  readonly redelivered: number;
  /** How often the connection was lost and made again. */
  readonly reconnects: number;
}

/** Has tasks run by workers on other machines, at least once each. `RemoteExecutor.connect` makes one. */
export class RemoteExecutor extends Executor {
  readonly #engine: RemoteEngine;
  readonly #link: NatsLink;

  private constructor(engine: RemoteEngine, link: NatsLink, options: unknown) {
    super(engine, 'RemoteExecutor', options);
    this.#engine = engine;
    this.#link = link;
  }

  /**
   * Connect to a queue, and make it if there is none yet. Switches.
   *
   * Workers may come before or after. If it throws, nothing is left open.
   *
   * @throws TypeError, RangeError for bad options, at the call. @throws EngineUnreachableError if no server answers within `connectTimeoutMs`. @throws EngineRefusedError if the server does not let us in,
   * or has no JetStream. @throws Killed if the greenlet is killed while it waits.
   */
  static connect(options?: RemoteExecutorOptions): Op<RemoteExecutor> {
    const where = 'RemoteExecutor.connect';
    const given = checkOptions(options, where);
    const names = new QueueNames(ownText(given, 'queue', where) ?? 'tasks', where);
    const window = ownCount(given, 'window', Number.POSITIVE_INFINITY, 1, where);
    const maxAttempts = ownCount(given, 'maxAttempts', 5, 1, where);
    const queue = queueSettings(given, where);
    const connecting = linkOf(given, where);
    return composite(function* () {
      const { link, ownsLink } = yield* connecting();
      let done = false;
      try {
        yield* link.require((session) => setUpQueue(session, names, queue));
        const keepResultsMs = queue.keepResultsMs ?? 3_600_000;
        const engine = new RemoteEngine({ link, ownsLink, names, queue, keepResultsMs, maxAttempts, window });
        const executor = new RemoteExecutor(engine, link, given);
        done = true;
        return executor;
      } finally {
        if (!done && ownsLink) yield* link.close();
      }
    });
  }

  /** What waits, is at the server and has ended, and what happened more than once. */
  override get stats(): RemoteExecutorStats {
    return { ...super.stats, ...this.#engine.counts, reconnects: this.#link.reconnects };
  }
}

/** A connection that was given, or how to make one. */
export function linkOf(given: object, where: string): () => Op<{ link: NatsLink; ownsLink: boolean }> {
  const link = own<unknown>(given, 'link');
  if (link === undefined) {
    const opening = NatsLink.connect(given as NatsOptions);
    return function* () {
      return { link: yield* opening, ownsLink: true };
    };
  }
  if (!(link instanceof NatsLink))
    throw typeError(`${where}: link is what NatsLink.connect gives, not ${shownValue(link)}`);
  return function* () {
    return { link, ownsLink: false };
  };
}

/** What is asked of the queue itself. */
export function queueSettings(given: object, where: string): QueueSettings {
  return {
    duplicateWindowMs: askedMs(given, 'duplicateWindowMs', where),
    keepResultsMs: askedMs(given, 'keepResultsMs', where),
    ackWaitMs: askedMs(given, 'ackWaitMs', where),
  };
}

/** The server takes no window below 100 ms. */
export function askedMs(given: object, key: string, where: string): number | undefined {
  if (own<unknown>(given, key) === undefined) return undefined;
  const ms = Math.round(ownMs(given, key, 0, where));
  if (!(ms >= 100 && ms <= 1e12))
    throw typeError(`${where}: ${key} must be between 100 and 1e12, not ${ms}`, 'ERR_OUT_OF_RANGE');
  return ms;
}
