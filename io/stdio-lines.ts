// stdio-lines.ts: the lines of a text, one after the other: of a terminal, a file, a log, what another program prints.
//
// Unlike readLine, which is for protocols, the end of the text ends a line too: many files lack the last newline, and `printf a | program` is no error.
//
// Each next() is one wait that takes a line or nothing, so it can be an arm of a select, and a kill or a timeout loses nothing.

import { typeError } from '../core/bad-argument.ts';
import { MappedWait } from '../core/mapped.ts';
import type { Waitable } from '../core/op.ts';
import { created } from '../core/unstarted.ts';
import { checkOptions, own, ownCount, shownValue } from './address.ts';
import { type Attempt, type Inbound, result, TAKEN } from './inbound.ts';
import type { ReadBuffer } from './read-buffer.ts';
import { ReadLine, type TextEncoding } from './reads.ts';
import { type ReadLineOptions, Socket } from './socket.ts';

const DEFAULT_LIMIT = 65_536;

/** One line, which the end of the stream ends too; null at the end. */
export class ReadTextLine extends ReadLine {
  readonly #encoding: TextEncoding;

  constructor(inbound: Inbound, limit: number, encoding: TextEncoding) {
    super(inbound, limit, encoding);
    this.#encoding = encoding;
  }

  protected override missing(buffer: ReadBuffer, ended: boolean): Attempt {
    const { size } = buffer;
    if (!ended || size === 0 || size > this.limit) return super.missing(buffer, ended);
    result.value = buffer.takeText(size, this.#encoding);
    return TAKEN;
  }
}

/** What `lines` gives. */
export class Lines {
  readonly #next: MappedWait<string | null, IteratorResult<string, undefined>>;

  /** @internal: lines() makes them. */
  constructor(source: Socket, limit: number, encoding: TextEncoding) {
    this.#next = new MappedWait(new ReadTextLine(source.inbound, limit, encoding), {
      value: (line) => (line === null ? { done: true, value: undefined } : { done: false, value: line }),
      recover: () => undefined,
    });
  }

  /**
   * Wait for the next line, without its LF or CR LF: `{done: false, value}`, or `{done: true}` at the end.
   *
   * Switches only if none is buffered. If it throws, nothing was taken.
   *
   * @throws LineTooLongError if it has more than `limit` bytes. Otherwise as `socket.read`.
   */
  next(): Waitable<IteratorResult<string, undefined>> {
    return created(this.#next);
  }
}

/** Check the arguments of `lines` and `question`. @internal */
export function lineOptions(
  options: unknown,
  where: string,
): { readonly limit: number; readonly encoding: TextEncoding } {
  const given = checkOptions(options, where);
  const encoding = own<TextEncoding>(given, 'encoding') ?? 'utf8';
  if (encoding !== 'utf8' && encoding !== 'latin1') {
    throw typeError(`${where}: encoding must be 'utf8' or 'latin1', not ${shownValue(encoding)}`);
  }
  return { limit: ownCount(given, 'limit', DEFAULT_LIMIT, 0, where), encoding };
}

/** The lines of `source`, for forEach. @internal */
export function linesOf(source: unknown, options: ReadLineOptions | undefined): Lines {
  if (!(source instanceof Socket)) throw typeError(`lines takes a Socket, not ${shownValue(source)}`);
  const { limit, encoding } = lineOptions(options, 'lines');
  return new Lines(source, limit, encoding);
}
