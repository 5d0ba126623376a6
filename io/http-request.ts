// http-request.ts: a request as it was asked for: checked at the call, inert until a greenlet starts it, and as often as one does.
//
// Not a Waitable: a request that was killed may have happened, so it can be no arm of a select. Use race(), or timeout() around it.

import { typeError } from '../core/bad-argument.ts';
import { OpReusedError } from '../core/errors.ts';
import { nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { requireMs } from '../core/sleep.ts';
import { own } from './address.ts';
import type { Client } from './http-client.ts';
import { type ContentOptions, contentOf } from './http-content.ts';
import type { DecompressLimits } from './http-decode.ts';
import { checkHeaders, checkMethod, type RequestHeaders, valueIn } from './http-headers.ts';
import { completed, type ExchangeContext, Outgoing } from './http-outgoing.ts';
import { perform } from './http-perform.ts';
import { type Policy, type PolicyOptions, policyOf } from './http-policy.ts';
import type { Progress } from './http-progress.ts';
import type { Response } from './http-response.ts';
import { parseTarget, type Query } from './http-target.ts';

export interface RequestOptions extends ContentOptions, PolicyOptions {
  /** GET by default. */
  readonly method?: string | undefined;
  readonly headers?: RequestHeaders | undefined;
  /** Added to the query of the URL. */
  readonly query?: Query | undefined;
  /** For everything, from the start of the request to the last byte of the response, redirects and retries included: Infinity by default. */
  readonly timeoutMs?: number | undefined;
  /** Told how far it has come, at most once a turn; no greenlet is running then. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** The client whose connections are used; one that all share by default. */
  readonly client?: Client | undefined;
}

export class HttpRequest implements Op<Response>, ExchangeContext {
  readonly message: Outgoing;
  readonly policy: Policy;
  readonly timeoutMs: number;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  #started = false;

  constructor(otherwise: Client, url: string | URL, options?: RequestOptions, method?: string) {
    if (options === undefined) {
      // Most requests say nothing more than where and how.
      const { policy, timeoutMs } = otherwise.defaults;
      this.policy = policy;
      this.timeoutMs = timeoutMs;
      this.onProgress = undefined;
      this.message = otherwise.bareMessage(url, method ?? 'GET');
      return;
    }
    if (typeof options !== 'object' || options === null) {
      throw typeError(`options must be an object, not ${nameOf(options)}`);
    }
    const client = own<Client>(options, 'client') ?? otherwise;
    if (typeof client?.poolFor !== 'function') throw typeError(`client must be an http.Client, not ${nameOf(client)}`);
    const { defaults } = client;
    const target = parseTarget(url, own(options, 'query'), defaults.baseUrl);
    const givenMethod = own<unknown>(options, 'method');
    this.policy = policyOf(options, defaults.policy);
    const timeoutMs = own<number>(options, 'timeoutMs');
    this.timeoutMs = timeoutMs === undefined ? defaults.timeoutMs : Math.max(0, requireMs(timeoutMs, 'timeoutMs'));
    this.onProgress = own(options, 'onProgress');
    if (this.onProgress !== undefined && typeof this.onProgress !== 'function')
      throw typeError(`onProgress must be a function, not ${nameOf(this.onProgress)}`);
    const content = contentOf(options);
    const given = own<RequestHeaders>(options, 'headers');
    const headers = given === undefined ? [] : checkHeaders(given);
    if (content?.type !== undefined && valueIn(headers, 'content-type') === undefined)
      headers.push('content-type', content.type);
    if (content !== undefined) checkLength(headers, content.bytes, content.plan?.length);
    this.message = new Outgoing(
      client,
      target,
      method ?? (givenMethod === undefined ? 'GET' : checkMethod(givenMethod)),
      completed(headers, defaults, target.origin, this.policy),
      content?.bytes ?? null,
      content?.plan,
    );
  }

  get decompress(): DecompressLimits | undefined {
    return this.policy.decompress;
  }

  [Symbol.iterator](): Iterator<Trap, Response, Resume> {
    if (!this.message.replayable) {
      if (this.#started) throw new OpReusedError('an http request whose body can be read once only');
      this.#started = true;
    }
    return perform(this);
  }

  toString(): string {
    return `${this.message.method} ${this.message.url}`;
  }
}

// A length that does not fit would be found out only when the request is on its way.
function checkLength(headers: readonly string[], bytes: Uint8Array | string | null, planned: number | undefined): void {
  const said = valueIn(headers, 'content-length');
  const length = bytes === null ? planned : Buffer.byteLength(bytes);
  if (said === undefined || length === undefined) return;
  if (Number(said) !== length)
    throw typeError(`content-length is ${said}, but the body has ${length} bytes`, 'ERR_INVALID_ARG_VALUE');
}
