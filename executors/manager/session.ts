// session.ts: one client of a manager, as the manager sees it: its requests, and what it has.
//
// A call runs at once. If its method gives an Op or a promise, a greenlet waits for it, so calls wait for each other as greenlets do; the greenlet is killed if the
// client cancels the call, or is gone. Each request that asks for an answer gets exactly one.
//
// Invariants, between any two steps:
//   a call is in `#running`  implies  it is not answered
//   #left                    implies  this client has no reference

import { isKilled } from '../../core/errors.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { isOp, type Op } from '../../core/op.ts';
import { type Scope, scope } from '../../core/scope.ts';
import { yieldNow } from '../../core/sleep.ts';
import { hub } from '../../io/hub.ts';
import type { Socket } from '../../io/socket.ts';
import { until } from '../../io/until.ts';
import { Unreadable } from '../channels/receiving-side.ts';
import { refusal } from '../channels/refusal.ts';
import { describeThrown } from '../thrown.ts';
import { type Caller, callers } from './caller.ts';
import { unreadable } from './errors.ts';
import { frameOf, type Reply, type Request } from './frames.ts';
import { type Entry, type ManagedObjects, warnOf } from './managed-objects.ts';
import { Wire } from './wire.ts';

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

let sessions = 0;

/** Serve one client until it is gone. */
export function* serveClient(objects: ManagedObjects, socket: Socket): Op<void> {
  sessions += 1;
  const session = new Session(objects, new Wire(socket), sessions);
  yield* scope((s) => session.run(s));
}

class Session implements Caller {
  readonly id: number;
  readonly #objects: ManagedObjects;
  readonly #wire: Wire;
  readonly #references: Map<Entry, number> = new Map();
  readonly #running: Map<number, Greenlet<unknown>> = new Map();
  readonly #leaving: Set<() => void> = new Set();
  #left = false;

  constructor(objects: ManagedObjects, wire: Wire, id: number) {
    this.#objects = objects;
    this.#wire = wire;
    this.id = id;
  }

  onLeave(left: () => void): () => void {
    const leaving = (): void => left();
    if (this.#left) hub.callSoon(leaving);
    else this.#leaving.add(leaving);
    return () => void this.#leaving.delete(leaving);
  }

  *run(s: Scope): Op<void> {
    s.spawn(() => this.#wire.write());
    callers.set(this);
    try {
      for (;;) {
        const message = yield* this.#wire.receive();
        if (message === null) return;
        const spawned = this.#take(message as Request, s);
        // Of another version, or a stranger: it learns by the end of the connection.
        if (spawned === undefined) return;
        // A call that waits begins before the next request is looked at: those of one client begin in their order.
        if (spawned) yield* yieldNow();
      }
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    for (const greenlet of this.#running.values()) greenlet.kill('the client is gone');
    this.#left = true;
    for (const leaving of [...this.#leaving]) hub.callSoon(leaving);
    for (const [entry, count] of this.#references) this.#objects.release(entry, count);
    this.#references.clear();
    this.#wire.close();
  }

  /** True if a greenlet has been spawned; undefined if it is no request. */
  #take(request: Request, s: Scope): boolean | undefined {
    switch (request[0]) {
      case 'make':
        this.#make(request[1], request[2], request[3]);
        return false;
      case 'attach':
        this.#attach(request[1], request[2]);
        return false;
      case 'call':
        return this.#call(request[1], request[2], request[3], request[4], s);
      case 'undo':
        this.#undo(request[1], request[2], request[3]);
        return false;
      case 'release':
        this.#release(request[1]);
        return false;
      case 'cancel':
        this.#cancel(request[1]);
        return false;
      default:
        request satisfies never;
        return undefined;
    }
  }

  #attach(id: number, object: number): void {
    const entry = this.#objects.find(object);
    if (entry === undefined) this.#reply(['gone', id]);
    else this.#refer(id, entry);
  }

  #release(object: number): void {
    const entry = this.#objects.find(object);
    const count = entry === undefined ? 0 : (this.#references.get(entry) ?? 0);
    if (entry === undefined || count === 0) return;
    if (count === 1) this.#references.delete(entry);
    else this.#references.set(entry, count - 1);
    this.#objects.release(entry, 1);
  }

  #make(id: number, name: string, args: readonly unknown[] | Unreadable): void {
    try {
      if (args instanceof Unreadable)
        throw unreadable(
          `make of ${name.replace('@', 'a managed ')}: the arguments cannot be read in the manager`,
          args,
        );
      this.#refer(id, this.#objects.make(name, args));
    } catch (error) {
      this.#reply(['thrown', id, describeThrown(error)]);
    }
  }

  #refer(id: number, entry: Entry): void {
    entry.references += 1;
    this.#references.set(entry, (this.#references.get(entry) ?? 0) + 1);
    this.#reply(['value', id, entry.description]);
  }

  #call(id: number, object: number, method: string, args: readonly unknown[] | Unreadable, s: Scope): boolean {
    const entry = this.#objects.find(object);
    if (entry === undefined) {
      this.#reply(['gone', id]);
      return false;
    }
    const what = `${entry.description.name.replace('@', 'managed ')}.${method}`;
    try {
      if (!entry.description.methods.includes(method)) throw new TypeError(`${what} is no method that may be called`);
      if (args instanceof Unreadable) throw unreadable(`${what}: the arguments cannot be read in the manager`, args);
      const returned = ((entry.object as Methods)[method] as Methods[string]).apply(entry.object, [...args]);
      if (isOp(returned) || isPromise(returned)) {
        this.#running.set(
          id,
          s.spawn(() => this.#finish(id, what, returned)),
        );
        return true;
      }
      this.#answer(id, what, returned);
    } catch (error) {
      this.#reply(['thrown', id, describeThrown(error)]);
    }
    return false;
  }

  *#finish(id: number, what: string, returned: Op<unknown> | PromiseLike<unknown>): Op<void> {
    callers.set(this);
    try {
      const value = yield* isOp(returned) ? returned : until(returned);
      this.#running.delete(id);
      this.#answer(id, what, value);
    } catch (error) {
      this.#running.delete(id);
      if (!isKilled(error)) {
        this.#reply(['thrown', id, describeThrown(error)]);
        return;
      }
      this.#reply(['killed', id]);
      throw error;
    }
  }

  #undo(object: number, method: string, given: readonly [unknown, readonly unknown[]] | Unreadable): void {
    const entry = this.#objects.find(object);
    const undo = entry?.undo[method];
    if (entry === undefined || undo === undefined) return;
    try {
      if (given instanceof Unreadable) throw unreadable(`${method} is taken back: its result cannot be read`, given);
      const [value, args] = given;
      (entry.object as Methods)[undo]?.apply(entry.object, [value, ...args]);
    } catch (error) {
      warnOf(error);
    }
  }

  #cancel(id: number): void {
    const greenlet = this.#running.get(id);
    if (greenlet === undefined) return;
    greenlet.kill('the caller was killed');
    // Before its first step: nobody else will answer.
    if (greenlet.state === 'done' && this.#running.delete(id)) this.#reply(['killed', id]);
  }

  #answer(id: number, what: string, value: unknown): void {
    try {
      this.#wire.send(frameOf(['value', id, value]));
    } catch (cause) {
      const refused = { value, path: 'the result', to: 'another process', moved: [] };
      this.#reply(['thrown', id, describeThrown(refusal(what, refused, cause))]);
    }
  }

  #reply(reply: Reply): void {
    this.#wire.send(frameOf(reply));
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
