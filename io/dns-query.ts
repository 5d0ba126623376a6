// dns-query.ts: one question to name servers as a wait, and its time limit.
//
// Each query has a c-ares channel of its own, so that cancelling one never touches another, a change of the system's name servers is seen at
// once, and nothing is open between queries (about 15 us a query).
//
// `timeoutMs` is for the whole query. c-ares waits twice as long in each round of tries as in the one before, and Node looks at its clock only once in a first
// wait, so that each try may last one more. So the first wait is timeoutMs / (servers * (2^tries - 1 + tries)), and all tries fit.
//
// Invariant: a query waits  implies  its channel has one query under way; it is cancelled when the wait is given up or the time is over.

import dns from 'node:dns';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { WaitDescription } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';
import { canExist } from './address.ts';
import { codeOf, DnsError } from './errors.ts';

// Taken at load: patches never reach us.
const { Resolver: Channel } = dns;

/** c-ares takes no longer wait. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** The methods of c-ares that ask. */
export type QueryMethod = Exclude<keyof dns.Resolver & `re${string}`, 'resolve'>;
type Answered = (error: unknown, answer: unknown) => void;

export interface QuerySettings {
  readonly servers: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly tries: number;
}

export interface Question {
  readonly method: QueryMethod;
  readonly name: string;
  readonly ttl: boolean;
}

/** A channel to the name servers, for one query. */
export function openChannel({ servers, timeoutMs, tries }: QuerySettings): dns.Resolver {
  if (servers === undefined && timeoutMs === Number.POSITIVE_INFINITY) return new Channel({ tries });
  const count = (servers ?? new Channel().getServers()).length;
  const firstWaitMs = Math.ceil(timeoutMs / (Math.max(count, 1) * (2 ** tries - 1 + tries)));
  const timeout = Math.max(1, Math.min(firstWaitMs, LONGEST_WAIT_MS));
  const channel = new Channel(timeoutMs === Number.POSITIVE_INFINITY ? { tries } : { timeout, tries });
  if (servers !== undefined) channel.setServers(servers);
  return channel;
}

/** One query. */
export class Query<T> extends ExternalWait<T> {
  readonly #settings: QuerySettings;
  readonly #question: Question;

  constructor(settings: QuerySettings, question: Question) {
    super();
    this.#settings = settings;
    this.#question = question;
  }

  override look(): boolean {
    const { method, name } = this.#question;
    if (method !== 'reverse' && name !== '.' && !canExist(name))
      throw new DnsError(name, 'ENOTFOUND', undefined, { op: method });
    return false;
  }

  protected begin(ticket: Ticket<T>): void {
    new Asking(this.#settings, this.#question, ticket as Ticket<unknown>, requireScheduler()).begin();
  }

  describe(): WaitDescription {
    return { op: `${this.#question.method} of ${this.#question.name}` };
  }
}

/** One query under way, and its timer. */
class Asking implements Timer {
  order = 0;
  slot = -1;
  readonly #question: Question;
  readonly #timeoutMs: number;
  readonly #ticket: Ticket<unknown>;
  readonly #scheduler: Scheduler;
  readonly #channel: dns.Resolver;

  constructor(settings: QuerySettings, question: Question, ticket: Ticket<unknown>, scheduler: Scheduler) {
    this.#question = question;
    this.#timeoutMs = settings.timeoutMs;
    this.#ticket = ticket;
    this.#scheduler = scheduler;
    this.#channel = openChannel(settings);
  }

  begin(): void {
    const { method, name, ttl } = this.#question;
    const ask = this.#channel[method] as (name: string, ...rest: unknown[]) => void;
    const answered: Answered = (error, answer) => this.#answered(error, answer);
    if (ttl) ask.call(this.#channel, name, { ttl }, answered);
    else ask.call(this.#channel, name, answered);
    const ticket = this.#ticket;
    ticket.onRetract = () => {
      this.#disarm();
      ticket.withdraw();
      this.#channel.cancel();
    };
    if (this.#timeoutMs === Number.POSITIVE_INFINITY) return;
    this.#scheduler.sleepers.arm(this, this.#timeoutMs);
    this.#scheduler.timersChanged();
  }

  #answered(error: unknown, answer: unknown): void {
    this.#disarm();
    if (error === null || error === undefined) this.#ticket.resolve(answer);
    else this.#ticket.rejectWith(() => this.#failure(codeOf(error) ?? 'EBADRESP', error));
  }

  /** The timer: nobody has answered. */
  due(): void {
    const detail = `no answer after ${this.#timeoutMs} ms`;
    this.#ticket.rejectWith(() => this.#failure('ETIMEOUT', undefined, detail));
    this.#channel.cancel();
  }

  #failure(code: string, cause: unknown, detail?: string): DnsError {
    return new DnsError(this.#question.name, code, cause, { op: this.#question.method, detail });
  }

  #disarm(): void {
    if (this.slot === -1) return;
    this.#scheduler.sleepers.cancel(this);
    this.#scheduler.timersChanged();
  }
}
