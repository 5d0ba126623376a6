// body.ts: from what a user hands to spawn, call or all, to the iterator that the run loop drives.
//
// A generator function gives a new generator each time, which is used as it is. Anything else that a body returns may be an Op of ours
// (then a generator of two lines starts it inside the greenlet), or a generator object that somebody made before: that one runs once,
// so it is remembered. What the run loop gets is always a generator of this realm. A WeakSet costs more than a whole spawn, which is why generator functions, nearly all bodies, never touch it.

import { typeError } from './bad-argument.ts';
import { OpReusedError } from './errors.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from './op.ts';

type Runnable<T> = Iterator<Trap, T, Resume>;
/** A body whose parameters are of no interest here. */
export type AnyBody<T> = (...args: never[]) => Op<T>;

const generatorFunction: object = Object.getPrototypeOf(delegate);
const GeneratorFunction = generatorFunction.constructor as new () => (...args: readonly unknown[]) => unknown;
const generator = (generatorFunction as { readonly prototype: Runnable<unknown> }).prototype;
/** `next` of every generator of this realm: what a greenlet's iterator, unless it is a callee, is resumed by. */
export const generatorNext: Runnable<unknown>['next'] = generator.next;
const taken = new WeakSet<object>();

/** Refuse at once what is no body, in the words of `verb`. */
export function requireBody(body: unknown, verb: string): void {
  if (typeof body !== 'function') {
    const hint = isOp(body) ? `: pass the generator function itself, ${verb}(body, ...args), not what it returns` : '';
    throw typeError(`${verb} takes a generator function, not ${nameOf(body)}${hint}`);
  }
  const kind = Object.prototype.toString.call(body);
  if (kind === '[object AsyncFunction]' || kind === '[object AsyncGeneratorFunction]') {
    throw typeError(
      `${verb} takes a generator function, not ${nameOf(body)}: write function*, and \`yield* until(promise)\` for await`,
    );
  }
}

/** Call `body` and return the iterator to drive. @throws TypeError if it is no function or gives no Op. */
export function callBody<T>(given: AnyBody<T>, args: readonly unknown[], verb: string): Runnable<T> {
  const body = given as (...args: readonly unknown[]) => Op<T>;
  return body instanceof GeneratorFunction
    ? (applyTo(body, args) as unknown as Runnable<T>)
    : callOther(body as (...args: readonly unknown[]) => Op<T>, args, verb);
}

function callOther<T>(
  body: (...args: readonly unknown[]) => Op<T>,
  args: readonly unknown[],
  verb: string,
): Runnable<T> {
  requireBody(body, verb);
  const op: unknown = body(...args);
  if (!isOp(op)) {
    throw typeError(
      `the body given to ${verb} returned ${nameOf(op)}: it must return an Op; is it a generator function (function*)?`,
    );
  }
  return iteratorOf(op as Op<T>, () =>
    typeError(`the body given to ${verb} returned a generator that was run already: make a new one in the body`),
  );
}

// One by one as long as there are few: to spread an array is a call into the engine.
function applyTo<R>(body: (...args: readonly unknown[]) => R, args: readonly unknown[]): R {
  switch (args.length) {
    case 0:
      return body();
    case 1:
      return body(args[0]);
    case 2:
      return body(args[0], args[1]);
    case 3:
      return body(args[0], args[1], args[2]);
    default:
      return body(...args);
  }
}

/** The iterator that runs `op` from inside a greenlet. A generator object may be given once. */
export function iteratorOf<T>(op: Op<T>, reused: () => Error): Runnable<T> {
  if (!isGenerator(op)) return delegate(op);
  if (taken.has(op)) throw reused();
  taken.add(op);
  // One of another realm, or of a compiler's own making, has another `next`.
  return Object.prototype.isPrototypeOf.call(generator, op) ? op : delegate(op);
}

/** Check what a wrapper (timeout, shield, call) was given. @throws TypeError if it is no Op. */
export function requireOp(op: unknown, taker: string): asserts op is Op<unknown> {
  if (isOp(op)) return;
  const hint = typeof op === 'function' ? ': call it' : '';
  throw typeError(`${taker} takes an Op, not ${nameOf(op)}${hint}`);
}

/** Start `op` for a wrapper that may itself be started again. `started` says whether it has been before. */
export function startInner<T>(op: Op<T>, started: boolean, wrapper: string): Runnable<T> {
  if (started && isGenerator(op)) throw new OpReusedError(wrapper);
  return op[Symbol.iterator]();
}

export function isGenerator(op: unknown): op is Generator<Trap, never, Resume> {
  return Object.prototype.toString.call(op) === '[object Generator]';
}

function* delegate<T>(op: Op<T>): Generator<Trap, T, Resume> {
  return yield* op;
}
