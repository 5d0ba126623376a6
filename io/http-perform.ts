// http-perform.ts: one request as a caller means it: sent, repeated, led on by redirects, with cookies, until there is an answer to give.
//
// Each sending is an Exchange of its own, with what is left of the limit in time. All of it runs in the greenlet that asks, so that a kill ends it wherever
// it is, and no answer on the way is left open.

import { requireScheduler } from '../core/kernel.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import { keepCookies, withCookies } from './http-cookies.ts';
import { Exchange } from './http-exchange.ts';
import type { Outgoing } from './http-outgoing.ts';
import { leadsOn, redirected } from './http-redirect.ts';
import type { HttpRequest } from './http-request.ts';
import { dropResponse, type Response } from './http-response.ts';
import { isRepeatable, sendRepeatedly } from './http-retry.ts';
import { upload } from './http-upload.ts';

/** Make `request`, and return the answer that is not on the way to another. */
export function* perform(request: HttpRequest): Generator<Trap, Response, Resume> {
  const { policy, timeoutMs } = request;
  const { cookies, retry } = policy;
  const startedMs = timeoutMs === Number.POSITIVE_INFINITY ? 0 : requireScheduler().driver.now();
  let { message } = request;
  let chain: string[] | undefined;
  for (;;) {
    // Each level between the wait and the caller would hide frames of the caller from the stack of an error.
    const response: Response =
      cookies === undefined && retry === undefined
        ? yield* sending(request, message, startedMs)
        : yield* attempt(request, message, startedMs);
    try {
      if (cookies !== undefined) yield* keepCookies(response, cookies);
      if (policy.redirects === 0 || !leadsOn(response)) {
        if (chain !== undefined) response.redirects = chain.map((step) => step.slice(step.indexOf(' ') + 1));
        return response;
      }
      chain ??= [];
      chain.push(`${message.method} ${message.url}`);
      message = redirected(message, response, policy, chain);
    } catch (error) {
      response.close();
      throw error;
    }
    yield* dropResponse(response);
  }
}

/** Send `message` with its cookies, as often as may be: once, unless more attempts are asked for and can do no harm. */
function* attempt(request: HttpRequest, message: Outgoing, startedMs: number): Generator<Trap, Response, Resume> {
  const { retry, cookies } = request.policy;
  const dressed = cookies === undefined ? message : yield* withCookies(message, cookies);
  if (retry === undefined || !isRepeatable(message, retry)) return yield* sending(request, dressed, startedMs);
  const totalMs = Math.min(retry.totalMs, leftOf(request, startedMs));
  const send = () => sending(request, dressed, startedMs);
  return yield* sendRepeatedly(dressed, { ...retry, totalMs }, requireScheduler(), send);
}

function sending(request: HttpRequest, message: Outgoing, startedMs: number): Op<Response> {
  const limitMs = leftOf(request, startedMs);
  if (message.plan !== undefined) return upload(message, message.plan, request, limitMs);
  return new Exchange(message, undefined, request, limitMs);
}

function leftOf({ timeoutMs }: HttpRequest, startedMs: number): number {
  if (timeoutMs === Number.POSITIVE_INFINITY) return timeoutMs;
  return Math.max(0, timeoutMs - (requireScheduler().driver.now() - startedMs));
}
