// handler-index.ts: which handlers of a tree are for an event: by its type and the channels that it was fired on.
//
// Handlers are kept by type and channel, so that a component more or less, each with a channel of its own, costs the same however many there are. What was
// found for a type and a channel is remembered until a handler for that type comes or goes. What is handed out is never changed later: whoever goes through it may let handlers
// come and go meanwhile.
//
// Invariant: each list is in the order in which its handlers are begun: the highest priority first, of one priority the lowest order first.

import type { Component } from './component.ts';
import { nodeOf } from './component-node.ts';
import type { EventChannel, EventKind } from './event-type.ts';
import type { Handler } from './handler.ts';

const NOBODY: readonly Handler[] = [];

/** So many channels are remembered for a type: programs may make up channels without end. */
const MOST_REMEMBERED = 1024;

/** The handlers of one type, or of all. */
class Listeners {
  readonly byChannel: Map<EventChannel, Handler[]> = new Map();

  add(handler: Handler): void {
    const list = this.byChannel.get(handler.channel);
    if (list === undefined) {
      this.byChannel.set(handler.channel, [handler]);
      return;
    }
    let at = list.length;
    while (at > 0 && before(handler, list[at - 1] as Handler) < 0) at -= 1;
    list.splice(at, 0, handler);
  }

  remove(handler: Handler): void {
    const list = this.byChannel.get(handler.channel) ?? [];
    const at = list.indexOf(handler);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) this.byChannel.delete(handler.channel);
  }

  /** Add those that listen on `channel` to `found`. */
  collect(channel: EventChannel, found: Handler[]): void {
    if (channel === '*') {
      for (const list of this.byChannel.values()) append(found, list);
      return;
    }
    append(found, this.byChannel.get('*') ?? NOBODY);
    append(found, this.byChannel.get(channel) ?? NOBODY);
  }
}

/** One by one: there may be more of them than a call may have arguments. */
function append(found: Handler[], handlers: readonly Handler[]): void {
  for (const handler of handlers) found.push(handler);
}

/** Does `a` come before `b`? Negative if so. */
function before(a: Handler, b: Handler): number {
  return b.priority - a.priority || a.order - b.order;
}

export class HandlerIndex {
  readonly #byKind: Map<EventKind, Listeners> = new Map();
  readonly #forAll: Listeners = new Listeners();
  readonly #found: Map<EventKind, Map<string, readonly Handler[]>> = new Map();
  #orders = 0;

  /** Take `handler` in, behind all others of its priority. */
  add(handler: Handler): void {
    this.#orders += 1;
    handler.order = this.#orders;
    this.#changed(handler);
    if (handler.forAll) {
      this.#forAll.add(handler);
      return;
    }
    let listeners = this.#byKind.get(handler.kind);
    if (listeners === undefined) this.#byKind.set(handler.kind, (listeners = new Listeners()));
    listeners.add(handler);
  }

  remove(handler: Handler): void {
    this.#changed(handler);
    if (handler.forAll) {
      this.#forAll.remove(handler);
      return;
    }
    const listeners = this.#byKind.get(handler.kind);
    listeners?.remove(handler);
    if (listeners?.byChannel.size === 0) this.#byKind.delete(handler.kind);
  }

  /** Does any handler listen to this very type? */
  has(kind: EventKind): boolean {
    return this.#byKind.has(kind);
  }

  /** The handlers for an event of type `kind` on `channels`, each once, in the order in which they are begun. */
  find(kind: EventKind, channels: readonly EventChannel[]): readonly Handler[] {
    const [channel] = channels;
    if (channels.length !== 1 || typeof channel !== 'string') return this.#search(kind, channels);
    let known = this.#found.get(kind);
    const handlers = known?.get(channel);
    if (handlers !== undefined) return handlers;
    if (known === undefined || known.size >= MOST_REMEMBERED) this.#found.set(kind, (known = new Map()));
    const found = this.#search(kind, channels);
    known.set(channel, found);
    return found;
  }

  /** As `find`, without handlers for every event. */
  listening(kind: EventKind, channels: readonly EventChannel[]): boolean {
    return this.has(kind) && this.find(kind, channels).some((handler) => !handler.forAll && !handler.removed);
  }

  /** Throw if it is not exactly `handlers`, each list in order. */
  check(handlers: ReadonlySet<Handler>): void {
    const seen = new Set<Handler>();
    for (const { byChannel } of [this.#forAll, ...this.#byKind.values()]) {
      for (const [channel, list] of byChannel) {
        for (const [at, handler] of list.entries()) {
          if (seen.has(handler) || handler.channel !== channel)
            throw new Error('handlers: one is where it does not belong');
          if (at > 0 && before(list[at - 1] as Handler, handler) >= 0) throw new Error('handlers: out of order');
          seen.add(handler);
        }
      }
    }
    for (const handler of handlers) if (!seen.delete(handler)) throw new Error(`handlers: ${handler.name} is missing`);
    if (seen.size > 0) throw new Error('handlers: one is left over');
  }

  #search(kind: EventKind, channels: readonly EventChannel[]): readonly Handler[] {
    const found: Handler[] = [];
    for (const channel of channels) {
      this.#byKind.get(kind)?.collect(channel, found);
      this.#forAll.collect(channel, found);
      // A component that is named as the channel gets it whatever channels its handlers listen on.
      if (typeof channel !== 'string') {
        for (const handler of this.#ownHandlers(channel))
          if (handler.kind === kind || handler.forAll) found.push(handler);
      }
    }
    if (found.length === 0) return NOBODY;
    return [...new Set(found)].sort(before);
  }

  /** One that is in another tree, or has left this one, hears nothing here: its handlers may belong to a tree that does not run. */
  #ownHandlers(component: Component): Iterable<Handler> {
    const { tree, handlers } = nodeOf(component);
    return tree.handlers === this ? handlers : NOBODY;
  }

  #changed(handler: Handler): void {
    if (handler.forAll) this.#found.clear();
    else this.#found.delete(handler.kind);
  }
}
