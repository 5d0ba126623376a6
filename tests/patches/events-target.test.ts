// events-target.test.ts: generator functions as listeners of EventTargets.
import { AsyncLocalStorage } from 'node:async_hooks';
import { addAbortListener, getEventListeners } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { current, hub, type Op, sleep, yieldNow } from 'tendril';
import { type Patch, patchEvents } from 'tendril/patches';
import { afterEach, describe, expect, it } from 'vitest';
import { patchTargets } from '../../patches/events-target.ts';
import { applyPatch } from '../../patches/patch.ts';
import { nothingLeft } from '../io/peers.ts';

let patch: Patch | undefined;
afterEach(async () => {
  await hub.drain();
  patch?.undo();
  patch = undefined;
});

/** As patchEvents() is, and as it is in a Node that keeps its listeners in another way than we know. */
const ways = [
  { way: 'exchanged in the record of Node', apply: () => applyPatch('events', (site) => patchTargets(site)) },
  {
    way: 'given to Node as another function',
    apply: () => applyPatch('events', (site) => patchTargets(site, null)),
  },
] as const;

function noting(told: unknown[]) {
  return function* (this: unknown, event: Event): Op<void> {
    told.push(event.type);
    yield* yieldNow();
  };
}

describe.each(ways)('A generator function that listens to an EventTarget, $way,', ({ way, apply }) => {
  it('runs as a greenlet, with the event and `this`, in the context of the dispatch', async () => {
    patch = apply();
    const storage = new AsyncLocalStorage<string>();
    const target = new EventTarget();
    const told: unknown[] = [];
    target.addEventListener('event', function* (this: unknown, event: Event) {
      yield* sleep(1);
      told.push(this === target, event.type, storage.getStore(), current().state);
    });
    storage.run('dispatched', () => target.dispatchEvent(new Event('event')));
    const before = told.length;
    await hub.drain();
    expect({ before, told }).toEqual({ before: 0, told: [true, 'event', 'dispatched', 'running'] });
    nothingLeft();
  });

  it('is there once however often it is added, for each phase, and removed by itself', async () => {
    patch = apply();
    const target = new EventTarget();
    const told: unknown[] = [];
    const listener = noting(told);
    target.addEventListener('event', listener);
    target.addEventListener('event', listener, { passive: true });
    target.addEventListener('event', listener, { capture: true });
    target.dispatchEvent(new Event('event'));
    await hub.drain();
    const twice = told.splice(0);
    target.removeEventListener('event', listener);
    target.dispatchEvent(new Event('event'));
    await hub.drain();
    const captured = told.splice(0);
    target.removeEventListener('event', listener, { capture: true });
    target.dispatchEvent(new Event('event'));
    await hub.drain();
    expect({ twice, captured, told, left: getEventListeners(target, 'event') }).toEqual({
      twice: ['event', 'event'],
      captured: ['event'],
      told: [],
      left: [],
    });
  });

  it('may be for one event only, and end with a signal', async () => {
    patch = apply();
    const target = new EventTarget();
    const told: unknown[] = [];
    const controller = new AbortController();
    target.addEventListener('once', noting(told), { once: true });
    target.addEventListener('until', noting(told), { signal: controller.signal });
    for (const type of ['once', 'once', 'until', 'until']) target.dispatchEvent(new Event(type));
    controller.abort();
    target.dispatchEvent(new Event('until'));
    await hub.drain();
    expect(told).toEqual(['once', 'until', 'until']);
  });

  it('may be the handleEvent of an object, which is asked for at each event', async () => {
    patch = apply();
    const target = new EventTarget();
    const told: unknown[] = [];
    const object = {
      name: 'object',
      handleEvent: function* (this: { name: string }, event: Event): Op<void> {
        told.push(`${this.name} ${event.type}`);
        yield* yieldNow();
      } as (event: Event) => unknown,
    };
    target.addEventListener('event', object as never);
    target.dispatchEvent(new Event('event'));
    object.handleEvent = (event) => told.push(`plain ${event.type}`);
    target.dispatchEvent(new Event('event'));
    target.removeEventListener('event', object as never);
    target.dispatchEvent(new Event('event'));
    await hub.drain();
    expect(told).toEqual(['plain event', 'object event']);
  });

  it('that was added before the patch is removed by itself', async () => {
    const target = new EventTarget();
    const listener = noting([]);
    target.addEventListener('event', listener);
    patch = apply();
    target.removeEventListener('event', listener);
    expect(getEventListeners(target, 'event')).toEqual([]);
  });

  it('goes on after the undo', async () => {
    patch = apply();
    const target = new EventTarget();
    const told: unknown[] = [];
    const listener = noting(told);
    target.addEventListener('event', listener);
    patch.undo();
    target.dispatchEvent(new Event('event'));
    await hub.drain();
    target.removeEventListener('event', listener);
    target.dispatchEvent(new Event('event'));
    await hub.drain();
    // Where Node was given another function, only the patched removeEventListener knows which.
    expect(told).toEqual(way.startsWith('exchanged') ? ['event'] : ['event', 'event']);
  });

  it('leaves other listeners, and what is none, to Node', async () => {
    patch = apply();
    const target = new EventTarget();
    const told: unknown[] = [];
    const plain = (event: Event): void => void told.push('plain', event.type);
    target.addEventListener('event', plain);
    target.addEventListener('event', { handleEvent: (event) => void told.push('object', event.type) });
    target.addEventListener('event', async function* () {
      told.push('an async generator ran');
      yield 1;
    } as never);
    target.dispatchEvent(new Event('event'));
    target.removeEventListener('event', plain);
    expect({ told, left: getEventListeners(target, 'event').length }).toEqual({
      told: ['plain', 'event', 'object', 'event'],
      left: 2,
    });
    expect(() => target.addEventListener('event', 5 as never)).toThrow(TypeError);
    expect(() => (target.addEventListener as (type: string) => void)('event')).toThrow(TypeError);
    expect(() => EventTarget.prototype.addEventListener.call({} as EventTarget, 'event', function* () {})).toThrow(
      TypeError,
    );
  });
});

describe('What is built on EventTargets', () => {
  it('is what listeners shows', () => {
    patch = patchEvents();
    const target = new EventTarget();
    const listener = noting([]);
    target.addEventListener('event', listener);
    expect(getEventListeners(target, 'event')).toEqual([listener]);
  });

  it('an abort is heard by a generator function, also by addAbortListener', async () => {
    patch = patchEvents();
    const controller = new AbortController();
    const told: unknown[] = [];
    controller.signal.addEventListener('abort', noting(told));
    addAbortListener(controller.signal, noting(told));
    controller.abort();
    await hub.drain();
    // Of a signal that has aborted there is no event.
    await new Promise<void>((resolve) => {
      addAbortListener(controller.signal, function* () {
        yield* sleep(0);
        resolve();
      });
    });
    expect(told).toEqual(['abort', 'abort']);
  });

  it('a message port takes them with on, once and addEventListener', async () => {
    patch = patchEvents();
    const { port1, port2 } = new MessageChannel();
    const told: unknown[] = [];
    const done = new Promise<void>((resolve) => {
      port2.on('message', function* (value: number) {
        yield* sleep(0);
        told.push(['on', value]);
        if (value === 2) resolve();
      });
      port2.once('message', function* (value: number) {
        yield* sleep(0);
        told.push(['once', value]);
      });
      port2.on('messageerror', noting(told));
    });
    port1.postMessage(1);
    port1.postMessage(2);
    await done;
    port1.close();
    await new Promise<void>((resolve) => port2.once('close', resolve));
    expect(told).toEqual([
      ['on', 1],
      ['once', 1],
      ['on', 2],
    ]);
  });
});
