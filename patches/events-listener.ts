// events-listener.ts: from a generator function to the plain function that Node is given in its place.
//
// When Node calls that function, a detached greenlet is spawned: with the arguments and `this` of the call, in the AsyncLocalStorage context of the call, and
// behind those that were spawned before. Node's own code never runs a greenlet, and no greenlet runs inside Node's callback.
//
// A failure goes where an exception of a plain listener would. What calls listeners and looks at what they return (an EventTarget, an emitter with
// `captureRejections`) is given a thenable, and sends the failure where it sends a rejection. To all others it is an uncaught exception.
// Async generator functions are no bodies of greenlets: they are left to Node.

import { Greenlet } from '../core/greenlet.ts';
import { scheduler } from '../io/hub.ts';
import type { AnyFunction } from './patch.ts';

// Taken at load: patches never reach us.
const { nextTick } = process;
const { getPrototypeOf } = Reflect;
const { bind } = Function.prototype;
const { toString: tagOf } = Object.prototype;

const plain = Function;
const asyncPrototype: unknown = getPrototypeOf(async () => {});
const generatorPrototype: unknown = getPrototypeOf(function* () {});

/**
 * Is it a generator function: declared, a method, bound, behind a Proxy, or of another realm?
 *
 * Every callback of a program is asked, so this is small enough to be inlined: `constructor` is a cached load, a nanosecond; a prototype is a call into the
 * engine, ten.
 */
export function isGeneratorFunction(value: unknown): value is AnyFunction {
  return typeof value === 'function' && value.constructor !== plain && isGenerating(value);
}

function isGenerating(value: object): boolean {
  const prototype = getPrototypeOf(value);
  if (prototype === asyncPrototype) return false;
  return prototype === generatorPrototype || tagOf.call(value) === '[object GeneratorFunction]';
}

/** What becomes of a failure that nobody else takes. */
export type FailureRoute = (error: unknown) => void;

/** An uncaught exception, outside every greenlet, as that of a plain callback. */
export function throwUncaught(error: unknown): void {
  nextTick(() => {
    throw error;
  });
}

/** The greenlet of one event, as the caller of a listener sees it: a thenable, because that is what Node asks of what a listener returns. */
export class ListenerRun implements PromiseLike<unknown> {
  readonly #greenlet: Greenlet;
  #taken = false;

  constructor(body: AnyFunction, self: unknown, args: readonly unknown[], route: FailureRoute) {
    // A bound generator function is still one, which is the short way to a greenlet; a function that calls it would be any body.
    this.#greenlet = new Greenlet<unknown>(self === undefined ? body : bind.call(body, self), ...args).start();
    // In a simulation the simulation reports what nobody has looked at.
    if (this.#greenlet.scope.scheduler !== scheduler) return;
    this.#greenlet.link(({ outcome }) => {
      if (!this.#taken && outcome?.ok === false && !outcome.killed) route(outcome.error);
    });
  }

  /** Whoever asks for the end takes the failure too. A kill is no failure. */
  // biome-ignore lint/suspicious/noThenProperty: Node looks for a `then` in what a listener returns
  then<A = unknown, B = never>(
    onValue?: ((value: unknown) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#taken = true;
    const end = new Promise<unknown>((resolve, reject) => {
      this.#greenlet.link(({ outcome }) => {
        if (outcome?.ok === false && !outcome.killed) reject(outcome.error);
        else resolve(outcome?.ok === true ? outcome.value : undefined);
      });
    });
    return end.then(onValue, onError);
  }
}

/** A plain function that stands for a user's generator function. Node finds the user's by `listener`, as in its own wrappers of `once`. */
export interface StandIn {
  (this: unknown, ...args: unknown[]): ListenerRun | undefined;
  listener: AnyFunction;
}

/** The plain function that spawns a greenlet of `body` at each call. */
export function standIn(body: AnyFunction, route: FailureRoute = throwUncaught): StandIn {
  const listener: StandIn = function (this: unknown, ...args: unknown[]): ListenerRun {
    return new ListenerRun(body, this, args, route);
  } as StandIn;
  listener.listener = body;
  return listener;
}
