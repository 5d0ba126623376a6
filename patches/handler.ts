// handler.ts: handler(): a generator function as what web frameworks take: a function that returns a promise.
//
// Not a patch: frameworks call handlers themselves, and look at what they get: Express counts their parameters, Fastify and Koa wait for their promise. So the
// generator function is wrapped, by hand, once. patchEvents() is for what Node itself calls.
//
// What is known of a call is found among its arguments: the response, as Node's http or http2 made it or as the framework wraps it (`reply.raw`, `context.res`), and
// behind a response Express's `next`. Koa's `next`, which takes no error, stands behind no response.
//
// Sources: Express (error handling, arity), Fastify (Reply, wrap-thenable), Koa (compose); http.serve() for what happens when a client leaves.

import { requireBody } from '../core/body.ts';
import { GreenletKilledError } from '../core/errors.ts';
import { Greenlet } from '../core/greenlet.ts';
import type { Op } from '../core/op.ts';

/** What of a response of Node's is used here. */
interface Response {
  readonly writableEnded: boolean;
  writeHead: unknown;
  on(event: 'close', listener: () => void): unknown;
  removeListener(event: 'close', listener: () => void): unknown;
}

function isResponse(value: unknown): value is Response {
  const { writeHead, removeListener } = (value ?? {}) as Partial<Response>;
  return typeof writeHead === 'function' && typeof removeListener === 'function';
}

/** The response that `argument` is or wraps. */
function responseOf(argument: unknown): Response | undefined {
  if (typeof argument !== 'object' || argument === null) return undefined;
  if (isResponse(argument)) return argument;
  const { raw, res } = argument as { readonly raw?: unknown; readonly res?: unknown };
  if (isResponse(raw)) return raw;
  return isResponse(res) ? res : undefined;
}

/** Express's `next`, if this is a call of Express's. */
function nextOf(args: readonly unknown[]): ((error: unknown) => void) | undefined {
  const place = args.findIndex(isResponse) + 1;
  const next = place === 0 ? undefined : args[place];
  return typeof next === 'function' ? (next as (error: unknown) => void) : undefined;
}

/** Kill `greenlet` when the client leaves before it is answered. Returns a function that tells whether that has happened. */
function boundTo(response: Response, greenlet: Greenlet): () => boolean {
  let left = false;
  const onClose = (): void => {
    if (response.writableEnded) return;
    left = true;
    greenlet.kill('the client has left');
  };
  response.on('close', onClose);
  greenlet.link(() => void response.removeListener('close', onClose));
  return () => left;
}

/**
 * Make a plain function of `body`, a generator function, for a web framework: `app.get('/', handler(function* (request, response) {...}))`. Never switches.
 *
 * Each call runs `body` as a detached greenlet, with the arguments and `this` of the call, and returns a promise of its value. A failure is given to Express's `next`;
 * where there is none, the promise rejects. The greenlet is killed when its client leaves before it is answered: that is no failure, and the promise
 * fulfils. Name and number of parameters are those of `body`: Express takes a function of four for one that handles errors.
 *
 * @throws TypeError if `body` is no function, or an async one. The promise rejects with TypeError if what it returns is no Op.
 * @see https://expressjs.com/en/guide/error-handling.html
 */
export function handler<This, A extends unknown[], T>(
  body: (this: This, ...args: A) => Op<T>,
): (this: This, ...args: A) => Promise<T | undefined> {
  requireBody(body, 'handler');
  const plain = async function (this: This, ...args: A): Promise<T | undefined> {
    const next = nextOf(args);
    let left: (() => boolean) | undefined;
    try {
      const greenlet = new Greenlet<T>(() => body.apply(this, args)).start();
      const response = args.map(responseOf).find((found) => found !== undefined);
      if (response !== undefined) left = boundTo(response, greenlet as Greenlet);
      return await greenlet.promise();
    } catch (error) {
      // Nobody is there to be answered.
      if (left?.() === true && error instanceof GreenletKilledError) return undefined;
      if (next === undefined) throw error;
      next(error);
      return undefined;
    }
  };
  const { name, length } = body;
  Object.defineProperties(plain, {
    name: { value: name, configurable: true },
    length: { value: length, configurable: true },
  });
  return plain;
}
