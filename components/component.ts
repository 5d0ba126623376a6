// component.ts: a node of a tree that handles events, fires them, and waits for them.
//
// Use it as it is (`new Component({name})`, then `on`), or extend it and say `on` in the constructor. Events of all components of a tree wait in one queue and are
// handled one after the other; a handler that waits holds up nobody. The tree runs while its root's `run` does; what is fired before waits.
//
// What the library knows of it, its place in the tree included, is its node (component-node.ts).
// Source: circuits' Component and Manager. Here types are values and not names, a tree has to be run by somebody, and results are typed.

import { typeError } from '../core/bad-argument.ts';
import { requireBody } from '../core/body.ts';
import { composite } from '../core/composite.ts';
import { nameOf, type Op, type Waitable } from '../core/op.ts';
import { created } from '../core/unstarted.ts';
import { checkOptions, ownText } from '../io/address.ts';
import { asking, calling } from './calling.ts';
import { ComponentNode, reachNodes } from './component-node.ts';
import { ComponentStateError } from './errors.ts';
import {
  type AnyEvent,
  type AnyEventType,
  type ArgsOf,
  checkChannel,
  type EventChannel,
  kindOf,
  type ResultsOf,
  requireEvent,
} from './event-type.ts';
import { EventWait } from './event-wait.ts';
import { checkFire, type FireOptions, type WaitForOptions, wantedEvent } from './fire-options.ts';
import type { Firing } from './firing.ts';
import { Handler, type HandlerFunction, type HandlerOptions, type TaskHandler } from './handler.ts';
import { registered, unregistered, unregistering } from './lifecycle.ts';
import { running, settledAround } from './tree-run.ts';

export interface ComponentOptions {
  /** Shown in reports; the name of the class if not given. */
  readonly name?: string | undefined;
  /** Where its handlers listen and its events are fired if nothing else is said; `'*'`, every channel, if not given. */
  readonly channel?: string | undefined;
}

const EVERYWHERE: readonly EventChannel[] = ['*'];

/** A node of a tree that handles events. */
export class Component {
  readonly name: string;
  readonly channel: string;
  readonly #node: ComponentNode;
  readonly #channels: readonly EventChannel[];

  static {
    reachNodes((component) => component.#node);
  }

  /** @throws TypeError for bad options. */
  constructor(options?: ComponentOptions) {
    const where = new.target.name;
    const given = checkOptions(options, where);
    this.name = ownText(given, 'name', where) ?? where;
    this.channel = ownText(given, 'channel', where) ?? '*';
    checkChannel(this.channel, where);
    this.#channels = this.channel === '*' ? EVERYWHERE : [this.channel];
    this.#node = new ComponentNode(this);
  }

  /** The component that this is registered with; undefined for the root. */
  get parent(): Component | undefined {
    return this.#node.parent?.component;
  }

  /** The top of the tree: this component itself if it is registered nowhere. */
  get root(): Component {
    return this.#node.tree.root;
  }

  /** The components that are registered with this one, in the order of registration. */
  get children(): readonly Component[] {
    return Array.from(this.#node.children, ({ component }) => component);
  }

  /** Does the tree run? */
  get running(): boolean {
    return this.#node.tree.dispatcher !== undefined;
  }

  /** Is `component` this one, or below it? */
  contains(component: Component): boolean {
    for (let at: Component | undefined = component; at !== undefined; at = at.parent) if (at === this) return true;
    return false;
  }

  /**
   * Handle events of `type` with `handler`, from the next one that is dispatched on. The function that is returned takes the handler out again. Never switches.
   *
   * The handler is called with the event's arguments, and this component as `this`; `handling()` gives it the firing. A generator function runs as a greenlet of its own and
   * may wait; a plain function runs to its end, and may return an Op, which is then run as a greenlet. `{executor, task}` runs a task of `defineTasks` in an
   * executor of tendril/executors. What it returns, unless undefined, is a result of the event.
   *
   * ```ts
   * import { sleep } from 'tendril';
   * import { Component, defineEvent } from 'tendril/components';
   *
   * const order = defineEvent<[dish: string], number>('order');
   * class Kitchen extends Component {
   *   cooked = 0;
   *   constructor() {
   *     super({ channel: 'kitchen' });
   *     this.on(order, function* (dish) {
   *       yield* sleep(dish.length);
   *       this.cooked += 1;
   *       return this.cooked;
   *     });
   *   }
   * }
   * ```
   *
   * @throws TypeError if `type` is no type of events, `handler` is none (an async function is none), or for bad options.
   */
  on<L extends AnyEventType>(
    type: L,
    handler: HandlerFunction<this, ArgsOf<L>, ResultsOf<L>> | TaskHandler<ArgsOf<L>, ResultsOf<L>>,
    options?: HandlerOptions,
  ): () => void {
    return this.#node.addHandler(new Handler(this, kindOf(type, 'on'), handler, options));
  }

  /**
   * Queue an event, and return its handle at once. Never switches.
   *
   * It is handled when those before it have been, if the tree runs. Fired while another event is handled, it belongs to what that one causes.
   *
   * @throws TypeError if `event` is none (`fire(hello('Ada'))`, not `fire(hello)`), or for bad options.
   * @see https://circuits.readthedocs.io/en/latest/man/events.html
   */
  fire<E extends AnyEvent>(event: E, options?: FireOptions): Firing<ArgsOf<E>, ResultsOf<E>> {
    requireEvent(event, 'fire');
    const { channel } = event.kind;
    if (options === undefined)
      return this.#node.tree.fire(event, channel === undefined ? this.#channels : [channel], 0, this);
    const { channels, priority } = checkFire(options, 'fire');
    return this.#node.tree.fire(
      event,
      channels ?? (channel === undefined ? this.#channels : [channel]),
      priority,
      this,
    );
  }

  /**
   * Fire an event and wait until it is handled; returns the results of its handlers, in their order.
   *
   * Switches. Given up (a kill, a timeout), the event is handled all the same.
   *
   * @throws what the first handler that failed has thrown; GreenletKilledError, EventCancelledError, ComponentStoppedError as `Firing.result`.
   * @throws TypeError at the call, as `fire`. @throws Killed if the greenlet is killed while it waits.
   */
  call<E extends AnyEvent>(event: E, options?: FireOptions): Op<ResultsOf<E>[]> {
    requireEvent(event, 'call');
    if (options !== undefined) checkFire(options, 'call');
    return composite(calling<E>, this, event, options);
  }

  /**
   * As `call`, for an event that has one answer: returns the first result.
   *
   * @throws NoResultError if there is none. Otherwise as `call`.
   */
  ask<E extends AnyEvent>(event: E, options?: FireOptions): Op<ResultsOf<E>> {
    requireEvent(event, 'ask');
    if (options !== undefined) checkFire(options, 'ask');
    return composite(asking<E>, this, event, options);
  }

  /**
   * Wait for the next event of `type`; returns its firing as its handlers are about to be begun. `wait(hello.success)` and `wait(hello.complete)` wait for its ends.
   *
   * Always switches: only events that are dispatched from now on count.
   *
   * @throws ComponentStoppedError if the tree ends, or this component leaves it, while we wait. @throws what the condition throws. @throws TypeError at the call for bad arguments.
   * @throws Killed if the greenlet is killed while it waits.
   */
  wait<L extends AnyEventType>(
    type: L,
    options?: WaitForOptions<ArgsOf<L>>,
  ): Waitable<Firing<ArgsOf<L>, ResultsOf<L>>> {
    const wanted = wantedEvent(kindOf(type, 'wait'), options, this.channel);
    return created(new EventWait(this.#node.waiters, wanted)) as unknown as Waitable<Firing<ArgsOf<L>, ResultsOf<L>>>;
  }

  /**
   * Make this component, with all that is below it, a part of the tree of `parent`; events that were fired here before go there. Fires `registered`. Never switches.
   *
   * An event that is being handled is not handled by it any more.
   *
   * @throws ComponentStateError if it is registered already, runs as a root, or `parent` is below it or leaving. @throws TypeError if `parent` is no component.
   */
  register(parent: Component): this {
    if (!(parent instanceof Component)) throw typeError(`register takes a component, not ${nameOf(parent)}`);
    const [node, above] = [this.#node, parent.#node];
    if (node.parent !== undefined)
      throw new ComponentStateError(`${this} is registered with ${this.parent} already: unregister it first`);
    if (this.running) throw new ComponentStateError(`${this} is running as a root of its own`);
    if (this.contains(parent))
      throw new ComponentStateError(`${this} cannot be registered with ${parent}, which is a part of it`);
    if (above.leaving)
      throw new ComponentStateError(`${this} cannot be registered with ${parent}, which is being unregistered`);
    node.enter(above);
    this.fire(registered(this, parent));
    const { dispatcher, stopping } = node.tree;
    if (dispatcher !== undefined && !stopping)
      for (const each of node.subtree()) each.beginBackground(dispatcher.scope);
    return this;
  }

  /**
   * Take this component, with all that is below it, out of its tree. Never switches.
   *
   * From now on it is given one event only: `unregistering`, which is fired at once. When everything that this causes is done, which `complete()` of what is returned waits
   * for, it is out: its background work is killed, whoever waits through it gets ComponentStoppedError, and `unregistered` is fired. Handlers of it that run go on (`kill`
   * ends them). It is a tree of its own then, and may be registered again. In a tree that does not run it is out at once. Called again meanwhile it does nothing.
   *
   * @throws ComponentStateError if it is registered nowhere.
   */
  unregister(): Firing<[component: Component], void> {
    const node = this.#node;
    const { parent, tree } = node;
    if (node.unregistering !== undefined) return node.unregistering;
    if (parent === undefined) throw new ComponentStateError(`${this} is registered nowhere`);
    for (const each of node.subtree()) each.leaving = true;
    const firing = this.fire(unregistering(this));
    node.unregistering = firing;
    const leave = (): void => {
      node.leave();
      tree.fire(unregistered(this, parent.component), EVERYWHERE, 0, this);
    };
    if (this.running) firing.track().onComplete = leave;
    else leave();
    return firing;
  }

  /**
   * Run the tree below this component, the root, while `body` runs; return what that returns. Without a body, until the greenlet is killed.
   *
   * Switches. `started` is fired first, and what was fired before is handled. When the body has returned, background work is killed, what was fired is handled, then `stopped` is fired and handled; so
   * returning drops nothing. If the body throws or the greenlet is killed, everything is killed, and awaited; events that are still queued are cancelled.
   *
   * @throws what the body throws. @throws ComponentStateError if this is not the root, or it runs already. @throws TypeError at the call if `body` is no function.
   * @throws Killed if the greenlet is killed.
   */
  run<T = never>(body?: () => Op<T>): Op<T> {
    if (body !== undefined) requireBody(body, 'run');
    return composite(running<T>, this, body);
  }

  /**
   * Have `body(...args)` run in the background while this component is in a tree that runs: from now on, or from when it is. The function that is returned ends it. Never switches.
   *
   * It is killed when the component leaves the tree and when the tree's body has returned, and begins anew when there is a tree that runs again. When it has returned or failed,
   * which is an `exception` event, it is over.
   *
   * @throws TypeError if `body` is no generator function.
   */
  background<A extends readonly unknown[]>(body: (this: this, ...args: A) => Op<unknown>, ...args: A): () => void {
    requireBody(body, 'background');
    return this.#node.addBackground(() => body.call(this, ...args), body.name, false);
  }

  /**
   * Kill the handlers of this component, and of those below it, that run now, the one that calls this included. How many there were. Never switches.
   *
   * It stays where it is and is given the next events; of one that has left its tree, it is what still runs there. Whoever waits for the outcome of theirs gets GreenletKilledError.
   */
  kill(reason?: unknown): number {
    let killed = 0;
    for (const { runs } of this.#node.subtree())
      for (const run of [...runs]) if (run.dispatcher.kill(run, reason)) killed += 1;
    return killed;
  }

  /** Wait until nothing is queued in the tree and nothing is being handled. Switches if something is. @throws Killed if killed while waiting. */
  settled(): Op<void> {
    return composite(settledAround, this);
  }

  toString(): string {
    return `component ${this.name}`;
  }
}

// What console.log shows, where the host knows this symbol: not the whole tree behind it.
Object.defineProperty(Component.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Component): string {
    return `<${this} on ${this.channel}, ${this.children.length} below>`;
  },
});
