// remote-engine.ts: how an executor has its tasks run by workers on other machines: it publishes them, and waits for outcomes.
//
// At least once: a task is published until the server has confirmed that it keeps it, under one id, so that it is kept once; a worker acknowledges it after its outcome is kept;
// and the outcome is kept until this executor has confirmed it. Whatever is lost on the way happens again, and what then comes twice is known by its id, and counted.
//
// A task with a key is everybody's who knows the key: it has one entry here, of several futures if need be, and is never stopped on behalf of one of them.
//
// Invariants, between any two steps:
//   an entry is in `entries`  if and only if  it has a job that has not ended
//   the link is held  if and only if  there is an entry
//   state is queued  implies  nothing of it was sent

import { createHash, randomBytes } from 'node:crypto';
import { rethrowKilled } from '../../core/errors.ts';
import type { Op } from '../../core/op.ts';
import { timeout } from '../../core/timeout.ts';
import type { Engine } from '../engine.ts';
import type { Job, JobEnd } from '../job.ts';
import type { AnyTask } from '../tasks.ts';
import { Crew } from './crew.ts';
import { decodeOutcome, encodeArgs, encodeStop, encodeTask, keyed, type Outcome } from './envelope.ts';
import { KeyedOutcomes } from './keyed-outcomes.ts';
import type { NatsLink } from './link.ts';
import { endOf } from './outcome-end.ts';
import { type Delivery, Pull } from './pull.ts';
import { type QueueNames, type QueueSettings, setUpQueue, setUpResults } from './queue-streams.ts';
import type { Session } from './session.ts';
import { isApiError, refusal } from './transient.ts';

export interface RemoteEngineSettings {
  readonly link: NatsLink;
  /** It is ours alone: close it at the end. */
  readonly ownsLink: boolean;
  readonly names: QueueNames;
  readonly queue: QueueSettings;
  readonly keepResultsMs: number;
  readonly maxAttempts: number;
  readonly window: number;
}

/** A task that was submitted and has no outcome yet. */
interface Entry {
  /** Who it is to the server, too. */
  readonly id: string;
  readonly client: string;
  readonly number: string;
  readonly task: AnyTask;
  readonly jobs: Set<Job>;
  state: 'queued' | 'sending' | 'sent';
  /** What is to be sent, until it was. */
  message: string;
  /** Its number in the stream of tasks, once it was sent. */
  sequence: number;
}

/** Stop a task: take it out if it waits, and ask whoever runs it. */
interface Stop {
  readonly entry: Entry;
  readonly job: Job | undefined;
  readonly reason: unknown;
  readonly terminate: boolean;
}

/** Requests that are under way at once: those that publish, and those that stop and may have to wait for an answer that does not come. */
const publishers = 64;
const stoppers = 512;
/** Outcomes that are asked for ahead. */
const resultsAhead = 512;
/** How long a worker has to say that it runs a task that is to be stopped. */
const claimMs = 300;
/** How long the last messages may take when the executor closes. */
const farewellMs = 5_000;
const noMessage = 10037;

export class RemoteEngine implements Engine {
  readonly places: number;
  readonly external = true;
  readonly keepsLimits = true;
  readonly counts = { duplicates: 0, redelivered: 0 };
  readonly #settings: RemoteEngineSettings;
  readonly #link: NatsLink;
  readonly #names: QueueNames;
  /** Who we are in subjects. */
  readonly #client: string = randomBytes(10).toString('hex');
  #last = 0;
  readonly #entries: Map<string, Entry> = new Map();
  /** Arguments as text, from the check at the submit to the beginning. */
  readonly #encoded: WeakMap<readonly unknown[], string> = new WeakMap();
  readonly #sending: Crew<Entry>;
  readonly #stopping: Crew<Stop>;
  readonly #results: Pull;
  readonly #keyed: KeyedOutcomes;
  readonly #offClosed: () => void;

  /** The queue is set up. */
  constructor(settings: RemoteEngineSettings) {
    const { link, names } = settings;
    this.places = settings.window;
    this.#settings = settings;
    this.#link = link;
    this.#names = names;
    this.#sending = new Crew(link, 'publish tasks', publishers, (entry) => this.#publishing(entry));
    this.#stopping = new Crew(link, 'stop tasks', stoppers, (stop) => this.#doStop(stop));
    this.#keyed = new KeyedOutcomes(link, names, (hash, data) => this.#outcomeCame(`${keyed}.${hash}`, data));
    this.#results = new Pull({
      link,
      stream: names.results,
      consumer: this.#client,
      setUp: (session) => this.#setUp(session),
      deliver: (delivery) => this.#delivered(delivery),
      failed: (error) => this.#failAll(error),
    });
    this.#results.want(resultsAhead);
    this.#offClosed = link.onClosed(() => this.#failAll(link.failure as Error));
  }

  check(_task: AnyTask, args: readonly unknown[]): void {
    this.#encoded.set(args, encodeArgs(args, this.#link.maxPayload));
  }

  begin(job: Job): void {
    if (this.#link.failure !== undefined) throw this.#link.failure;
    const { key } = job.settings;
    const client = key === undefined ? this.#client : keyed;
    const number = key === undefined ? (++this.#last).toString(36) : hashOf(job.task, key);
    const id = `${client}.${number}`;
    const known = this.#entries.get(id);
    if (known !== undefined) {
      this.counts.duplicates += 1;
      known.jobs.add(job);
      job.engineState = known;
      return;
    }
    const { task, settings } = job;
    const args = this.#encoded.get(job.args) ?? encodeArgs(job.args, this.#link.maxPayload);
    const { set, name } = task;
    const { limitMs, abortGraceMs, terminate } = settings;
    const { maxAttempts } = this.#settings;
    const message = encodeTask({ client, number, set, name, maxAttempts, limitMs, abortGraceMs, terminate }, args);
    const entry: Entry = { id, client, number, task, jobs: new Set([job]), state: 'queued', message, sequence: 0 };
    if (this.#entries.size === 0) this.#link.hold();
    this.#entries.set(id, entry);
    job.engineState = entry;
    if (client === keyed) this.#keyed.watch(number);
    this.#sending.add(entry);
  }

  abort(job: Job, reason: unknown): void {
    const entry = job.engineState as Entry;
    if (entry.client === keyed || entry.state !== 'sent') this.#leave(entry, job);
    else this.#stopping.add({ entry, job, reason, terminate: false });
  }

  terminate(job: Job): void {
    const entry = job.engineState as Entry;
    if (entry.client !== keyed && entry.state === 'sent')
      this.#stopping.add({ entry, job: undefined, reason: job.asked?.reason, terminate: true });
    this.#leave(entry, job);
  }

  *close(): Op<void> {
    const { link } = this.#settings;
    try {
      if (link.connected) yield* timeout(farewellMs, this.#farewell(), { else: undefined });
    } finally {
      this.#offClosed();
      this.#results.stop();
      this.#keyed.stop();
      if (this.#settings.ownsLink) yield* link.close();
    }
  }

  *#farewell(): Op<void> {
    yield* this.#sending.idle.wait();
    yield* this.#stopping.idle.wait();
    this.#results.stop();
    const session = this.#link.current;
    if (session === undefined) return;
    try {
      const { consumers } = yield* session.manager();
      yield* session.during(consumers.delete(this.#names.results, this.#client));
    } catch (error) {
      // It goes by itself when nobody has asked it for long enough.
      rethrowKilled(error);
    }
  }

  *#setUp(session: Session): Op<number> {
    yield* setUpQueue(session, this.#names, this.#settings.queue);
    return yield* setUpResults(session, this.#names, this.#client, this.#settings.keepResultsMs);
  }

  *#publishing(entry: Entry): Op<void> {
    if (entry.jobs.size === 0) return;
    entry.state = 'sending';
    try {
      if (entry.client === keyed) {
        yield* this.#link.attempt((session) => this.#keyed.look(session, entry.number));
        if (entry.jobs.size === 0) {
          this.counts.duplicates += 1;
          return;
        }
      }
      const { set, name } = entry.task;
      const ack = yield* this.#link.attempt((session) =>
        session.during(session.js.publish(this.#names.subject('task', set, name), entry.message, { msgID: entry.id })),
      );
      entry.message = '';
      entry.sequence = ack.seq;
      entry.state = 'sent';
      if (ack.duplicate) this.counts.duplicates += 1;
      // Cancelled meanwhile.
      if (entry.jobs.size === 0 && entry.client !== keyed)
        this.#stopping.add({ entry, job: undefined, reason: undefined, terminate: false });
    } catch (error) {
      rethrowKilled(error);
      this.#end(entry, { kind: 'error', error: refusal(error) });
    }
  }

  *#doStop({ entry, job, reason, terminate }: Stop): Op<void> {
    try {
      const session = yield* this.#link.session();
      const { streams } = yield* session.manager();
      yield* session.during(streams.deleteMessage(this.#names.tasks, entry.sequence, false));
    } catch (error) {
      rethrowKilled(error);
      // It has been acknowledged: the outcome is on its way.
      if (isApiError(error, noMessage)) return;
    }
    const order = encodeStop({ id: entry.id, reason, terminate }, this.#link.maxPayload);
    if (job === undefined) this.#link.publish(this.#names.control, order);
    // Whoever runs it sends its outcome. If nobody does, nobody will.
    else if (!(yield* this.#ask(order))) this.#leave(entry, job);
  }

  /** Tell all workers; does one say that the task is its own? */
  *#ask(message: string): Op<boolean> {
    try {
      const session = yield* this.#link.session();
      yield* session.during(session.client.request(this.#names.control, message, { timeout: claimMs }));
      return true;
    } catch (error) {
      rethrowKilled(error);
      return false;
    }
  }

  #delivered(delivery: Delivery): void {
    this.#link.acknowledge(delivery.reply, '+ACK');
    this.#results.want(resultsAhead);
    const number = delivery.subject.slice(delivery.subject.lastIndexOf('.') + 1);
    this.#outcomeCame(`${this.#client}.${number}`, delivery.data);
  }

  #outcomeCame(id: string, data: Uint8Array): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      if (!id.startsWith(`${keyed}.`)) this.counts.duplicates += 1;
      return;
    }
    let outcome: Outcome;
    try {
      outcome = decodeOutcome(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString());
    } catch (error) {
      this.#end(entry, { kind: 'error', error });
      return;
    }
    if (outcome.attempt > 1) this.counts.redelivered += 1;
    this.#end(entry, endOf(outcome.result, entry.task, [...entry.jobs][0]?.settings.limitMs));
  }

  #end(entry: Entry, end: JobEnd): void {
    const jobs = [...entry.jobs];
    entry.jobs.clear();
    this.#forget(entry);
    for (const job of jobs) job.end(end);
  }

  /** This one job of the entry waits no longer. */
  #leave(entry: Entry, job: Job): void {
    if (!entry.jobs.delete(job)) return;
    if (entry.jobs.size === 0) this.#forget(entry);
    job.end({ kind: 'killed' });
  }

  #forget(entry: Entry): void {
    if (!this.#entries.delete(entry.id)) return;
    if (entry.client === keyed) this.#keyed.forget(entry.number);
    if (this.#entries.size === 0) this.#link.unhold();
  }

  #failAll(error: Error): void {
    for (const entry of [...this.#entries.values()]) this.#end(entry, { kind: 'error', error });
  }
}

/** The same key of another task is another one. */
function hashOf({ set, name }: AnyTask, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([set, name, key]))
    .digest('hex')
    .slice(0, 40);
}
