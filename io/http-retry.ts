// http-retry.ts: making a request again that has failed, where that cannot do harm.
//
// Only what may be repeated is: a method that is idempotent (or that the caller names), with a body that can be made again. It is after a connection that
// did not stand, or was lost before an answer, and after an answer that says "later". Never after a timeout, a limit, or an answer that was cut: who knows.
//
// Waits grow, with a random part, so that many clients do not come back at once. `Retry-After` is obeyed, if the budget allows it; else the answer is
// returned as it is: an answer is no error.

import { rethrowKilled } from '../core/errors.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { sleep } from '../core/sleep.ts';
import { ConnectError, DnsError } from './errors.ts';
import { type Attempt, IncompleteBodyError, ProxyError, RetryError } from './http-errors.ts';
import type { Outgoing } from './http-outgoing.ts';
import type { RetryPolicy } from './http-policy.ts';
import { dropResponse, type Response } from './http-response.ts';

/** May `message` be sent more than once? */
export function isRepeatable(message: Outgoing, policy: RetryPolicy): boolean {
  return policy.attempts > 1 && policy.methods.has(message.method) && message.replayable;
}

/** Send by `send`, as often as `policy` says. */
export function* sendRepeatedly(
  message: Outgoing,
  policy: RetryPolicy,
  scheduler: Scheduler,
  send: () => Op<Response>,
): Generator<Trap, Response, Resume> {
  const { driver } = scheduler;
  const startedMs = driver.now();
  const attempts: Attempt[] = [];
  for (;;) {
    let response: Response | undefined;
    let failure: Error | undefined;
    try {
      response = yield* send();
      response.attempts = attempts.length + 1;
      if (!policy.statuses.has(response.status)) return response;
    } catch (error) {
      rethrowKilled(error);
      if (!(error instanceof Error) || !isPassing(error)) throw endOf(message, attempts, error);
      failure = error;
    }
    const backoff = Math.min(policy.maxDelayMs, policy.delayMs * 2 ** attempts.length) * (0.5 + driver.random() / 2);
    const waitMs = (response === undefined ? undefined : retryAfterMs(response)) ?? backoff;
    const isLast = attempts.length + 1 >= policy.attempts || driver.now() - startedMs + waitMs > policy.totalMs;
    if (isLast && response !== undefined) return response;
    attempts.push({ status: response?.status, error: failure, waitedMs: isLast ? 0 : waitMs });
    if (isLast) throw endOf(message, attempts.slice(0, -1), failure);
    if (response !== undefined) yield* dropResponse(response);
    yield* sleep(waitMs);
  }
}

/** What is thrown when `last` ends it: itself, if there was no attempt before. */
function endOf(message: Outgoing, before: readonly Attempt[], last: unknown): unknown {
  if (before.length === 0 || !(last instanceof Error)) return last;
  const attempts = [...before, { status: undefined, error: last, waitedMs: 0 }];
  return new RetryError(`${message.method} ${message.url}`, attempts, last);
}

/** Could it be over in a moment, and has it had no effect that an idempotent request may not have? */
function isPassing(error: Error): boolean {
  if (error instanceof ConnectError) return true;
  if (error instanceof DnsError) return error.code !== 'ENOTFOUND';
  if (error instanceof ProxyError) return error.status === undefined || error.status >= 502;
  return error instanceof IncompleteBodyError && error.received === 0;
}

/** What Retry-After says, as a wait: of seconds, or until a date by the server's own clock. */
function retryAfterMs(response: Response): number | undefined {
  const value = response.headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = secondsOf(value);
  const from = secondsOf(response.headers.date ?? '');
  return at === undefined || from === undefined ? undefined : Math.max(0, at - from) * 1000;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const HTTP_DATE = /^[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;

/** The seconds of a date as HTTP writes it, counted from some day on. The host's own parser is not for here: it guesses. */
function secondsOf(date: string): number | undefined {
  const [, day, name, year, hours, minutes, seconds] = HTTP_DATE.exec(date) ?? [];
  const month = MONTHS.indexOf(name ?? '') + 1;
  if (month === 0) return undefined;
  // Years that begin in March end with the leap day.
  const years = Number(year) - (month <= 2 ? 1 : 0);
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  const inYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + Number(day);
  const days = 365 * years + leaps + inYear;
  return ((days * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
}
