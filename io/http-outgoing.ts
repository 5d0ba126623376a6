// http-outgoing.ts: one request as it is sent: checked, and the very object that undici reads its options from.
//
// What a caller asks for (http-request.ts) may take several: a redirect leads to another, a retry sends the same one again. Each sending of one is an
// Exchange, which allocates nothing else.

import type { Dispatcher } from 'undici';
import type { Client } from './http-client.ts';
import { ACCEPTED, type DecompressLimits } from './http-decode.ts';
import { mergeHeaders, valueIn, without } from './http-headers.ts';
import type { Policy } from './http-policy.ts';
import type { Progress } from './http-progress.ts';
import type { HttpProxy } from './http-proxy.ts';
import type { Defaults } from './http-settings.ts';
import type { Target } from './http-target.ts';
import type { UploadPipe, UploadPlan } from './http-upload.ts';

/** What each sending knows of the request that it is a part of. */
export interface ExchangeContext {
  /** The limit on everything, as the caller gave it. */
  readonly timeoutMs: number;
  /** How a compressed body is decompressed; undefined: not at all. */
  readonly decompress: DecompressLimits | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

export class Outgoing {
  // What undici reads.
  readonly path: string;
  readonly method: string;
  readonly headers: string[] | null;
  readonly body: Uint8Array | string | null;
  /** Asking for it would cost one more look at the connection per response; without pipelining it changes nothing. */
  readonly blocking: boolean = false;
  // Ours.
  readonly client: Client;
  readonly origin: string;
  readonly hostname: string;
  readonly plan: UploadPlan | undefined;

  constructor(
    client: Client,
    target: Target,
    method: string,
    headers: string[] | null,
    body: Uint8Array | string | null,
    plan: UploadPlan | undefined,
  ) {
    this.client = client;
    this.origin = target.origin;
    this.hostname = target.hostname;
    this.path = target.path;
    this.method = method;
    this.headers = headers;
    this.body = body;
    this.plan = plan;
  }

  get url(): string {
    return this.origin + this.path;
  }

  /** Can it be sent again, body and all? */
  get replayable(): boolean {
    return this.plan === undefined || this.plan.replayable;
  }

  /** The same with other headers. */
  withHeaders(headers: string[]): Outgoing {
    return new Outgoing(this.client, this, this.method, headers, this.body, this.plan);
  }

  /** What undici is given for one sending. `forwarder`: the proxy that is asked to send it on, if there is one. */
  dispatchOptions(pipe: UploadPipe | undefined, forwarder: HttpProxy | undefined): Dispatcher.DispatchOptions {
    if (pipe === undefined && forwarder === undefined) return this as unknown as Dispatcher.DispatchOptions;
    const { method, blocking } = this;
    let { path, headers } = this;
    if (pipe?.length !== undefined && valueIn(headers ?? [], 'content-length') === undefined)
      headers = [...(headers ?? []), 'content-length', String(pipe.length)];
    if (forwarder !== undefined) {
      path = this.url;
      if (forwarder.authorization !== undefined)
        headers = [...(headers ?? []), 'proxy-authorization', forwarder.authorization];
    }
    // undici takes any async iterable; its types name streams only.
    return { path, method, headers, blocking, body: (pipe ?? this.body) as unknown as Buffer };
  }
}

/** Of the origin that a client was made for, and nobody else's business. */
const PRIVATE: ReadonlySet<string> = new Set(['authorization', 'cookie']);

/** `headers`, with those that all requests of the client have, and what is taken of compressed answers; null for none. */
export function completed(
  headers: readonly string[],
  { baseUrl, headers: common }: Defaults,
  origin: string,
  { decompress }: Policy,
): string[] | null {
  let all = [...headers];
  if (common.length > 0) {
    const foreign = baseUrl !== undefined && new URL(baseUrl).origin !== origin;
    all = mergeHeaders(foreign ? without(common, PRIVATE) : common, headers);
  }
  // A piece of what is compressed is of no use.
  const accepts = decompress !== undefined && valueIn(all, 'range') === undefined;
  if (accepts && valueIn(all, 'accept-encoding') === undefined) all.push('accept-encoding', ACCEPTED);
  return all.length === 0 ? null : all;
}
