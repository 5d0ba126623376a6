// lifecycle.ts: the events that the library itself fires: of trees, of components, of failures; and the type that stands for all.
//
// All of them are fired on every channel: they are of general interest, and a handler looks at their arguments for what concerns it.
// Source: circuits' registered, prepare_unregister, unregistered, started, stopped, exception.

import type { Component } from './component.ts';
import { defineEvent, type EventType, type Listenable } from './event-type.ts';
import type { Firing } from './firing.ts';

/** Where a failure happened. */
export interface FailureOrigin {
  /** The component whose handler, or background work, failed. */
  readonly component: Component;
  /** The event that was handled; undefined for background work. */
  readonly firing: Firing | undefined;
  /** The name of the function, for reports. */
  readonly handler: string;
}

/** A component has been registered below `parent`. */
export const registered: EventType<[component: Component, parent: Component]> = defineEvent('registered', {
  channel: '*',
});

/** `component` is about to leave the tree, with all below it: it does when everything that this event causes is done. `component.contains(this)` tells whether one is concerned. */
export const unregistering: EventType<[component: Component]> = defineEvent('unregistering', { channel: '*' });

/** `component` has left the tree; it was below `parent`. */
export const unregistered: EventType<[component: Component, parent: Component]> = defineEvent('unregistered', {
  channel: '*',
});

/** The tree below `root` runs. */
export const started: EventType<[root: Component]> = defineEvent('started', { channel: '*' });

/** The tree below `root` is about to end: its body has returned, and everything has been handled. */
export const stopped: EventType<[root: Component]> = defineEvent('stopped', { channel: '*' });

/**
 * A handler, or background work, has failed. Whoever handles this has taken care of the failure; if nobody does, nobody listens to the `failure` of the
 * event and nobody waits for its outcome, the error goes to the hub's error event. What a handler of this throws goes there at once.
 */
export const exception: EventType<[error: unknown, origin: FailureOrigin]> = defineEvent('exception', { channel: '*' });

/** Stands for every event, in `on` and `wait`: a handler is given the firing. It is never fired. */
export const anyEvent: Listenable<[firing: Firing], unknown> = defineEvent<[firing: Firing], unknown>('anyEvent');
