// read-buffer.ts: the bytes that have come and have not been read, in one piece, so that they can be searched and cut without care for chunks.
//
// The storage is one of three kinds:
//   OWN     ours: bytes are appended to it, and moved to its front when they no longer fit behind
//   GIVEN   a chunk that was given to us for ever: used where it is, never written to
//   LENT    the host's reused read buffer, for the length of one callback: keep() copies what is left before the callback returns
// So bytes that a waiting reader takes at once are copied once, into the reader's own result, and only what crosses a read is stored.
//
// Each byte is searched once, however many small pieces a line comes in: `#searched` remembers how far a search for `#needle` got.
//
// Invariants, between any two calls:
//   0 <= start <= end <= bytes.length; size is end - start
//   kind LENT  only within one callback of the transport
//   the `searched` bytes from start on do not hold the beginning of a complete `needle`

const OWN = 0;
const GIVEN = 1;
const LENT = 2;

const EMPTY: Buffer = Buffer.alloc(0);
const LEAST_CAPACITY = 1024;
/** A result of at least this size is handed out with its storage instead of being copied, if it is all there is. */
const LEAST_HANDED_OUT = 16_384;
/** From here on the native search is faster than a loop. */
const LEAST_NATIVE_SEARCH = 96;

export class ReadBuffer {
  #bytes: Buffer = EMPTY;
  #start = 0;
  #end = 0;
  #kind = OWN;
  #needle: Uint8Array | number | undefined = undefined;
  #searched = 0;

  get size(): number {
    return this.#end - this.#start;
  }

  /** Add the first `length` bytes of `chunk`. If `lent`, keep() follows in the same callback. */
  add(chunk: Buffer, length: number, lent: boolean): void {
    if (length === 0) return;
    if (this.#start !== this.#end) {
      this.#append(chunk, length);
      return;
    }
    // Lent bytes wait in the host's buffer until keep(): nothing is allocated if a reader takes them.
    this.#bytes = chunk;
    this.#start = 0;
    this.#end = length;
    this.#kind = lent ? LENT : GIVEN;
  }

  /** Copy what is left of a lent buffer. */
  keep(): void {
    if (this.#kind !== LENT) return;
    const { size } = this;
    const lent = this.#bytes;
    const start = this.#start;
    this.#kind = OWN;
    this.#start = 0;
    this.#end = size;
    this.#bytes = size === 0 ? EMPTY : Buffer.allocUnsafe(Math.max(size, LEAST_CAPACITY));
    if (size > 0) lent.copy(this.#bytes, 0, start, start + size);
  }

  /** Put bytes back in front of all others. */
  prepend(bytes: Uint8Array): void {
    const { size } = this;
    const joined = Buffer.allocUnsafe(Math.max(size + bytes.length, LEAST_CAPACITY));
    joined.set(bytes);
    this.#bytes.copy(joined, bytes.length, this.#start, this.#end);
    this.#bytes = joined;
    this.#kind = OWN;
    this.#start = 0;
    this.#end = size + bytes.length;
    this.#searched = 0;
  }

  /** A copy of the first `count` bytes. They stay. */
  peek(count: number): Buffer {
    const copy = Buffer.allocUnsafe(count);
    this.#bytes.copy(copy, 0, this.#start, this.#start + count);
    return copy;
  }

  /** The bytes from `start` to `end`, where they are: good until something is added or taken. */
  view(start: number, end: number): Buffer {
    return this.#bytes.subarray(this.#start + start, this.#start + end);
  }

  /** Take the first `count` bytes, which must be there. The result is the caller's own. */
  take(count: number): Buffer {
    if (count === this.#end - this.#start && this.#mayHandOut(count)) {
      const whole = count === this.#bytes.length ? this.#bytes : this.#bytes.subarray(this.#start, this.#end);
      this.clear();
      return whole;
    }
    const bytes = Buffer.allocUnsafe(count);
    this.#bytes.copy(bytes, 0, this.#start, this.#start + count);
    this.skip(count);
    return bytes;
  }

  /** Take the first `count` bytes as text. */
  takeText(count: number, encoding: 'utf8' | 'latin1'): string {
    const text = this.#bytes.toString(encoding, this.#start, this.#start + count);
    this.skip(count);
    return text;
  }

  skip(count: number): void {
    this.#start += count;
    this.#searched = 0;
    // An empty storage is let go at once: a connection that waits costs nothing for its buffer.
    if (this.#start === this.#end) this.clear();
  }

  /** The byte at `index` from the first one on. */
  at(index: number): number {
    return this.#bytes[this.#start + index] as number;
  }

  /** Where `byte` is, counted from the first byte; -1 if it has not come. */
  indexOfByte(byte: number): number {
    const bytes = this.#bytes;
    const start = this.#start;
    const end = this.#end;
    if (this.#needle !== byte) {
      this.#needle = byte;
      this.#searched = 0;
    }
    let at = start + this.#searched;
    const near = Math.min(end, at + LEAST_NATIVE_SEARCH);
    for (; at < near; at += 1) if (bytes[at] === byte) return at - start;
    if (at < end) {
      // The view ends the search where the data ends: what lies behind it is none of ours.
      const found = bytes.subarray(at, end).indexOf(byte);
      if (found >= 0) return at + found - start;
    }
    this.#searched = end - start;
    return -1;
  }

  /** Where `needle` begins, counted from the first byte; -1 if it has not come whole. */
  indexOf(needle: Uint8Array): number {
    if (needle.length === 1) return this.indexOfByte(needle[0] as number);
    if (this.#needle !== needle) {
      this.#needle = needle;
      this.#searched = 0;
    }
    const from = this.#start + this.#searched;
    const found = this.#bytes.subarray(from, this.#end).indexOf(needle);
    if (found >= 0) return this.#searched + found;
    this.#searched = Math.max(this.#searched, this.size - needle.length + 1);
    return -1;
  }

  /** Drop everything, the storage too. */
  clear(): void {
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
    this.#kind = OWN;
    this.#searched = 0;
  }

  #append(chunk: Buffer, length: number): void {
    const { size } = this;
    if (this.#kind !== OWN || this.#end + length > this.#bytes.length) {
      const roomInFront = this.#kind === OWN && size + length <= this.#bytes.length / 2;
      // Doubling, and moving only into a storage that is half empty, keep the copies linear in the bytes that come.
      const target = roomInFront ? this.#bytes : Buffer.allocUnsafe(Math.max(2 * (size + length), LEAST_CAPACITY));
      this.#bytes.copy(target, 0, this.#start, this.#end);
      this.#bytes = target;
      this.#kind = OWN;
      this.#start = 0;
      this.#end = size;
    }
    chunk.copy(this.#bytes, this.#end, 0, length);
    this.#end += length;
  }

  #mayHandOut(count: number): boolean {
    if (this.#kind === GIVEN) return this.#start === 0;
    return this.#kind === OWN && count >= LEAST_HANDED_OUT && 2 * count >= this.#bytes.length;
  }
}
