// proxies.ts: what stands here for an object that lives in a manager: it has the methods of its class, and nothing else.
//
// It is an ordinary object: a method that the class does not have is not there, and no name of ours can stand in the way of a method. So what else
// one may do with a proxy are functions beside it. A proxy that is collected has released its object.
//
// For the engine it is a Proxy that changes nothing: those cannot be cloned, whatever they would be sent over. An object without properties of its own would
// arrive as an empty one without a word.

import { typeError } from '../../core/bad-argument.ts';
import { nameOf, type Waitable } from '../../core/op.ts';
import { travelsAs } from '../travel.ts';
import type { ObjectDescription } from './frames.ts';

/** Where a proxy's object is. */
export interface ManagedRef<T = object> {
  readonly kind: 'tendril.ManagedRef';
  /** Of its manager. */
  readonly address: string;
  readonly object: number;
  /** Phantom: carries the class. @internal */
  readonly type?: T;
}

/** What a proxy needs of whoever made it. */
export interface ProxyHome {
  readonly address: string;
  call(
    proxy: object,
    object: number,
    what: string,
    method: string,
    args: readonly unknown[],
    undone: boolean,
  ): Waitable<unknown>;
}

/** What is behind a proxy. */
export interface Target {
  readonly home: ProxyHome;
  readonly object: number;
  released: boolean;
}

const targets = new WeakMap<object, Target>();

/** The prototypes of the proxies of one home, by class. */
export class Prototypes {
  readonly #home: ProxyHome;
  readonly #made: Map<string, object> = new Map();

  constructor(home: ProxyHome) {
    this.#home = home;
  }

  /** A new proxy of an object. */
  proxy({ object, name, methods, undone }: ObjectDescription): { readonly proxy: object; readonly target: Target } {
    const prototype = this.#made.get(name) ?? this.#prototype(name, methods, undone);
    this.#made.set(name, prototype);
    const proxy = new Proxy(Object.create(prototype) as object, {});
    const target = { home: this.#home, object, released: false };
    targets.set(proxy, target);
    return { proxy, target };
  }

  #prototype(name: string, methods: readonly string[], undone: readonly string[]): object {
    const home = this.#home;
    const shownName = name.replace('@', 'managed ');
    const prototype: object = {};
    Object.defineProperty(prototype, travelsAs, { value: `refOf() of it, and attach() there` });
    Object.defineProperty(prototype, Symbol.toStringTag, { value: `Managed ${name.replace('@', '')}` });
    for (const method of methods) {
      const what = `${shownName}.${method}`;
      const isUndone = undone.includes(method);
      const value = function (this: unknown, ...args: readonly unknown[]): Waitable<unknown> {
        const target = targets.get(this as object);
        if (target === undefined)
          throw typeError(`${what} was called without its object: call it as proxy.${method}()`);
        return home.call(this as object, target.object, what, method, args, isUndone);
      };
      Object.defineProperty(value, 'name', { value: method });
      Object.defineProperty(prototype, method, { value });
    }
    return prototype;
  }
}

/** What is behind `proxy`. @throws TypeError if it is none. */
export function targetOf(proxy: unknown, where: string): Target {
  const target = typeof proxy === 'object' && proxy !== null ? targets.get(proxy) : undefined;
  if (target === undefined) throw typeError(`${where} takes a proxy that a manager has made, not ${nameOf(proxy)}`);
  return target;
}

/** Say where the object of `proxy` is: plain data that may go to any thread or process of this machine, to be given to `attach`. Never switches. @throws TypeError if it is no proxy. */
export function refOf<P extends object>(proxy: P): ManagedRef<P> {
  const { home, object } = targetOf(proxy, 'refOf');
  return { kind: 'tendril.ManagedRef', address: home.address, object };
}
