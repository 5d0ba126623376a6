// http-server-answer.ts: what a handler may return as its answer, and how that is sent.
//
// Text and bytes go out at once with their length. Everything else is a source of pieces: the request's own greenlet asks for the next one when the connection
// has room, so a slow client slows the source. However that ends, a reader is closed, and an iterator that has not come to its end is told to return.

import type { Readable } from 'node:stream';
import { typeError } from '../core/bad-argument.ts';
import { Channel } from '../core/channel.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { own } from './address.ts';
import type { ByteSource } from './byte-streams.ts';
import { forEach } from './for-each.ts';
import { checkHeaders, type RequestHeaders } from './http-headers.ts';
import type { ServerResponse } from './http-server-response.ts';
import { fromReadable } from './node-streams.ts';
import type { Writable } from './writable.ts';

/**
 * The body of an answer: text, bytes, form fields; or pieces of text or bytes from a channel, a byte reader (a socket, a file, the body of another
 * response), an iterable, an async iterable (streams of Node and of the web too), or a function that writes them to the response.
 */
export type AnswerBody =
  | Writable
  | URLSearchParams
  | Channel<string>
  | Channel<Uint8Array>
  | ByteSource
  | Iterable<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>
  | ((response: ServerResponse) => Op<unknown>)
  | null;

export interface Answer {
  /** 200 by default. */
  readonly status?: number | undefined;
  readonly headers?: RequestHeaders | undefined;
  readonly body?: AnswerBody | undefined;
  /** A value that is sent as JSON, instead of `body`. */
  readonly json?: unknown;
  /** Fields that follow the body. */
  readonly trailers?: RequestHeaders | undefined;
}

const KEYS = new Set(['status', 'headers', 'body', 'json', 'trailers']);
const ADVICE = 'return { status, headers, body }, { json: value }, text or bytes';

/** Put what is in the head of `answer` into `response`, and return its body. @throws TypeError for what is no answer. */
function opened(response: ServerResponse, answer: unknown): unknown {
  if (typeof answer === 'string' || ArrayBuffer.isView(answer)) return answer;
  if (typeof answer !== 'object' || answer === null)
    throw typeError(`the handler returned ${nameOf(answer)}: ${ADVICE}`);
  for (const key of Object.keys(answer)) {
    if (!KEYS.has(key)) throw typeError(`the handler returned an answer with ${JSON.stringify(key)}: ${ADVICE}`);
  }
  if (!Object.keys(answer).some((key) => KEYS.has(key)))
    throw typeError(`the handler returned ${nameOf(answer)}: ${ADVICE}`);
  const status = own<number>(answer, 'status');
  if (status !== undefined) response.status = status;
  const headers = own<RequestHeaders>(answer, 'headers');
  if (headers !== undefined) {
    const flat = checkHeaders(headers);
    const values = new Map<string, string[]>();
    for (let at = 0; at < flat.length; at += 2) {
      const name = flat[at] as string;
      const before = values.get(name);
      if (before === undefined) values.set(name, [flat[at + 1] as string]);
      else before.push(flat[at + 1] as string);
    }
    for (const [name, list] of values) response.setHeader(name, list);
  }
  const trailers = own<RequestHeaders>(answer, 'trailers');
  if (trailers !== undefined) response.setTrailers(trailers);
  if (!Object.hasOwn(answer, 'json') || own(answer, 'json') === undefined) return own(answer, 'body');
  if (own(answer, 'body') !== undefined) throw typeError('the handler returned an answer with both body and json');
  const text: unknown = JSON.stringify(own(answer, 'json'));
  if (typeof text !== 'string') throw typeError(`${nameOf(own(answer, 'json'))} cannot be sent as JSON`);
  typed(response, 'application/json');
  return text;
}

function typed(response: ServerResponse, type: string): void {
  if (response.field('content-type') === undefined) response.addField('content-type', type);
}

/** Send `answer` as `response`: at once if it is whole; else the Op that sends its pieces is returned. */
export function sendAnswer(response: ServerResponse, answer: unknown): Op<void> | undefined {
  const body = opened(response, answer);
  if (body === undefined || body === null) {
    response.finish(undefined);
  } else if (typeof body === 'string') {
    typed(response, 'text/plain; charset=utf-8');
    response.finish(body);
  } else if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) {
    typed(response, 'application/octet-stream');
    response.finish(bytesIn(body));
  } else if (body instanceof URLSearchParams) {
    typed(response, 'application/x-www-form-urlencoded;charset=UTF-8');
    response.finish(body.toString());
  } else {
    return sendPieces(response, body);
  }
  return undefined;
}

function* sendPieces(response: ServerResponse, body: unknown): Generator<Trap, void, Resume> {
  yield* sendPiecesOf(response, body);
  yield* response.end();
}

function bytesIn(body: ArrayBufferView | ArrayBuffer): Uint8Array {
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  return body instanceof Uint8Array ? body : new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
}

/** Give up the body of an answer that nobody will read. */
export function dropAnswer(answer: unknown): void {
  const body: unknown = typeof answer === 'object' && answer !== null ? own(answer, 'body') : undefined;
  if (typeof body === 'object' && body !== null) giveUp(body);
}

function giveUp(body: object): void {
  const { close, destroy, return: back } = body as { close?: unknown; destroy?: unknown; return?: unknown };
  if (body instanceof Channel) return;
  if (typeof close === 'function') close.call(body);
  else if (typeof destroy === 'function') destroy.call(body);
  else if (typeof back === 'function') back.call(body);
}

function* sendPiecesOf(response: ServerResponse, body: unknown): Generator<Trap, void, Resume> {
  if (typeof body === 'function') {
    const op: unknown = body(response);
    if (!isOp(op))
      throw typeError(`the function given as body returned ${nameOf(op)}, not an Op; is it a generator function?`);
    yield* op;
    return;
  }
  if (typeof body !== 'object' || body === null)
    throw typeError(`the body of an answer cannot be ${nameOf(body)}: ${ADVICE}`);
  if (response.bodiless) {
    giveUp(body);
    return;
  }
  if (body instanceof Channel) {
    for (let step = yield* body.next(); step.done !== true; step = yield* body.next())
      yield* response.write(step.value as string);
  } else if ('readableFlowing' in body) {
    yield* sendSource(response, fromReadable(body as Readable));
  } else if (typeof (body as Partial<ByteSource>).read === 'function') {
    yield* sendSource(response, body as ByteSource);
  } else if (Symbol.iterator in body) {
    for (const piece of body as Iterable<string>) yield* response.write(piece);
  } else if (Symbol.asyncIterator in body) {
    yield* forEach(body as AsyncIterable<string>, (piece) => response.write(piece));
  } else {
    throw typeError(`the body of an answer cannot be ${nameOf(body)}: ${ADVICE}`);
  }
}

function* sendSource(response: ServerResponse, source: ByteSource): Generator<Trap, void, Resume> {
  try {
    for (let chunk = yield* source.read(); chunk !== null; chunk = yield* source.read()) yield* response.write(chunk);
  } finally {
    giveUp(source);
  }
}
