// task-worker.ts: what a worker does with each delivery of a queue.
//
// A delivery is ours while we give signs of life for it. It ends in one of three ways: acknowledged, after its outcome is kept by the server; handed back, when we leave or our executor's worker
// is lost; or not at all, if this process is lost, and then the server gives it to another worker. Nothing that comes makes the worker fail: what cannot be read
// or was delivered too often goes to the dead letters.
//
// Invariants, between any two steps:
//   active is the number of deliveries that are neither acknowledged nor handed back; active <= concurrency
//   handled has the ids of active deliveries that could be read, each once; running those of them whose task was submitted to the executor and has not ended

import type { Msg } from '@nats-io/transport-node';
import { Channel } from '../../core/channel.ts';
import { ChannelClosedError, rethrowKilled } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { requireScheduler } from '../../core/kernel.ts';
import type { Op } from '../../core/op.ts';
import { sleep } from '../../core/sleep.ts';
import { timeout } from '../../core/timeout.ts';
import type { Executor } from '../executor.ts';
import type { Future } from '../future.ts';
import { GreenletExecutor } from '../greenlet-executor.ts';
import { type AnyTask, registeredTask, type Task } from '../tasks.ts';
import { describeThrown } from '../thrown.ts';
import { decodeStop, decodeTask, keyed, type ResultMessage, senderOf, type TaskMessage } from './envelope.ts';
import { lookForOutcome } from './keyed-outcomes.ts';
import { KnownIds } from './known-ids.ts';
import type { NatsLink } from './link.ts';
import { type Addressee, bury, publishOutcome } from './outbox.ts';
import { type Delivery, Pull } from './pull.ts';
import { type QueueNames, type QueueSettings, setUpQueue } from './queue-streams.ts';
import type { Session } from './session.ts';
import { refusal } from './transient.ts';

export interface TaskWorkerSettings {
  readonly link: NatsLink;
  readonly names: QueueNames;
  readonly queue: QueueSettings;
  /** By `set.name`. */
  readonly tasks: ReadonlyMap<string, AnyTask>;
  readonly executor: Executor;
  readonly concurrency: number;
}

/** How a delivery ended: its outcome is to be published, or the worker of our executor was lost over it. */
type Ran = ResultMessage | { readonly kind: 'lost'; readonly reason: string };

const acknowledged = '+ACK';
const working = '+WPI';
/** Errors of an executor that say nothing of the task. */
const lostWorker = new Set(['ERR_WORKER_LOST', 'ERR_WORKER_START']);
/** Before a task that has lost a worker of our executor is tried again: times the attempt. */
const retryMs = 200;
const lastWordsMs = 1_000;

export class TaskWorker {
  readonly #settings: TaskWorkerSettings;
  readonly #link: NatsLink;
  readonly #names: QueueNames;
  readonly #pull: Pull;
  readonly #inbox: Channel<Delivery> = new Channel(Number.POSITIVE_INFINITY, { name: 'of tasks that were delivered' });
  readonly #greenlets: Set<Greenlet<void>> = new Set();
  readonly #idle: Event = new Event({ name: 'of an idle worker' });
  readonly #active: Set<Delivery> = new Set();
  readonly #handled: Set<string> = new Set();
  readonly #running: Map<string, Future<unknown>> = new Map();
  /** Tasks that executors have stopped before we had them, and those whose outcome is kept. */
  readonly #stopped: KnownIds = new KnownIds(10_000);
  readonly #finished: KnownIds = new KnownIds(10_000);
  readonly #orders: Greenlet<void>;
  readonly #offClosed: () => void;
  #ackWaitMs = 30_000;
  #failure: Error | undefined = undefined;
  #leaving = false;

  constructor(settings: TaskWorkerSettings) {
    const { link, names } = settings;
    this.#settings = settings;
    this.#link = link;
    this.#names = names;
    this.#idle.set();
    this.#offClosed = link.onClosed(() => this.#fail(link.failure as Error));
    this.#orders = link.spawnInEachSession(
      'orders to stop tasks',
      (session) => this.#listening(session),
      (error) => this.#fail(error),
    );
    this.#pull = new Pull({
      link,
      stream: names.tasks,
      consumer: names.workers,
      setUp: (session) => this.#setUp(session),
      deliver: (delivery) => void this.#inbox.trySend(delivery),
      failed: (error) => this.#fail(error),
    });
  }

  /** Serve until killed. @throws what ended the connection for good, or shut the executor down. */
  *serve(): Op<never> {
    const heart = this.#link.spawn('signs of life', () => this.#beating());
    try {
      this.#pull.want(this.#settings.concurrency);
      for (;;) this.#accept(yield* this.#inbox.receive());
    } catch (error) {
      if (error instanceof ChannelClosedError && this.#failure !== undefined) throw this.#failure;
      throw error;
    } finally {
      heart.kill();
    }
  }

  /** Take no more; wait for what runs; hand back the rest. */
  *leave(graceMs: number): Op<void> {
    this.#leaving = true;
    this.#offClosed();
    this.#pull.rest();
    for (let next = this.#inbox.length; next > 0; next -= 1)
      this.#handBack(this.#inbox.tryReceive()?.value as Delivery, 0);
    this.#inbox.close();
    if (graceMs > 0 && !this.#idle.isSet) {
      const heart = this.#link.spawn('signs of life', () => this.#beating());
      yield* timeout(graceMs, this.#idle.wait(), { else: undefined });
      heart.kill();
    }
    for (const greenlet of [...this.#greenlets]) greenlet.kill();
    yield* this.#idle.wait();
    yield* this.#pull.leave();
    this.#orders.kill();
    const session = this.#link.current;
    if (session === undefined) return;
    try {
      yield* timeout(lastWordsMs, session.during(session.client.flush()), { else: undefined });
    } catch (error) {
      rethrowKilled(error);
    }
  }

  /** The worker cannot go on. */
  #fail(error: Error): void {
    this.#failure ??= error;
    if (!this.#leaving) this.#inbox.close();
  }

  *#setUp(session: Session): Op<number> {
    this.#ackWaitMs = yield* setUpQueue(session, this.#names, this.#settings.queue);
    return this.#ackWaitMs;
  }

  #accept(delivery: Delivery): void {
    this.#active.add(delivery);
    this.#idle.clear();
    const greenlet = this.#link.spawn('task of a queue', () => this.#handling(delivery));
    this.#greenlets.add(greenlet);
    greenlet.onEnd(() => {
      this.#greenlets.delete(greenlet);
      // Killed before it began.
      if (this.#active.has(delivery)) this.#handBack(delivery, 0);
      if (this.#greenlets.size === 0) this.#idle.set();
      if (!this.#leaving) this.#pull.want(this.#settings.concurrency - this.#greenlets.size - this.#inbox.length);
    });
  }

  *#handling(delivery: Delivery): Op<void> {
    try {
      yield* this.#process(delivery);
    } catch (error) {
      rethrowKilled(error);
      // The server refuses what we publish, or our executor takes nothing any more.
      this.#fail(refusal(error));
    } finally {
      if (this.#active.has(delivery)) this.#handBack(delivery, 0);
    }
  }

  *#process(delivery: Delivery): Op<void> {
    const text = textOf(delivery);
    let message: TaskMessage;
    try {
      message = decodeTask(text);
    } catch (error) {
      yield* this.#giveUp(delivery, senderOf(text), delivery.attempt, (error as Error).message);
      return;
    }
    const id = `${message.client}.${message.number}`;
    if (this.#handled.has(id)) {
      // We were silent for too long, or nearly. What we say of the first delivery counts for this one, which has the same number in the stream.
      this.#active.delete(delivery);
      return;
    }
    this.#handled.add(id);
    try {
      yield* this.#handle(delivery, message, id);
    } finally {
      this.#handled.delete(id);
    }
  }

  *#handle(delivery: Delivery, message: TaskMessage, id: string): Op<void> {
    if (yield* this.#hasOutcome(delivery, message, id)) return;
    if (delivery.attempt > message.maxAttempts) {
      // A delivery beyond those was no attempt, also if it never came here.
      const attempts = message.maxAttempts;
      yield* this.#giveUp(delivery, message, attempts, 'each worker that began it was lost, or left before it ended');
      return;
    }
    const ran: Ran = this.#stopped.has(id) ? { kind: 'killed' } : yield* this.#run(message, id);
    if (ran.kind !== 'lost') {
      yield* publishOutcome(this.#link, this.#names, message, { attempt: delivery.attempt, result: ran });
      this.#finish(delivery, message);
    } else if (delivery.attempt >= message.maxAttempts) {
      yield* this.#giveUp(delivery, message, delivery.attempt, ran.reason);
    } else {
      this.#handBack(delivery, retryMs * delivery.attempt);
    }
  }

  /** Is it a second delivery of something that has an outcome? Then that is enough. */
  *#hasOutcome(delivery: Delivery, message: TaskMessage, id: string): Op<boolean> {
    if (this.#finished.has(id)) {
      this.#acknowledge(delivery);
      return true;
    }
    if (message.client !== keyed) return false;
    const found = yield* this.#link.attempt((session) => lookForOutcome(session, this.#names, message.number));
    if (found === undefined) return false;
    this.#acknowledge(delivery);
    return true;
  }

  *#run(message: TaskMessage, id: string): Op<Ran> {
    const { executor, tasks } = this.#settings;
    const task = tasks.get(`${message.set}.${message.name}`);
    if (task === undefined) {
      const known = [...tasks.keys()].slice(0, 20).join(', ');
      return {
        kind: 'unknown',
        message: `the worker that took task '${message.name}' of the set '${message.set}' serves no such task: it has ${known}`,
      };
    }
    let future: Future<unknown>;
    try {
      const args = checked(executor, task, message.args);
      const { limitMs, abortGraceMs, terminate } = message;
      future = executor.submitWith(
        { limitMs, abortGraceMs, terminate },
        task as Task<readonly unknown[], unknown>,
        ...args,
      );
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ERR_EXECUTOR_SHUTDOWN') throw error;
      return { kind: 'error', thrown: describeThrown(error) };
    }
    this.#running.set(id, future);
    try {
      return { kind: 'value', value: yield* future };
    } catch (error) {
      // Our own kill takes the task with it; what comes next throws it again.
      if (!future.done) throw error;
      return future.cancelled ? { kind: 'killed' } : failed(error);
    } finally {
      this.#running.delete(id);
    }
  }

  *#giveUp(delivery: Delivery, to: Addressee | undefined, attempts: number, reason: string): Op<void> {
    yield* bury(this.#link, this.#names, delivery, attempts, reason);
    if (to !== undefined) {
      const result = { kind: 'dead', attempts, reason } as const;
      yield* publishOutcome(this.#link, this.#names, to, { attempt: delivery.attempt, result });
    }
    this.#finish(delivery, to);
  }

  /** Its outcome is kept by the server. */
  #finish(delivery: Delivery, of: Addressee | undefined): void {
    if (of !== undefined && of.client !== keyed) this.#finished.add(`${of.client}.${of.number}`);
    this.#acknowledge(delivery);
  }

  #acknowledge(delivery: Delivery): void {
    this.#active.delete(delivery);
    this.#link.acknowledge(delivery.reply, acknowledged);
  }

  #handBack(delivery: Delivery, delayMs: number): void {
    this.#active.delete(delivery);
    this.#pull.handBack(delivery.reply, delayMs);
  }

  /** Say of all deliveries that they are in good hands. */
  *#beating(): Op<void> {
    for (;;) {
      yield* sleep(this.#ackWaitMs / 3);
      for (const delivery of this.#active) this.#link.publish(delivery.reply, working);
    }
  }

  *#listening(session: Session): Op<void> {
    session.client.subscribe(this.#names.control, {
      callback: (error, message) => {
        if (error === null) this.#ordered(message);
      },
    });
    yield* session.lost.wait();
  }

  #ordered(message: Msg): void {
    try {
      const { id, terminate, reason } = decodeStop(message.string());
      const running = this.#running.get(id);
      if (running === undefined) {
        this.#stopped.add(id);
        return;
      }
      message.respond('{}');
      running.cancel({ terminate, reason });
    } catch (error) {
      // An order that cannot be read is nobody's.
      if ((error as { code?: unknown }).code !== 'ERR_MESSAGE_MALFORMED') requireScheduler().report(error, undefined);
    }
  }
}

/** What of a failed task's error is the task's, and what its executor's. */
function failed(error: unknown): Ran {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && lostWorker.has(code)) return { kind: 'lost', reason: String(message) };
  if (code === 'ERR_TASK_LOAD') return { kind: 'unknown', message: String(message) };
  if (code === 'ERR_TASK_RESULT') return { kind: 'unsendable', message: String(message) };
  return { kind: 'error', thrown: describeThrown(error) };
}

/** The arguments as the set's `validate` wants them: in this thread, if the task runs in it; other executors ask where it runs. */
function checked(executor: Executor, task: AnyTask, args: readonly unknown[]): readonly unknown[] {
  if (!(executor instanceof GreenletExecutor)) return args;
  const validate = registeredTask(task.module, task.name)?.validate;
  return validate === undefined ? args : validate(args);
}

function textOf({ data }: Delivery): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
}
