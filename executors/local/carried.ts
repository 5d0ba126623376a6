// carried.ts: what threads and processes can carry besides data, and what looks like data and is none.
//
// A process gets of an object of Node's own an empty one, without a word: so those are refused by name. A thread is given a clone of them, or the thing itself if it is marked with
// `move`. An object of a class of the program is its own properties in both, as structuredClone has it.

import { isCryptoKey, isKeyObject, isSharedArrayBuffer } from 'node:util/types';
import { isMoved, takeMoved } from '../move.ts';
import type { TravelRules } from '../travel.ts';

/** What threads can carry besides data. */
export const threadRules: Omit<TravelRules, 'maxBytes'> = {
  where: 'another thread',
  passes: (value, inside) => isShared(value) || (!inside && isMoved(value)),
  refuses: (value) => {
    // One that is inside of an argument: used up as the others are.
    if (isMoved(value) && takeMoved([value]).length > 0)
      return 'is marked with move, and is moved only by itself: make it an argument, or a result, of its own';
    if (isPlain(value)) return undefined;
    if (value instanceof BroadcastChannel) return 'cannot travel to another thread: pass its name';
    const what = value instanceof MessagePort ? 'it, or the end of a channel that has it,' : 'it';
    if (isHandle(value))
      return `cannot travel to another thread as a copy: hand ${what} over with move(...), as an argument or a result of its own`;
    return undefined;
  },
  wholeBuffers: true,
};

/** What processes can: nothing. */
export const processRules: Omit<TravelRules, 'maxBytes'> = {
  where: 'another process',
  passes: () => false,
  refuses: (value) => {
    if (isShared(value)) return 'cannot travel to another process: pass data';
    if (isPlain(value)) return undefined;
    if (isHandle(value) || isOfThreads(value)) return 'cannot travel to another process: pass data';
    return undefined;
  },
};

function isShared(value: object): boolean {
  return isSharedArrayBuffer(ArrayBuffer.isView(value) ? value.buffer : value);
}

const handles = [MessagePort, BroadcastChannel, ReadableStream, WritableStream, TransformStream];

/** Has no data, and is moved or stays where it is. */
function isHandle(value: object): boolean {
  return handles.some((handle) => value instanceof handle) || value.constructor?.name === 'FileHandle';
}

/** Node's own mark of what it clones between threads, which it does not tell: a Blob has it. */
const cloned = Object.getOwnPropertySymbols(Blob.prototype).find(
  ({ description }) => description === 'messaging_clone_symbol',
);

/** Is cloned between threads by Node's own code, and would be an empty object in another process: a key, a Blob, a BlockList, a compiled module. */
function isOfThreads(value: object): boolean {
  if (cloned !== undefined && cloned in value) return true;
  if (Object.prototype.toString.call(value) === '[object WebAssembly.Module]') return true;
  // The name first: asking Node loads half of its cryptography.
  return /Key/.test(value.constructor?.name ?? '') && (isKeyObject(value) || isCryptoKey(value));
}

const plain: ReadonlySet<unknown> = new Set(
  [Object, Array, Map, Set, Date, ArrayBuffer, Uint8Array, Buffer].map((made) => made.prototype),
);

function isPlain(value: object): boolean {
  return plain.has(Object.getPrototypeOf(value));
}
