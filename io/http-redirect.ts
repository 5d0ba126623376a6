// http-redirect.ts: where a redirect leads, and what is sent there.
//
//   301, 302   a POST becomes a GET without a body; anything else is repeated
//   303        becomes a GET without a body; a HEAD stays one
//   307, 308   is repeated, body and all
//
// To another origin go no credentials: `authorization`, `cookie` and `proxy-authorization` are dropped, and so is `host`. From https: to http: it
// goes only if that is allowed. A body that can be read once only is not sent twice: that is an error, not an empty body.
// Sources: RFC 9110 15.4; fetch, "HTTP-redirect fetch".

import { RedirectError } from './http-errors.ts';
import { without } from './http-headers.ts';
import { Outgoing } from './http-outgoing.ts';
import type { Policy } from './http-policy.ts';
import type { Response } from './http-response.ts';
import { parseTarget, type Target } from './http-target.ts';

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Of one origin, and nobody else's business. */
const PRIVATE: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'host']);
/** Of a body that is not sent any more. */
const OF_BODY: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-location',
]);

/** Does `response` say that the answer is elsewhere? */
export function leadsOn(response: Response): boolean {
  return REDIRECTS.has(response.status) && response.headers.location !== undefined;
}

/**
 * What is sent next, after `message` was answered with a redirect; `chain` is what was asked for so far, as `GET url`.
 *
 * @throws RedirectError if the redirect is not followed.
 */
export function redirected(message: Outgoing, response: Response, policy: Policy, chain: readonly string[]): Outgoing {
  const target = targetOf(response, chain);
  const urls = [...chain.map((step) => step.slice(step.indexOf(' ') + 1)), target.origin + target.path];
  const what = `${message.method} ${urls[0] as string}`;
  if (chain.length > policy.redirects) {
    throw new RedirectError(`${what}: more than ${policy.redirects} redirects`, 'ERR_HTTP_TOO_MANY_REDIRECTS', urls);
  }
  if (message.origin.startsWith('https:') && target.origin.startsWith('http:') && !policy.allowDowngrade) {
    throw new RedirectError(
      `${what}: redirected from https: to http:; allow it by {redirects: {allowDowngrade: true}}`,
      'ERR_HTTP_REDIRECT_DOWNGRADE',
      urls,
    );
  }
  const { status } = response;
  const dropsBody =
    (status === 303 && message.method !== 'HEAD') || ((status === 301 || status === 302) && message.method === 'POST');
  const method = dropsBody ? 'GET' : message.method;
  // With cookies the second answer of a page may differ from the first.
  if (policy.cookies === undefined && chain.includes(`${method} ${urls.at(-1) as string}`))
    throw new RedirectError(`${what}: redirected in a circle`, 'ERR_HTTP_REDIRECT_LOOP', urls);
  if (!dropsBody && !message.replayable) {
    throw new RedirectError(
      `${what}: the body of a redirected request can be read once only; give bytes or a function that makes it`,
      'ERR_HTTP_BODY_NOT_REPLAYABLE',
      urls,
    );
  }
  let headers = message.headers;
  if (headers !== null && dropsBody) headers = without(headers, OF_BODY);
  if (headers !== null && target.origin !== message.origin) headers = without(headers, PRIVATE);
  const { client } = message;
  return new Outgoing(
    client,
    target,
    method,
    headers,
    dropsBody ? null : message.body,
    dropsBody ? undefined : message.plan,
  );
}

function targetOf(response: Response, chain: readonly string[]): Target {
  const location = response.headers.location as string;
  try {
    // Bytes beyond ASCII are UTF-8 by all that send them.
    const text = Buffer.from(location, 'latin1').toString('utf8');
    return parseTarget(new URL(text.trim(), response.url), undefined);
  } catch (cause) {
    const shown = JSON.stringify(location.slice(0, 200));
    throw new RedirectError(
      `${response.url}: redirected to ${shown}, where nothing can be sent`,
      'ERR_HTTP_BAD_REDIRECT',
      chain,
      cause,
    );
  }
}
