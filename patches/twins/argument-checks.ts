// argument-checks.ts: what a twin asks of its arguments, at the call.
//
// Node checks when it begins, which for an Op is later, at the `yield*`: what is of the wrong kind is found here, in our words and with Node's codes. What
// an object of options holds is Node's to check: it is refused where the wait begins, in Node's words.
//
// A check returns what to go on with: objects of options are copied, as own properties, so that what the caller changes later does not matter.

import { rangeError, typeError } from '../../core/bad-argument.ts';
import { shownValue } from '../../io/address.ts';
import { checkPath, ownOptions } from '../../io/files-path.ts';

/** Checks one argument of the function `where`. */
export type Check = (value: unknown, where: string) => unknown;

const LARGEST_DESCRIPTOR = 2 ** 31 - 1;

/** A path: a string, bytes or a file: URL. */
export const path: Check = checkPath;

/** The number of an open file. */
export const descriptor: Check = (value, where) => integer(value, 0, LARGEST_DESCRIPTOR, 'a file descriptor', where);

/** A path, or the number of an open file. */
export const pathOrDescriptor: Check = (value, where) =>
  typeof value === 'number' ? descriptor(value, where) : checkPath(value, where);

/** A whole number >= 0. */
export const count: Check = (value, where) => integer(value, 0, Number.MAX_SAFE_INTEGER, 'a whole number >= 0', where);

/** A whole number. */
export const whole: Check = (value, where) =>
  integer(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'a whole number', where);

/** A user or a group; -1 is none. */
export const owner: Check = (value, where) => integer(value, -1, 2 ** 32 - 1, 'the number of a user or group', where);

function integer(value: unknown, least: number, most: number, what: string, where: string): number {
  if (typeof value !== 'number') throw typeError(`${where} takes ${what}, not ${shownValue(value)}`);
  if (!Number.isInteger(value) || value < least || value > most)
    throw rangeError(`${where} takes ${what}, not ${value}`);
  return value;
}

/** Numbers as the system has them, or text that says them: modes, flags. */
export const numberOrText: Check = (value, where) => {
  if (typeof value === 'number' || typeof value === 'string') return value;
  throw typeError(`${where} takes a number or a string, not ${shownValue(value)}`);
};

/** A point in time: seconds since 1970, text that says them, or a Date. */
export const time: Check = (value, where) => {
  if ((typeof value === 'number' && Number.isFinite(value)) || typeof value === 'string' || value instanceof Date)
    return value;
  throw typeError(`${where} takes a time (seconds since 1970 or a Date), not ${shownValue(value)}`);
};

export const text: Check = (value, where) => {
  if (typeof value === 'string') return value;
  throw typeError(`${where} takes a string, not ${shownValue(value)}`);
};

/** Bytes that can be written into. */
export const view: Check = (value, where) => {
  if (ArrayBuffer.isView(value)) return value;
  throw typeError(`${where} takes a Buffer, a typed array or a DataView, not ${shownValue(value)}`);
};

/** An array of such. It is copied. */
export const views: Check = (value, where) => {
  if (Array.isArray(value) && value.every((one) => ArrayBuffer.isView(one))) return [...value];
  throw typeError(`${where} takes an array of Buffers or other views, not ${shownValue(value)}`);
};

/** Text, or bytes. */
export const content: Check = (value, where) => {
  if (typeof value === 'string' || ArrayBuffer.isView(value)) return value;
  throw typeError(`${where} takes a string, a Buffer, a typed array or a DataView, not ${shownValue(value)}`);
};

/** Text, bytes, or an ArrayBuffer. */
export const bytes: Check = (value, where) =>
  value instanceof ArrayBuffer || value instanceof SharedArrayBuffer ? value : content(value, where);

/** A key: text, bytes, or an object that is one or describes one. */
export const key: Check = (value, where) => {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return value;
  throw typeError(`${where} takes a key, not ${shownValue(value)}`);
};

/** A large number: a bigint, or its bytes. */
export const largeNumber: Check = (value, where) => (typeof value === 'bigint' ? value : bytes(value, where));

/** An object of options, or what some functions take in its place: an encoding, a mode. */
export const options: Check = ownOptions;

/** Bytes that can be written into, or an object that has them as `buffer`. */
export const viewOrOptions: Check = (value, where) => (ArrayBuffer.isView(value) ? value : options(value, where));

/** Whatever Node takes. */
export const anything: Check = (value) => value;

/** Nothing, or what `check` accepts. */
export function maybe(check: Check): Check {
  return (value, where) => (value === undefined || value === null ? value : check(value, where));
}

/** Check the arguments of `where`, and return those to go on with, without what is undefined at the end. A callback is refused. */
export function checkedArguments(where: string, checks: readonly Check[], args: readonly unknown[]): unknown[] {
  if (args.some((value) => typeof value === 'function'))
    throw typeError(`${where} takes no callback here: \`yield* ${where.split('.').pop()}(...)\` returns the value`);
  const checked = checks.map((check, index) => check(args[index], where));
  while (checked.length > 0 && checked.at(-1) === undefined) checked.pop();
  return checked;
}
