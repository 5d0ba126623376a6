// thrown-check.ts: is what came a description of something thrown, as ../thrown.ts makes them?
//
// Between threads and processes of one program that is certain. From another machine it is not: whoever can publish can send anything, and `revive` would trust it.

import type { Thrown, ThrownError } from '../thrown.ts';
import { MessageMalformedError } from './errors.ts';

/** Twice as deep as ../thrown.ts describes. */
const deepest = 16;

/** `tree` as what it has to be. @throws MessageMalformedError */
export function checkThrown(tree: unknown, depth = 0): Thrown {
  if (!isRecord(tree) || depth > deepest) throw malformed();
  if (Object.hasOwn(tree, 'error')) return { error: checkError(tree.error, depth) };
  if (typeof tree.shown === 'string') return { shown: tree.shown };
  // JSON leaves out a value that is undefined.
  const value = Object.hasOwn(tree, 'value') ? tree.value : undefined;
  if (!isPrimitive(value) && value !== undefined) throw malformed();
  return { value };
}

function checkError(tree: unknown, depth: number): ThrownError {
  if (!isRecord(tree)) throw malformed();
  const { name, message, stack, own, cause, errors } = tree;
  if (typeof name !== 'string' || typeof message !== 'string' || typeof stack !== 'string' || !isRecord(own))
    throw malformed();
  if (!Object.values(own).every(isPrimitive) || Object.hasOwn(own, '__proto__')) throw malformed();
  if (errors !== undefined && (!Array.isArray(errors) || errors.length > 100)) throw malformed();
  return {
    name,
    message,
    stack,
    own: own as ThrownError['own'],
    ...(cause === undefined ? {} : { cause: checkThrown(cause, depth + 1) }),
    ...(errors === undefined ? {} : { errors: errors.map((inner: unknown) => checkThrown(inner, depth + 1)) }),
  };
}

function isRecord(tree: unknown): tree is Record<string, unknown> {
  return typeof tree === 'object' && tree !== null && !Array.isArray(tree);
}

function isPrimitive(value: unknown): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function malformed(): MessageMalformedError {
  return new MessageMalformedError('the message has an error that cannot be read');
}
