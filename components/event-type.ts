// event-type.ts: what an event is called and what it carries: `const hello = defineEvent<[name: string], string>('hello')`.
//
// A type is a function: called with the event's arguments it gives a description of one event, which does nothing until a component fires it, and which may be
// fired any number of times. Types are told apart by identity and not by name; names are for reports, and for a bridge, which has nothing else to go by.
//
// Each type has three derived ones, its notifications: `hello.success`, `hello.failure`, `hello.complete`. They are fired by the library, and only if somebody listens,
// and have no notifications themselves.
// Source: circuits' Event and Event.child; there a class per event, names as identity, and flags on the class that ask for notifications.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { checkOptions, own } from '../io/address.ts';
import type { Component } from './component.ts';
import type { Firing } from './firing.ts';

/** A scope of names, or a component, whose own handlers are meant while it is in the tree. `'*'` is every channel. */
export type EventChannel = string | Component;

/** What of an event type the library works with; the function that users have is around it. @internal */
export class EventKind {
  readonly name: string;
  readonly channel: EventChannel | undefined;
  readonly check: ((args: readonly unknown[]) => boolean) | undefined;
  /** The type that this is a notification of. */
  readonly of: EventKind | undefined;
  readonly type: AnyEventType;
  /** Made when somebody asks for them first, which is when somebody may listen. */
  success: EventKind | undefined = undefined;
  failure: EventKind | undefined = undefined;
  complete: EventKind | undefined = undefined;

  constructor(
    type: AnyEventType,
    name: string,
    channel: EventChannel | undefined,
    check: ((args: readonly unknown[]) => boolean) | undefined,
    of: EventKind | undefined,
  ) {
    this.of = of;
    this.type = type;
    this.name = name;
    this.channel = channel;
    this.check = check;
  }
}

/** One event, described: what `hello('Ada')` gives. `fire` it, `call` it, give it to a Timer, as often as you like. */
export class EventOf<A extends readonly unknown[], R> {
  /** @internal */ readonly kind: EventKind;
  readonly args: A;
  /** Phantom: carries `R`. @internal */
  declare readonly resultType?: R;

  /** @internal: `type(...args)` makes one. */
  constructor(kind: EventKind, args: A) {
    this.kind = kind;
    this.args = args;
  }

  /** The type of this event. */
  get type(): AnyEventType {
    return this.kind.type;
  }

  toString(): string {
    return `${this.kind.name}(${this.args.map(shown).join(', ')})`;
  }
}

/** What can be listened to and waited for: an event type, or one of its notifications. */
export interface Listenable<A extends readonly unknown[], R> {
  (...args: A): EventOf<A, R>;
  readonly name: string;
  /** @internal */ readonly kind: EventKind;
}

/** A type of events that carry `A`, and whose handlers give results `R`. */
export interface EventType<A extends readonly unknown[] = [], R = void> extends Listenable<A, R> {
  /** Fired when all handlers have ended and none has failed: the event, and its results in the order of the handlers. */
  readonly success: Listenable<[event: Firing<A, R>, results: readonly R[]], void>;
  /** Fired for each handler that fails: the event and the error. Whoever listens has taken care of the failure. */
  readonly failure: Listenable<[event: Firing<A, R>, error: unknown], void>;
  /** Fired once, when the event, its notifications, and all that was fired by their handlers, and so on, are done. Failures do not prevent it. */
  readonly complete: Listenable<[event: Firing<A, R>, results: readonly R[]], void>;
}

/** Any event type, for lists of them. */
export type AnyEventType = Pick<Listenable<never, unknown>, 'kind' | 'name'>;

/** Any event. */
export type AnyEvent = EventOf<readonly unknown[], unknown>;

/** The arguments of an event, or of events of a type. */
export type ArgsOf<E> = E extends EventOf<infer A, unknown> ? A : E extends (...args: infer A) => AnyEvent ? A : never;

/** What the handlers of an event, or of events of a type, give. */
export type ResultsOf<E> =
  E extends EventOf<readonly unknown[], infer R>
    ? R
    : E extends (...args: never) => EventOf<readonly unknown[], infer R>
      ? R
      : never;

export interface EventTypeOptions {
  /** Where such events are fired if whoever fires one names no channel; otherwise it is the channel of the component that fires. */
  readonly channel?: EventChannel | undefined;
  /** Are these the arguments of such an event? Asked about what comes over a bridge, where types do not reach. */
  readonly check?: ((args: readonly unknown[]) => boolean) | undefined;
}

/**
 * Define a type of events. Never switches.
 *
 * ```ts
 * import { Component, defineEvent } from 'tendril/components';
 *
 * const hello = defineEvent<[name: string], string>('hello');
 * const app = new Component();
 * app.on(hello, (name) => `Hello ${name}`);
 * ```
 *
 * @typeParam A the arguments that such an event carries; none if not given.
 * @typeParam R what its handlers give as results; nothing if not given.
 * @throws TypeError if `name` is no string or empty, or for bad options.
 */
export function defineEvent<A extends readonly unknown[] = [], R = void>(
  name: string,
  options?: EventTypeOptions,
): EventType<A, R> {
  if (typeof name !== 'string' || name === '')
    throw typeError(`defineEvent: the name must be a string that is not empty, not ${nameOf(name)}`);
  const given = checkOptions(options, 'defineEvent');
  const channel = own<EventChannel>(given, 'channel');
  if (channel !== undefined) checkChannel(channel, 'defineEvent');
  const check = own<(args: readonly unknown[]) => boolean>(given, 'check');
  if (check !== undefined && typeof check !== 'function')
    throw typeError(`defineEvent: check must be a function, not ${nameOf(check)}`);
  const type = makeType(name, channel, check, undefined) as unknown as EventType<A, R>;
  for (const note of ['success', 'failure', 'complete'] as const) {
    let made: AnyEventType | undefined;
    Object.defineProperty(type, note, {
      enumerable: true,
      get: () => {
        if (made === undefined) {
          made = makeType(`${name}.${note}`, undefined, undefined, type.kind);
          type.kind[note] = made.kind;
        }
        return made;
      },
    });
  }
  return type;
}

function makeType(
  name: string,
  channel: EventChannel | undefined,
  check: ((args: readonly unknown[]) => boolean) | undefined,
  of: EventKind | undefined,
): AnyEventType {
  const type = (...args: readonly unknown[]): EventOf<readonly unknown[], unknown> => new EventOf(kind, args);
  Object.defineProperty(type, 'name', { value: name });
  const kind = new EventKind(type as unknown as AnyEventType, name, channel, check, of);
  return Object.assign(type, { kind }) as unknown as AnyEventType;
}

/** Is `value` what defineEvent, or a property of that, gives? */
export function isEventType(value: unknown): value is AnyEventType {
  return typeof value === 'function' && (value as { kind?: unknown }).kind instanceof EventKind;
}

/** Refuse what is no event type. @throws TypeError */
export function kindOf(type: unknown, where: string): EventKind {
  if (isEventType(type)) return type.kind;
  const shownType =
    type instanceof EventOf ? `the event ${type}: give the type itself, without calling it` : nameOf(type);
  throw typeError(`${where} takes a type of events, as defineEvent gives it, not ${shownType}`);
}

/** Refuse what is no event. @throws TypeError */
export function requireEvent(event: unknown, where: string): asserts event is AnyEvent {
  if (event instanceof EventOf) return;
  const hint = isEventType(event) ? `: call it with the event's arguments, ${where}(${event.kind.name}(...))` : '';
  throw typeError(`${where} takes an event, not ${nameOf(event)}${hint}`);
}

/** Refuse what is no channel. @throws TypeError */
export function checkChannel(channel: unknown, where: string): void {
  if (typeof channel === 'string' ? channel !== '' : isComponent(channel)) return;
  throw typeError(`${where}: a channel is a string that is not empty, or a component, not ${nameOf(channel)}`);
}

function isComponent(value: unknown): boolean {
  // By shape: component.ts is above this file.
  return typeof (value as Partial<Component> | null | undefined)?.register === 'function';
}

/** `'greeter'`, `component Room`: for reports. */
export function channelLabel(channel: EventChannel): string {
  return typeof channel === 'string' ? channel : String(channel);
}

function shown(value: unknown): string {
  try {
    if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
    if (typeof value === 'object' && value !== null)
      return isComponent(value) ? String(value) : nameOf(value).replace(/^an? /, '');
    return typeof value === 'bigint' ? `${value}n` : String(value);
  } catch {
    return 'an object'; // a Proxy, or a getter, may throw at any property
  }
}

// What console.log shows, where the host knows this symbol: not the whole tree behind it.
Object.defineProperty(EventOf.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: AnyEvent): string {
    return `<${this}>`;
  },
});
