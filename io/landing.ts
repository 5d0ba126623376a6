// landing.ts: where the bytes of one connection land when Node reads them.
//
// In the buffer that all connections share, as a rule: the sink copies what it keeps, an idle connection holds nothing. When reads fill that buffer a peer sends in bulk,
// and copying would cost more than memory: then the connection gets a buffer of its own, which is given away with what landed in it, and the next read gets a new one. The
// first read that is not full ends that.
//
// Invariant: `owners` is the number of connections whose next read lands in a buffer of their own, at most MOST_OWNERS.

const READ_SIZE = 65_536;
/** Below this a copy is cheaper than a new buffer. */
const LEAST_GIVEN = READ_SIZE / 2;
/** 32 MiB in all, whatever peers do. */
const MOST_OWNERS = 512;

/** Node calls back before it reads again, so one is enough for all. */
const shared: Buffer = Buffer.allocUnsafeSlow(READ_SIZE);
let owners = 0;

export class Landing {
  /** Where the next read lands. */
  #buffer: Buffer = shared;
  #full = false;

  /** Where the first read lands. */
  get first(): Buffer {
    return this.#buffer;
  }

  /** A read of `length` has landed. Is it lent? If not, it is the sink's for ever. */
  landed(length: number): boolean {
    this.#full = length === READ_SIZE;
    return this.#buffer === shared || length < LEAST_GIVEN;
  }

  /** What Node asks for after each read: where the next one lands. Undefined: the same again. */
  next(): Buffer | undefined {
    const before = this.#buffer;
    // One of its own that was filled was given away.
    if (!this.#full) this.leave();
    else if (before !== shared) this.#buffer = Buffer.allocUnsafeSlow(READ_SIZE);
    else if (owners < MOST_OWNERS) {
      owners += 1;
      this.#buffer = Buffer.allocUnsafeSlow(READ_SIZE);
    }
    return this.#buffer === before ? undefined : this.#buffer;
  }

  /** Have no buffer of its own any more; the connection may be over. */
  leave(): void {
    if (this.#buffer !== shared) owners -= 1;
    this.#buffer = shared;
  }
}
