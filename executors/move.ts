// move.ts: handing over memory in place of copying it: what was marked with `move` is transferred when it goes to another thread.
//
// A mark is for one call of submit, or one result, and used up there whatever becomes of it: one that stayed would empty a buffer which is later passed without. Between processes and
// machines there is nothing to transfer, and between greenlets nothing is copied: there the mark means nothing else.
// Source: the transfer list of postMessage, in the place where the value stands.

import { ReadableStream, TransformStream, WritableStream } from 'node:stream/web';
import { MessagePort, type Transferable } from 'node:worker_threads';
import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';

// The marks are the thread's: a task may use another copy of this library than the worker that sends its result.
const key = Symbol.for('tendril.moved');
type Marks = WeakMap<object, Transferable>;
const marked: Marks = ((globalThis as { [key]?: Marks })[key] ??= new WeakMap());

const movable = [ArrayBuffer, MessagePort, ReadableStream, WritableStream, TransformStream];

/**
 * Mark `value` to be moved to the other thread, not copied: `submit(tasks.blur, move(pixels))`, or in a task `return move(pixels)`. Returns `value`. Never switches.
 *
 * It is for an ArrayBuffer, a view of one, an end of a channel that travels (`channelPair`), or what else postMessage can transfer (a MessagePort, a FileHandle, a stream of the
 * web), as an argument, or as the result, itself. What was moved is empty on this side once the task has begun.
 *
 * @throws TypeError if `value` is nothing that can be moved.
 */
export function move<T extends object>(value: T): T {
  if (typeof value !== 'object' || value === null)
    throw typeError(`move takes a buffer or a port, not ${nameOf(value)}`);
  const transferable = transferableOf(value);
  // Both, because what looks for a mark may come to the port by itself.
  marked.set(value, transferable);
  marked.set(transferable, transferable);
  return value;
}

function transferableOf(value: object): Transferable {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) return value.buffer;
    throw typeError('move: shared memory is shared, not moved');
  }
  const { port } = value as { port?: unknown };
  if (port instanceof MessagePort) return port;
  if (movable.some((kind) => value instanceof kind) || value.constructor?.name === 'FileHandle')
    return value as unknown as Transferable;
  throw typeError(
    `move takes a buffer, a port or a stream of the web, not ${nameOf(value)}: what holds one is copied around it, so move that part as an argument of its own`,
  );
}

/** Was it marked, and not moved since? @internal */
export function isMoved(value: object): boolean {
  return marked.has(value);
}

const nothing: readonly Transferable[] = [];

/** What of `values` was marked; the marks are used up. @internal */
export function takeMoved(values: readonly unknown[]): readonly Transferable[] {
  let list: Transferable[] | undefined;
  for (const value of values) {
    if (typeof value !== 'object' || value === null) continue;
    const transferable = marked.get(value);
    if (transferable === undefined) continue;
    marked.delete(value);
    marked.delete(transferable);
    list ??= [];
    if (!list.includes(transferable)) list.push(transferable);
  }
  return list ?? nothing;
}
