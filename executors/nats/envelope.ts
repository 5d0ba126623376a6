// envelope.ts: what is written on the messages between executors and workers.
//
// Each has a version, first of all, so that a later one can be told from a damaged one. What is read comes from outside: every member is looked at, and none becomes
// part of a subject that is not made of the letters of one.
//
// A task says where its outcome goes by the two parts of its id: who submitted it and a number of theirs, or 'key' and the hash of its key, which is then everybody's.

import type { Thrown } from '../thrown.ts';
import { decodeTree, encodeValue, parse, tooLarge } from './encoding.ts';
import { MessageMalformedError } from './errors.ts';
import { checkThrown } from './thrown-check.ts';

export const version = 1;
/** What NATS adds to a message: the subject and headers. */
const headroomBytes = 1_024;

/** What the id of a task with a key has in place of who submitted it. */
export const keyed = 'key';

/** A task on its way to a worker. */
export interface TaskMessage {
  /** Who submitted it, or 'key'. */
  readonly client: string;
  readonly number: string;
  readonly set: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly maxAttempts: number;
  readonly limitMs: number;
  readonly abortGraceMs: number;
  readonly terminate: boolean;
}

/** How it ended. `unsendable`: the result cannot travel; `unknown`: the worker has no such task; `dead`: given up. */
export type ResultMessage =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly thrown: Thrown }
  | { readonly kind: 'unsendable' | 'unknown'; readonly message: string }
  | { readonly kind: 'killed' }
  | { readonly kind: 'dead'; readonly attempts: number; readonly reason: string };

/** An outcome that came, and in which attempt. */
export interface Outcome {
  readonly attempt: number;
  readonly result: ResultMessage;
}

/** An executor asks for a task to be stopped. */
export interface StopMessage {
  readonly id: string;
  readonly terminate: boolean;
  readonly reason: unknown;
}

const token = /^[\w-]{1,128}$/;
const taskName = /^[\w$]{1,256}$/;

/** The text of the arguments of a task. @throws TypeError that names the path of what cannot travel. */
export function encodeArgs(args: readonly unknown[], maxPayload: number): string {
  const maxBytes = maxPayload - headroomBytes;
  let bytes = 2;
  const texts = args.map((arg, index) => {
    const text = encodeValue(arg, `argument ${index + 1}`, maxBytes);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > maxBytes) throw tooLarge(`argument ${index + 1}`, bytes, maxBytes);
    return text;
  });
  return `[${texts.join(',')}]`;
}

export function encodeTask(message: Omit<TaskMessage, 'args'>, args: string): string {
  const { limitMs, abortGraceMs, ...rest } = message;
  const head = JSON.stringify({ v: version, ...rest, limitMs: finite(limitMs), abortGraceMs: finite(abortGraceMs) });
  return `${head.slice(0, -1)},"args":${args}}`;
}

/** @throws MessageMalformedError */
export function decodeTask(text: string): TaskMessage {
  const message = versioned(text);
  const { client, number, set, name, args, maxAttempts, limitMs, abortGraceMs, terminate } = message;
  return {
    client: matching(client, token, 'client'),
    number: matching(number, token, 'number'),
    set: matching(set, token, 'set'),
    name: matching(name, taskName, 'name'),
    args: decodeTree(Array.isArray(args) ? args : malformed('args')) as unknown[],
    maxAttempts:
      Number.isSafeInteger(maxAttempts) && (maxAttempts as number) >= 1
        ? (maxAttempts as number)
        : malformed('maxAttempts'),
    limitMs: duration(limitMs, 'limitMs'),
    abortGraceMs: duration(abortGraceMs, 'abortGraceMs'),
    terminate: terminate === true,
  };
}

/** Who sent a message that cannot be read otherwise, so that they can be told. */
export function senderOf(text: string): { readonly client: string; readonly number: string } | undefined {
  try {
    const { client, number } = parse(text) as Record<string, unknown>;
    return { client: matching(client, token, 'client'), number: matching(number, token, 'number') };
  } catch {
    return undefined;
  }
}

/** The text of an outcome. @throws TypeError if the value cannot travel. */
export function encodeOutcome({ attempt, result }: Outcome, maxPayload: number): string {
  const maxBytes = maxPayload - headroomBytes;
  const head = { v: version, attempt, kind: result.kind };
  if (result.kind === 'value') {
    const value = encodeValue(result.value, 'the result', maxBytes);
    return `${JSON.stringify(head).slice(0, -1)},"value":${value}}`;
  }
  const text = JSON.stringify({ ...head, ...result });
  if (Buffer.byteLength(text) > maxBytes) throw tooLarge('the error', Buffer.byteLength(text), maxBytes);
  return text;
}

/** @throws MessageMalformedError */
export function decodeOutcome(text: string): Outcome {
  const message = versioned(text);
  const attempt = typeof message.attempt === 'number' ? message.attempt : malformed('attempt');
  return { attempt, result: decodeResult(message) };
}

function decodeResult(message: Record<string, unknown>): ResultMessage {
  const { kind } = message;
  switch (kind) {
    case 'value':
      return { kind, value: decodeTree(message.value) };
    case 'error':
      return { kind, thrown: checkThrown(message.thrown) };
    case 'unsendable':
    case 'unknown':
      return { kind, message: String(message.message) };
    case 'killed':
      return { kind };
    case 'dead':
      return { kind, attempts: Number(message.attempts), reason: String(message.reason) };
    default:
      return malformed('kind');
  }
}

/** The reason goes along if it can. */
export function encodeStop({ id, terminate, reason }: StopMessage, maxPayload: number): string {
  const head = JSON.stringify({ v: version, id, terminate });
  let text: string;
  try {
    text = encodeValue(reason, 'the reason', maxPayload - headroomBytes);
  } catch {
    text = '{"$":"undefined"}';
  }
  return `${head.slice(0, -1)},"reason":${text}}`;
}

/** @throws MessageMalformedError */
export function decodeStop(text: string): StopMessage {
  const { id, terminate, reason } = versioned(text);
  return {
    id: typeof id === 'string' ? id : malformed('id'),
    terminate: terminate === true,
    reason: decodeTree(reason),
  };
}

function versioned(text: string): Record<string, unknown> {
  const message = parse(text);
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new MessageMalformedError('the message is no object');
  const { v } = message as { v?: unknown };
  if (v !== version)
    throw new MessageMalformedError(
      `the message is of version ${JSON.stringify(v)}, and this program reads version ${version}: bring both to the same release`,
    );
  return message as Record<string, unknown>;
}

function matching(value: unknown, pattern: RegExp, member: string): string {
  return typeof value === 'string' && pattern.test(value) ? value : malformed(member);
}

function duration(value: unknown, member: string): number {
  if (value === null) return Number.POSITIVE_INFINITY;
  return typeof value === 'number' && value >= 0 ? value : malformed(member);
}

function finite(ms: number): number | null {
  return ms === Number.POSITIVE_INFINITY ? null : ms;
}

function malformed(member: string): never {
  throw new MessageMalformedError(`the message has no ${member} that can be read`);
}
