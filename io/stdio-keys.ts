// stdio-keys.ts: what a terminal sends when a key is pressed, and which key that was.
//
// A terminal in raw mode sends a character, a control character, or an escape sequence. The escape key itself sends the byte that every sequence begins with:
// only what follows, or that nothing does, tells them apart. Bytes are taken only when a whole key is there.
//
// Names are those of node:readline ('up', 'return', 'f1', ...), and the character itself where that has none.
// Sources: ECMA-48 (CSI, SS3), xterm's ctlseqs, node:internal/readline/utils.

import { InternalError } from '../core/errors.ts';
import { type Attempt, type Inbound, MORE, ReadWait, result, TAKEN } from './inbound.ts';
import type { ReadBuffer } from './read-buffer.ts';

/** A key that was pressed. */
export interface Key {
  /** 'a', '7', 'é', 'space', 'return', 'escape', 'up', 'f1', ...; '' for a sequence that is not known. Letters are small: see `shift`. */
  readonly name: string;
  /** What the terminal sent. */
  readonly sequence: string;
  readonly ctrl: boolean;
  /** Alt, on most keyboards. */
  readonly meta: boolean;
  readonly shift: boolean;
}

/** More than this belongs to no sequence. */
const LONGEST_SEQUENCE = 32;
const ESCAPE = 0x1b;

const LETTERS: Readonly<Record<string, string>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  E: 'clear',
  F: 'end',
  H: 'home',
  P: 'f1',
  Q: 'f2',
  R: 'f3',
  S: 'f4',
  Z: 'tab',
};
const NUMBERS: Readonly<Record<string, string>> = Object.fromEntries([
  ...['home', 'insert', 'delete', 'end', 'pageup', 'pagedown', 'home', 'end'].map((name, i) => [i + 1, name]),
  ...[11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24].map((code, i) => [code, `f${i + 1}`]),
]);
const CONTROLS: Readonly<Record<number, string>> = {
  8: 'backspace',
  9: 'tab',
  10: 'enter',
  13: 'return',
  27: 'escape',
  32: 'space',
  127: 'backspace',
};

/** A key and how many bytes it takes. */
interface Decoded {
  readonly key: Key;
  readonly length: number;
}

/** The key that `bytes`, of which there is at least one, begin with. Undefined if more have to come; never if `complete`. */
export function decodeKey(bytes: Buffer, complete: boolean): Decoded | undefined {
  if (bytes[0] !== ESCAPE) return plainKey(bytes, complete);
  const second = bytes[1];
  if (second === undefined) return complete ? decoded(bytes, 1, 'escape') : undefined;
  if (second === 0x5b || second === 0x4f) {
    const sequence = escapeSequence(bytes, complete);
    if (sequence !== 'none') return sequence;
  }
  if (second === ESCAPE) return decoded(bytes, 1, 'escape');
  // Alt sends an escape before what the key sends without it.
  const plain = plainKey(bytes.subarray(1), complete);
  return plain && decoded(bytes, plain.length + 1, plain.key.name, { ...plain.key, meta: true });
}

type Modifiers = Partial<Pick<Key, 'ctrl' | 'meta' | 'shift'>>;

function decoded(bytes: Buffer, length: number, name: string, modifiers: Modifiers = {}): Decoded {
  const { ctrl = false, meta = false, shift = false } = modifiers;
  return { key: { name, sequence: bytes.toString('utf8', 0, length), ctrl, meta, shift }, length };
}

/** A key that needs no escape. */
function plainKey(bytes: Buffer, complete: boolean): Decoded | undefined {
  const first = bytes[0] as number;
  const name = CONTROLS[first];
  if (name !== undefined) return decoded(bytes, 1, name);
  if (first === 0) return decoded(bytes, 1, 'space', { ctrl: true });
  if (first < 27) return decoded(bytes, 1, String.fromCharCode(first + 96), { ctrl: true });
  if (first < 32) return decoded(bytes, 1, String.fromCharCode(first + 64), { ctrl: true });
  if (first < 128) {
    const character = String.fromCharCode(first);
    const shift = character >= 'A' && character <= 'Z';
    return decoded(bytes, 1, shift ? character.toLowerCase() : character, { shift });
  }
  const length = first >= 0xf5 || first < 0xc2 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const character = bytes.toString('utf8', 0, length);
  if (!character.includes('\ufffd')) return decoded(bytes, length, character);
  const rest = bytes.subarray(1, length);
  if (!complete && rest.length < length - 1 && rest.every((byte) => byte >= 0x80 && byte < 0xc0)) return undefined;
  // Broken text: each byte is a key that nobody knows.
  return decoded(bytes, 1, '');
}

/** `ESC [ parameters final` or `ESC O final`; 'none' if it is neither. */
function escapeSequence(bytes: Buffer, complete: boolean): Decoded | undefined | 'none' {
  const end = Math.min(bytes.length, LONGEST_SEQUENCE);
  // The Linux console sends `ESC [ [ A` for F1.
  let at = bytes[2] === 0x5b ? 3 : 2;
  while (at < end && (bytes[at] as number) >= 0x20 && (bytes[at] as number) < 0x40) at += 1;
  if (at >= end) return complete || end === LONGEST_SEQUENCE ? 'none' : undefined;
  const final = bytes[at] as number;
  if (final < 0x40 || final > 0x7e) return 'none';
  const letter = String.fromCharCode(final);
  const parameters = bytes.toString('latin1', 2, at);
  if (parameters === '[') return decoded(bytes, at + 1, letter <= 'E' ? `f${final - 0x40}` : '');
  const [code = '', modifier = '1'] = parameters.split(';');
  const bits = Math.max(Number(modifier) - 1, 0);
  return decoded(bytes, at + 1, (letter === '~' ? NUMBERS[code] : LETTERS[letter]) ?? '', {
    shift: (bits & 1) !== 0 || letter === 'Z',
    meta: (bits & 10) !== 0,
    ctrl: (bits & 4) !== 0,
  });
}

/** Wait for a key; null at the end. */
export class ReadKey extends ReadWait<Key | null> {
  readonly op: string = 'readKey';
  readonly need = 1;
  /** Nothing more belongs to what has come. */
  readonly #complete: boolean;

  constructor(inbound: Inbound, complete: boolean) {
    super(inbound);
    this.#complete = complete;
  }

  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    const { size } = buffer;
    if (size === 0) {
      if (!ended) return MORE;
      result.value = null;
      return TAKEN;
    }
    const found = decodeKey(buffer.peek(Math.min(size, LONGEST_SEQUENCE)), ended || this.#complete);
    if (found === undefined) return MORE;
    buffer.skip(found.length);
    result.value = found.key;
    return TAKEN;
  }

  refusal(): () => Error {
    throw new InternalError('readKey was refused, but it takes whatever there is');
  }
}
