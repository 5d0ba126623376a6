// http-sse-parser.ts: bytes of an event stream into events, however they are cut.
//
// Lines end by LF, CR or CR LF; a CR at the end of a chunk may be one half of a CR LF. Bytes become characters line by line, so a character that is cut in
// two is whole again. A byte order mark at the beginning is no part of the first line.
//
// Invariants, between any two calls:
//   #line holds no line end, and at most lineLimit bytes
//   the data lines that were gathered have at most eventLimit characters
// Source: HTML, "Server-sent events", 9.2.6.

import { LineTooLongError, MOST_PARTIAL_BYTES } from './errors.ts';
import { FrameTooLargeError } from './framing-errors.ts';

/** An event that was received. */
export interface ServerEvent {
  /** 'message' if the server does not say. */
  readonly event: string;
  readonly data: string;
  /** The last id that was sent, with this event or before; ''. */
  readonly id: string;
}

const LF = 10;
const CR = 13;

export class EventParser {
  lastEventId = '';
  retryMs: number | undefined = undefined;
  readonly #lineLimit: number;
  readonly #eventLimit: number;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #afterCr = false;
  #first = true;
  #name = '';
  #data: string[] = [];
  #dataSize = 0;

  constructor(lineLimit: number, eventLimit: number) {
    this.#lineLimit = lineLimit;
    this.#eventLimit = eventLimit;
  }

  /** Parse `chunk`, and add the events that end in it to `events`. @throws LineTooLongError @throws FrameTooLargeError */
  push(chunk: Uint8Array, events: ServerEvent[]): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte !== LF && byte !== CR) {
        this.#afterCr = false;
        continue;
      }
      const secondHalf = byte === LF && this.#afterCr;
      this.#afterCr = byte === CR;
      if (!secondHalf) {
        this.#keep(chunk, start, at);
        this.#endLine(events);
      }
      start = at + 1;
    }
    this.#keep(chunk, start, chunk.length);
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    this.#line.push(Buffer.from(chunk.subarray(start, end)));
    this.#lineBytes += end - start;
    if (this.#lineBytes > this.#lineLimit) {
      const partial = Buffer.concat(this.#line).subarray(0, MOST_PARTIAL_BYTES);
      throw new LineTooLongError('an event stream', this.#lineLimit, partial);
    }
  }

  #endLine(events: ServerEvent[]): void {
    let line = this.#line.length === 1 ? String(this.#line[0]) : Buffer.concat(this.#line).toString();
    this.#line = [];
    this.#lineBytes = 0;
    if (this.#first && line.charCodeAt(0) === 0xfeff) line = line.slice(1);
    this.#first = false;
    if (line === '') {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#dataSize += value.length + 1;
      if (this.#dataSize > this.#eventLimit + 1)
        throw new FrameTooLargeError('an event', this.#dataSize - 1, this.#eventLimit);
      this.#data.push(value);
    } else if (field === 'event') this.#name = value;
    else if (field === 'id') {
      if (!value.includes('\0')) this.lastEventId = value;
    } else if (field === 'retry' && /^\d{1,15}$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(events: ServerEvent[]): void {
    if (this.#data.length > 0)
      events.push({ event: this.#name || 'message', data: this.#data.join('\n'), id: this.lastEventId });
    this.#data = [];
    this.#dataSize = 0;
    this.#name = '';
  }
}
