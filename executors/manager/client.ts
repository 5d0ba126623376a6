// client.ts: a connection to a manager: makes objects there, and gives proxies of them.
//
// What travels, and what becomes of calls that nobody waits for any more, is in requests.ts; what stands for an object is in proxies.ts.
// Source: multiprocessing.managers (proxies, reference counts).

/// <reference lib="esnext.disposable" preserve="true" />

import { typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { ClosedError } from '../../core/errors.ts';
import { nameOf, type Op, type Waitable } from '../../core/op.ts';
import { created } from '../../core/unstarted.ts';
import { shownValue } from '../../io/address.ts';
import { connect } from '../../io/connect.ts';
import type { Socket } from '../../io/socket.ts';
import { refusal } from '../channels/refusal.ts';
import { type Call, CallWait } from './call-wait.ts';
import type { Managed, ManagedClasses } from './definition.ts';
import { ManagedReleasedError } from './errors.ts';
import { frameOf, type ObjectDescription, type Request } from './frames.ts';
import { type ManagedRef, Prototypes, type ProxyHome, targetOf } from './proxies.ts';
import type { ManagedDict, ManagedEvent, ManagedList, ManagedLock, ManagedQueue, ManagedValue } from './ready-made.ts';
import { Requests } from './requests.ts';

/** The arguments with which an object of class `C` is made. */
type MakeArgs<C> = C extends abstract new (...args: infer A) => object ? A : never;
type MadeOf<C> = C extends abstract new (...args: never[]) => infer T ? Managed<T> : never;

/** A connection to a manager. */
export class ManagerClient<C extends ManagedClasses = Record<never, never>> implements ProxyHome {
  /** What another process or thread gives to connectManager(). */
  readonly address: string;
  readonly #requests: Requests;
  readonly #prototypes: Prototypes = new Prototypes(this);
  readonly #collected: FinalizationRegistry<number> = new FinalizationRegistry((object) =>
    this.#requests.send(['release', object]),
  );

  /** @internal: connectManager() and Manager.start() make them. `whyLost` says what has become of the manager. */
  constructor(socket: Socket, address: string, whyLost: () => Op<string>) {
    this.address = address;
    this.#requests = new Requests(socket, whyLost);
  }

  /** True after close(), and when the manager is lost. */
  get closed(): boolean {
    return this.#requests.ended;
  }

  /**
   * Make an object of a class of the manager's definition, there, and return a proxy of it.
   *
   * Switches. The object lives until everybody who made it or attached to it has released it, or is gone. @throws what its constructor throws, with the manager's
   * stack. @throws TypeError if there is no such class, or an argument cannot be cloned. @throws ManagerLostError if the manager is gone. @throws ClosedError
   * after close(). @throws Killed if killed while waiting: then there is no object.
   */
  make<K extends keyof C & string>(name: K, ...args: MakeArgs<C[K]>): Waitable<MadeOf<C[K]>> {
    if (typeof name !== 'string' || name.startsWith('@'))
      throw typeError(`make takes the name of a class, not ${shownValue(name)}`);
    return this.#make<MadeOf<C[K]>>(name, args);
  }

  /** Make a dictionary in the manager. As `make` otherwise. */
  dict<K, V>(entries: Iterable<readonly [K, V]> = []): Waitable<Managed<ManagedDict<K, V>>> {
    return this.#make('@dict', [[...entries]]);
  }

  /** Make a list in the manager. As `make` otherwise. */
  list<T>(items: Iterable<T> = []): Waitable<Managed<ManagedList<T>>> {
    return this.#make('@list', [[...items]]);
  }

  /** Make a queue in the manager; with a capacity `put` waits for room. As `make` otherwise. */
  queue<T>(capacity: number = Number.POSITIVE_INFINITY): Waitable<Managed<ManagedQueue<T>>> {
    return this.#make('@queue', [capacity]);
  }

  /** Make a lock in the manager; `holding(lock, op)` runs an Op with it. As `make` otherwise. */
  lock(): Waitable<Managed<ManagedLock>> {
    return this.#make('@lock', []);
  }

  /** Make a value in the manager. As `make` otherwise. */
  value<T>(value: T): Waitable<Managed<ManagedValue<T>>> {
    return this.#make('@value', [value]);
  }

  /** Make an event in the manager. As `make` otherwise. */
  event(): Waitable<Managed<ManagedEvent>> {
    return this.#make('@event', []);
  }

  /**
   * Get a proxy of an object that somebody else has made, by what `refOf(proxy)` gave there.
   *
   * Switches. @throws ManagedReleasedError if the object is gone: whoever sends a ref keeps the proxy until then. @throws TypeError if `ref` is none, or of another
   * manager. As `make` otherwise.
   */
  attach<P extends object>(ref: ManagedRef<P>): Waitable<P> {
    const given = ref as Partial<ManagedRef<P>> | null | undefined;
    if (given?.kind !== 'tendril.ManagedRef' || typeof given.object !== 'number')
      throw typeError(`attach takes what refOf() gave, not ${nameOf(ref)}`);
    if (given.address !== this.address)
      throw typeError(`attach: that object is in the manager at ${given.address}, this is ${this.address}`);
    const { object } = given;
    return this.#asking<P>(
      'attach',
      (id) => ['attach', id, object],
      (value) => this.#proxy<P>(value),
    );
  }

  /** Say that this proxy is not needed any more. Idempotent; never switches. A proxy that is collected does so itself. @throws TypeError if it is none of this client. */
  release(proxy: object): void {
    const target = targetOf(proxy, 'release');
    if (target.home !== this) throw typeError('release: that proxy belongs to another connection');
    if (target.released) return;
    target.released = true;
    this.#collected.unregister(proxy);
    this.#requests.send(['release', target.object]);
  }

  /** Close the connection: whoever waits gets ClosedError, and what only this client had is gone. Never switches; idempotent. */
  close(): void {
    this.#requests.end((what) => new ClosedError(`${what}: the connection to the manager is closed`));
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  toString(): string {
    return `manager at ${this.address}`;
  }

  /** @internal */
  call(
    proxy: object,
    object: number,
    what: string,
    method: string,
    args: readonly unknown[],
    undone: boolean,
  ): Waitable<unknown> {
    const call: Call<unknown> = {
      what,
      frame: (id) => {
        // Here, and not before: it has to live as long as it is called.
        if (targetOf(proxy, what).released) throw new ManagedReleasedError(what);
        return this.#frame(what, ['call', id, object, method, args], args);
      },
      result: (value) => value,
      unwanted: (value) => {
        if (undone) this.#requests.send(['undo', object, method, [value, args]]);
      },
    };
    return created(new CallWait(this.#requests, call));
  }

  #make<T>(name: string, args: readonly unknown[]): Waitable<T> {
    const what = `make of ${name.replace('@', 'a managed ')}`;
    return this.#asking(
      what,
      (id) => ['make', id, name, args],
      (value) => this.#proxy<T>(value),
      args,
    );
  }

  /** Ask for an object. */
  #asking<T>(
    what: string,
    request: (id: number) => Request,
    result: (value: unknown) => T,
    args: readonly unknown[] = [],
  ): Waitable<T> {
    const call: Call<T> = {
      what,
      frame: (id) => this.#frame(what, request(id), args),
      result,
      unwanted: (value) => this.#requests.send(['release', (value as ObjectDescription).object]),
    };
    return created(new CallWait(this.#requests, call));
  }

  #proxy<T>(value: unknown): T {
    const { proxy } = this.#prototypes.proxy(value as ObjectDescription);
    this.#collected.register(proxy, (value as ObjectDescription).object, proxy);
    return proxy as T;
  }

  #frame(what: string, request: Request, args: readonly unknown[]): Uint8Array {
    try {
      return frameOf(request);
    } catch (cause) {
      throw refusal(what, { value: args, path: 'arguments', to: 'another process', moved: [] }, cause);
    }
  }
}

function* connected<C extends ManagedClasses>(address: string): Op<ManagerClient<C>> {
  const socket = yield* connect({ path: address });
  return new ManagerClient<C>(socket, address, lostConnection);
}

function* lostConnection(): Op<string> {
  return 'its connection has ended';
}

/**
 * Connect to a manager that another process or thread of this machine has started, by its `address`.
 *
 * Switches. `C` are the classes of its definition: `connectManager<typeof bank.classes>(address)`. What this client makes is its own until it gives
 * away a ref. Close it when it is done.
 *
 * @throws TypeError, at the call, if `address` is no path. @throws ConnectError if nobody listens there. @throws Killed if killed while waiting.
 */
export function connectManager<C extends ManagedClasses = Record<never, never>>(address: string): Op<ManagerClient<C>> {
  if (typeof address !== 'string' || address === '')
    throw typeError(`connectManager takes the address of a manager, not ${shownValue(address)}`);
  return composite(connected<C>, address);
}
