// message.ts: what a mail looks like on the wire: headers that nobody can break out of, and the form in which DATA carries a text.
//
// DATA ends in a line that is a single dot. So every line that begins with one gets a second, and every line end becomes CRLF: a bare LF or CR, which
// some servers take for a line end and some do not, is how a second mail is smuggled behind a first.
// Sources: RFC 5321 4.5.2 (transparency), RFC 5322 (headers), RFC 2047 (encoded words).

import { randomUUID } from 'node:crypto';

const CR = 13;
const LF = 10;
const DOT = 46;
/** Without its CRLF. */
const LONGEST_LINE = 998;
/** An encoded word has at most 75 characters; '=?utf-8?B?' and '?=' are 12 of them, and 45 bytes make 60 of base64. */
const WORD_BYTES = 45;

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
}

/**
 * Make a plain-text message. The text may hold anything; it is sent as base64.
 *
 * @throws TypeError for a header that holds a line break or NUL: it would become two.
 */
export function compose({ from, to, subject, text }: Mail): string {
  const headers: Record<string, string> = {
    From: from,
    To: to.join(', '),
    Subject: encoded(subject),
    Date: new Date().toUTCString().replace('GMT', '+0000'),
    'Message-ID': `<${randomUUID()}@${from.slice(from.lastIndexOf('@') + 1) || 'localhost'}>`,
    'MIME-Version': '1.0',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Transfer-Encoding': 'base64',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${checkHeader(name, value)}`);
  const body = Buffer.from(text.replace(/\r?\n/g, '\r\n')).toString('base64');
  return [...lines, '', ...(body.match(/.{1,76}/g) ?? []), ''].join('\r\n');
}

function checkHeader(name: string, value: string): string {
  // Our own folds are the only line breaks that may be in a header.
  const unfolded = value.replaceAll('\r\n ', '');
  if (/[^\t\P{Cc}]/u.test(unfolded)) throw new TypeError(`${name} must not hold line breaks or NUL`);
  return value;
}

function encoded(text: string): string {
  if (/^\p{ASCII}*$/u.test(text) && text.length <= 78) return text;
  const words: string[] = [];
  let word = '';
  for (const character of text) {
    if (Buffer.byteLength(word + character) > WORD_BYTES) {
      words.push(word);
      word = '';
    }
    word += character;
  }
  return [...words, word].map((part) => `=?utf-8?B?${Buffer.from(part).toString('base64')}?=`).join('\r\n ');
}

/**
 * The bytes that DATA sends for `message`, with the final dot.
 *
 * @throws RangeError for a line of more than 998 bytes, which servers may cut.
 */
export function dotStuffed(message: string | Uint8Array): Buffer {
  const bytes = typeof message === 'string' ? Buffer.from(message) : message;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = at;
    while (end < bytes.length && bytes[end] !== CR && bytes[end] !== LF) end += 1;
    if (end - at > LONGEST_LINE)
      throw new RangeError(`a line of a mail has at most ${LONGEST_LINE} bytes, not ${end - at}`);
    if (bytes[at] === DOT) pieces.push(Buffer.from('.'));
    pieces.push(bytes.subarray(at, end), Buffer.from('\r\n'));
    at = end + (bytes[end] === CR && bytes[end + 1] === LF ? 2 : 1);
  }
  pieces.push(Buffer.from('.\r\n'));
  return Buffer.concat(pieces);
}
