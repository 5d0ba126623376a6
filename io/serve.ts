// serve.ts: `serve(listener, handler)`: accept connections and run each handler in a greenlet of its own, as one Op.
//
// How it works is in serving.ts; a server as an object that is started and stopped is in stream-server.ts.
//
// Whatever a handler does, its connection is closed when it ends, and an error in
// one is reported to the hub and touches no other. An error that the peer brings about on its own connection (a reset, an end inside a line, a
// line without end, a message that cannot be decoded) is no news for anyone else, and must not end the server: it is counted and not reported.
//
// How it ends: the listener is closed by somebody (handlers go on, serve returns when the last has ended), or serve is killed (no more
// connections; handlers that only wait for their peer are killed at once, the others get their grace and are killed then).
// Sources: gevent's StreamServer, trio's serve_listeners; S9, S16.

import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { nameOf, type Op } from '../core/op.ts';
import { checkOptions, own, ownCount, ownMs, shownValue } from './address.ts';
import { Listener } from './listen.ts';
import { type Handler, Serving, type ServingSettings } from './serving.ts';

export const GRACE_MS = 10_000;

export interface ServeOptions {
  /** The most handlers at a time. By default as many as leave 256 descriptors of the process for everything else. */
  readonly maxConnections?: number | undefined;
  /** What becomes of a connection beyond that: it is closed and counted ('drop', the default), or it waits to be accepted ('wait'). */
  readonly overflow?: 'drop' | 'wait' | undefined;
  /** How long handlers that are at work may go on when serve is killed: 10,000 ms by default. Idle ones are killed at once. */
  readonly graceMs?: number | undefined;
}

/**
 * Serve connections of `listener` with `handler` until the listener is closed or this greenlet is killed.
 *
 * Switches. `handler(socket)` runs in a greenlet of its own. When it returns, what it wrote is sent and the connection closed; when it throws or is killed the
 * connection is closed at once. An error that it throws goes to the hub's `error` event, except one that its peer brings about (a reset, an end inside
 * a line, a line without end, a message that cannot be decoded): `listener.stats` counts them all. However serve ends, the listener is closed and no
 * handler is left. A serve that is killed before its first step never
 * runs, and leaves the listener to whoever opened it.
 *
 * @throws TypeError or RangeError, at the call, for bad arguments. @throws Killed if the greenlet is killed, after the handlers' grace.
 */
export function serve(listener: Listener, handler: Handler, options?: ServeOptions): Op<void> {
  const where = 'serve';
  if (!(listener instanceof Listener)) throw typeError(`serve takes a listener, not ${nameOf(listener)}`);
  if (typeof handler !== 'function')
    throw typeError(`serve takes a generator function as its handler, not ${nameOf(handler)}`);
  const given = checkOptions(options, where);
  const overflow = own<unknown>(given, 'overflow') ?? 'drop';
  if (overflow !== 'drop' && overflow !== 'wait') {
    throw typeError(`serve: overflow must be 'drop' or 'wait', not ${shownValue(overflow)}`);
  }
  const most = ownCount(given, 'maxConnections', Number.NaN, 1, where);
  const limit = Number.isNaN(most) ? undefined : most;
  const waits = overflow === 'wait';
  const settings: ServingSettings = {
    where,
    size: waits ? (limit ?? listener.mostConnections) : Number.POSITIVE_INFINITY,
    most: waits ? Number.POSITIVE_INFINITY : limit,
    graceMs: ownMs(given, 'graceMs', GRACE_MS, where),
  };
  return composite(() => new Serving(listener, handler, settings).run());
}
