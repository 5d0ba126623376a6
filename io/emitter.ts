// emitter.ts: waiting for the events of an EventEmitter or an EventTarget.
//
// `once` is one wait: its listeners exist only while it lasts. `on` is a channel that is filled from now on, so nothing is missed between two
// receives; closing it takes the listener away. An emitter's `error` ends both, unless it is the event that is waited for.
// Source: node:events once and on.

import { typeError } from '../core/bad-argument.ts';
import { Channel } from '../core/channel.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { nameOf, type Waitable, type WaitDescription } from '../core/op.ts';
import { created } from '../core/unstarted.ts';

type Listener = (...args: unknown[]) => void;

/** What Node's EventEmitter and its look-alikes have. */
export interface EmitterLike {
  on(event: string | symbol, listener: Listener): unknown;
  removeListener(event: string | symbol, listener: Listener): unknown;
}
export type EventSource = EmitterLike | EventTarget;

/**
 * Listen to `event`, and to `error` of an emitter; the function that is returned takes both away.
 *
 * `error` first: a listener to `newListener` would hear of ours.
 */
function listen(
  source: EventSource,
  event: string | symbol,
  onEvent: Listener,
  onError: (error: unknown) => void,
): () => void {
  if (!isEmitter(source)) {
    const name = String(event);
    source.addEventListener(name, onEvent);
    return () => source.removeEventListener(name, onEvent);
  }
  const listensForError = event !== 'error';
  if (listensForError) source.on('error', onError);
  source.on(event, onEvent);
  return () => {
    source.removeListener(event, onEvent);
    if (listensForError) source.removeListener('error', onError);
  };
}

/** What is both (a WebSocket of ws, a MessagePort) is an emitter, as to node:events: its `error` is heard then. */
function isEmitter(source: Partial<EmitterLike> | EventTarget): source is EmitterLike {
  const { on, removeListener } = source as Partial<EmitterLike>;
  return typeof on === 'function' && typeof removeListener === 'function';
}

function requireSource(source: unknown, event: unknown, taker: string): void {
  const candidate = source as Partial<EmitterLike & EventTarget> | null;
  const isSource =
    (typeof candidate === 'object' || typeof candidate === 'function') &&
    candidate !== null &&
    (typeof candidate.addEventListener === 'function' || isEmitter(candidate));
  if (!isSource) throw typeError(`${taker} takes an EventEmitter or an EventTarget, not ${nameOf(source)}`);
  if (typeof event !== 'string' && typeof event !== 'symbol')
    throw typeError(`${taker} takes the name of an event, not ${nameOf(event)}`);
}

class Once<A extends unknown[]> extends ExternalWait<A> {
  readonly #source: EventSource;
  readonly #event: string | symbol;
  constructor(source: EventSource, event: string | symbol) {
    super();
    this.#source = source;
    this.#event = event;
  }
  protected begin(ticket: Ticket<A>): void {
    const unlisten = listen(
      this.#source,
      this.#event,
      (...args) => {
        unlisten();
        ticket.resolve(args as A);
      },
      (error) => {
        unlisten();
        ticket.reject(error);
      },
    );
    ticket.onRetract = () => {
      unlisten();
      ticket.withdraw();
    };
  }
  describe(): WaitDescription {
    return { op: 'once', object: `event '${String(this.#event)}'` };
  }
}

/**
 * Wait for the next `event`; returns its arguments as an array.
 *
 * Switches. If it throws, the listeners are gone; an event that came before the wait is not seen.
 *
 * @throws what the emitter emits as `error` meanwhile. @throws TypeError if `source` is no emitter.
 * @see https://nodejs.org/api/events.html#eventsonceemitter-name-options
 */
export function once<A extends unknown[] = unknown[]>(source: EventSource, event: string | symbol): Waitable<A> {
  requireSource(source, event, 'once');
  return created(new Once<A>(source, event));
}

/** A channel of an emitter's events. Closing it takes the listener away. */
export class EventChannel<A extends unknown[]> extends Channel<A> {
  readonly #unlisten: () => void;
  #error: { readonly error: unknown } | undefined;

  constructor(source: EventSource, event: string | symbol) {
    super(Number.POSITIVE_INFINITY, { name: `of event '${String(event)}'` });
    this.#unlisten = listen(
      source,
      event,
      (...args) => void this.trySend(args as A),
      (error) => {
        this.#error = { error };
        this.close();
      },
    );
  }

  /** The error that ended it, if one did: receivers have seen ChannelClosedError. */
  get error(): unknown {
    return this.#error?.error;
  }

  override close(): void {
    if (this.closed) return;
    this.#unlisten();
    super.close();
  }
}

/**
 * Collect every `event` from now on in a channel of argument arrays. Never switches; `close()` ends it.
 *
 * It is unbounded: whoever stops receiving should close it. An emitter's `error` closes it; `channel.error` has it.
 *
 * @throws TypeError if `source` is no emitter.
 */
export function on<A extends unknown[] = unknown[]>(source: EventSource, event: string | symbol): EventChannel<A> {
  requireSource(source, event, 'on');
  return new EventChannel<A>(source, event);
}
