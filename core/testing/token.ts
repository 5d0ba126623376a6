// token.ts: a list of choices as one short word that can be pasted into a test.
//
// `t1.` and then base64url of: pairs of (how many zeros, the next number that is none), each as a varint of 7 bits a byte, lowest first. Trailing zeros
// are left out: what is missing is 0.

import { typeError } from '../bad-argument.ts';

const VERSION = 't1.';
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** A token longer than this list would be a mistake, or an attack. */
const MOST_CHOICES = 10_000_000;

/** The token of `choices`. */
export function encodeChoices(choices: readonly number[]): string {
  const bytes: number[] = [];
  let zeros = 0;
  for (const choice of choices) {
    if (choice === 0) {
      zeros += 1;
      continue;
    }
    pushVarint(bytes, zeros);
    pushVarint(bytes, choice);
    zeros = 0;
  }
  let text = VERSION;
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const letters = Math.min(bytes.length - i, 3) + 1;
    for (let letter = 0; letter < letters; letter += 1) text += ALPHABET[(group >> (18 - 6 * letter)) & 63];
  }
  return text;
}

/** The choices of `token`. @throws TypeError if it is none. */
export function decodeChoices(token: string): number[] {
  if (typeof token !== 'string' || !token.startsWith(VERSION))
    throw typeError(`not a replay token: ${String(token).slice(0, 40)}; one begins with '${VERSION}'`);
  const numbers = varints(bytesOf(token.slice(VERSION.length)));
  const choices: number[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const zeros = numbers[i] as number;
    const choice = numbers[i + 1];
    if (choice === undefined || choices.length + zeros >= MOST_CHOICES) throw damaged();
    for (let zero = 0; zero < zeros; zero += 1) choices.push(0);
    choices.push(choice);
  }
  return choices;
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

function varints(bytes: readonly number[]): number[] {
  const numbers: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte > 127) continue;
    numbers.push(value);
    value = 0;
    scale = 1;
  }
  if (scale !== 1 || !numbers.every(Number.isSafeInteger)) throw damaged();
  return numbers;
}

function bytesOf(text: string): number[] {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i += 4) {
    let group = 0;
    const letters = text.slice(i, i + 4);
    for (let letter = 0; letter < 4; letter += 1) {
      const value = letter < letters.length ? ALPHABET.indexOf(letters[letter] as string) : 0;
      if (value === -1) throw damaged();
      group = group * 64 + value;
    }
    for (let byte = 0; byte < letters.length - 1; byte += 1) bytes.push(Math.floor(group / 2 ** (16 - 8 * byte)) % 256);
  }
  return bytes;
}

function damaged(): TypeError {
  return typeError('the replay token is damaged: copy it whole, from t1. to its end');
}
