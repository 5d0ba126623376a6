// cases-lines.ts: reading up to a mark: lines and delimiters that come in pieces, limits, and an end that comes too early.
import type { IncompleteReadError, LineTooLongError } from 'tendril';
import { MIB, patternAt, pour } from './bulk.ts';
import { type Case, ending, pairCase, send, start, text, thrown, told, waiting, when } from './case.ts';

export const readingLines: readonly Case[] = [
  pairCase(
    'reads lines with either end, empty ones too, also if CR and LF come apart',
    ['unix', '', 'dos', '', 'apart', 'cr\rinside', null, null],
    function* (near, far) {
      const reader = start(function* () {
        const lines: unknown[] = [];
        for (let i = 0; i < 8; i += 1) lines.push(yield* near.readLine());
        return lines;
      });
      for (const piece of ['unix\n\ndos\r\n', '\r\nap', 'art\r', '\ncr\rinside\n']) yield* send(far, piece);
      far.end();
      return yield* reader.get();
    },
  ),

  pairCase('puts characters together that come in pieces', ['häuser €', 'h\u00c3\u00a4'], function* (near, far) {
    const bytes = Buffer.from('häuser €\nhä\n');
    const reader = start(function* () {
      return [yield* near.readLine(), yield* near.readLine({ encoding: 'latin1' })];
    });
    for (const byte of bytes) yield* send(far, Uint8Array.of(byte));
    return yield* reader.get();
  }),

  pairCase(
    'reads up to a delimiter of several bytes that comes in pieces',
    ['GET / HTTP', '', 'a\r\n\rb', 'rest'],
    function* (near, far) {
      const reader = start(function* () {
        const got: unknown[] = [];
        for (let i = 0; i < 3; i += 1) got.push(text(yield* near.readUntil('\r\n\r\n')));
        return [...got, text(yield* near.readExactly(4))];
      });
      for (const piece of ['GET / HTTP\r', '\n\r\n\r\n', '\r\na\r\n\rb\r\n', '\r\nrest']) yield* send(far, piece);
      return yield* reader.get();
    },
  ),

  pairCase(
    'refuses a line beyond the limit, with its beginning, and takes nothing of it',
    {
      line: ['LineTooLongError ERR_LINE_TOO_LONG', 8, '012345678'],
      until: 'LineTooLongError ERR_LINE_TOO_LONG',
      got: '0123456789\n',
    },
    function* (near, far) {
      yield* send(far, '0123456789\n');
      yield* when(() => near.buffered === 11);
      const error = (yield* thrown(near.readLine({ limit: 8 }))) as LineTooLongError;
      const until = yield* ending(near.readUntil('\n', { limit: 9 }));
      const line = [told(error), error.limit, error.partial.toString().slice(0, 9)];
      return { line, until, got: text(yield* near.readExactly(11)) };
    },
  ),

  pairCase(
    'refuses a line without an end while the peer is still sending it',
    ['LineTooLongError ERR_LINE_TOO_LONG', 1024, true],
    function* (near, far) {
      const writer = start(() => pour(far, 4 * MIB)); // holds the byte 0xff, which no delimiter here has
      const error = (yield* thrown(near.readUntil(Buffer.of(1, 2, 3, 4, 5, 6, 7, 8)))) as LineTooLongError;
      const intact = error.partial.equals(patternAt(0, 1024));
      near.close();
      yield* writer.join();
      return [told(error), error.partial.length, intact];
    },
  ),

  pairCase(
    'says at an end that comes too early what had come, and leaves it to be read',
    {
      exactly: ['IncompleteReadError ERR_INCOMPLETE_READ', 'no newline', 10, 11],
      line: ['IncompleteReadError ERR_INCOMPLETE_READ', 'no newline', 10, undefined],
      until: ['IncompleteReadError ERR_INCOMPLETE_READ', 'no newline', 10, undefined],
      got: 'no newline',
      nothing: ['IncompleteReadError ERR_INCOMPLETE_READ', '', 0, 1],
    },
    function* (near, far) {
      const told4 = (error: IncompleteReadError): unknown[] => [
        told(error),
        error.partial.toString(),
        error.received,
        error.expected,
      ];
      const reader = yield* waiting(() => near.readExactly(11));
      yield* send(far, 'no ');
      yield* send(far, 'newline');
      far.end();
      return {
        exactly: told4((yield* thrown(reader.get())) as IncompleteReadError),
        line: told4((yield* thrown(near.readLine())) as IncompleteReadError),
        until: told4((yield* thrown(near.readUntil(';'))) as IncompleteReadError),
        got: text(yield* near.readExactly(10)),
        nothing: told4((yield* thrown(near.readExactly(1))) as IncompleteReadError),
      };
    },
  ),
];
