// timers.ts: what is due when. A 4-ary heap whose entries know their place, so that cancel costs O(log n) and leaves nothing behind.
//
// A timer that is armed with a delay first waits in the list of fresh timers. It gets its base time at the next clock reading
// (`settle`), so that arming reads no clock, a timer is never early, and one that is cancelled in the slice that armed it never
// touches the heap: nearly all timeouts go that way.
//
// Order: by deadline, then by arming. The deadlines stand in an array of their own beside the heap, and the delays in one beside the fresh ones: a
// comparison then reads two numbers that lie side by side, and a timer holds no double, which the engine would box in an object of its own.
//
// Invariants, between any two steps:
//   timer.slot >= 0   implies  heap[timer.slot] is timer and keys[timer.slot] is its deadline
//   timer.slot <= -2  implies  fresh[-2 - timer.slot] is timer and delays[-2 - timer.slot] is its delay
//   timer.slot is -1  if and only if it is not armed

export interface Timer {
  /** Arming order, for ties. */
  order: number;
  slot: number;
  /** Called from the turn when it is due; it is no longer armed then. */
  due(): void;
}

const UNARMED = -1;

export class TimerQueue {
  readonly #heap: Timer[] = [];
  readonly #keys: number[] = [];
  readonly #fresh: Timer[] = [];
  readonly #delays: number[] = [];
  #armed = 0;

  get size(): number {
    return this.#heap.length + this.#fresh.length;
  }

  /** Arm `timer` to be due `delayMs` after now, where now is read later. */
  arm(timer: Timer, delayMs: number): void {
    timer.order = this.#armed++;
    timer.slot = -2 - this.#fresh.length;
    this.#fresh.push(timer);
    this.#delays.push(delayMs);
  }

  /** Arm `timer` for a point in time. */
  armAt(timer: Timer, deadlineMs: number): void {
    timer.order = this.#armed++;
    this.insert(timer, deadlineMs);
  }

  /** Disarm `timer`; nothing happens if it is not armed. */
  cancel(timer: Timer): void {
    const { slot } = timer;
    if (slot === UNARMED) return;
    timer.slot = UNARMED;
    if (slot < UNARMED) {
      const index = -2 - slot;
      const last = this.#fresh.pop() as Timer;
      const delayMs = this.#delays.pop() as number;
      if (last !== timer) {
        this.#fresh[index] = last;
        this.#delays[index] = delayMs;
        last.slot = slot;
      }
      return;
    }
    const last = this.#heap.pop() as Timer;
    const key = this.#keys.pop() as number;
    if (last === timer) return;
    this.sink(this.rise(slot, last, key), last, key);
  }

  /** Give every fresh timer its base time. */
  settle(nowMs: number): void {
    const fresh = this.#fresh;
    if (fresh.length === 0) return;
    for (let i = 0; i < fresh.length; i += 1) this.insert(fresh[i] as Timer, (this.#delays[i] as number) + nowMs);
    fresh.length = 0;
    this.#delays.length = 0;
  }

  /** When the first one is due; Infinity if there is none. Fresh timers must have been settled. */
  earliestMs(): number {
    return this.#keys[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Call `due` of each timer whose deadline is at or before `nowMs`, in order. */
  fireDue(nowMs: number): void {
    while (this.#heap.length > 0 && (this.#keys[0] as number) <= nowMs) {
      const timer = this.#heap[0] as Timer;
      this.cancel(timer);
      timer.due();
    }
  }

  private insert(timer: Timer, deadlineMs: number): void {
    const slot = this.#heap.length;
    this.#heap.push(timer);
    this.#keys.push(deadlineMs);
    this.rise(slot, timer, deadlineMs);
  }

  /** Put `timer` into the hole at `from`, or higher up; returns where it is. */
  private rise(from: number, timer: Timer, key: number): number {
    const heap = this.#heap;
    const keys = this.#keys;
    let slot = from;
    while (slot > 0) {
      const up = (slot - 1) >> 2;
      const parentKey = keys[up] as number;
      const parent = heap[up] as Timer;
      if (key > parentKey || (key === parentKey && timer.order > parent.order)) break;
      heap[slot] = parent;
      keys[slot] = parentKey;
      parent.slot = slot;
      slot = up;
    }
    heap[slot] = timer;
    keys[slot] = key;
    timer.slot = slot;
    return slot;
  }

  /** Let `timer`, which is at `from`, sink to where it belongs. */
  private sink(from: number, timer: Timer, key: number): void {
    const heap = this.#heap;
    const keys = this.#keys;
    const { length } = heap;
    let slot = from;
    for (let first = slot * 4 + 1; first < length; first = slot * 4 + 1) {
      let least = first;
      let leastKey = keys[first] as number;
      const end = Math.min(first + 4, length);
      for (let child = first + 1; child < end; child += 1) {
        const childKey = keys[child] as number;
        if (childKey > leastKey) continue;
        if (childKey === leastKey && (heap[child] as Timer).order > (heap[least] as Timer).order) continue;
        least = child;
        leastKey = childKey;
      }
      const child = heap[least] as Timer;
      if (leastKey > key || (leastKey === key && child.order > timer.order)) break;
      heap[slot] = child;
      keys[slot] = leastKey;
      child.slot = slot;
      slot = least;
    }
    heap[slot] = timer;
    keys[slot] = key;
    timer.slot = slot;
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.#heap.forEach((timer, slot) => {
      if (timer.slot !== slot) throw new Error('timers: an entry does not know its place');
      if (slot > 0 && this.before(slot, (slot - 1) >> 2)) throw new Error('timers: heap order is broken');
    });
    this.#fresh.forEach((timer, index) => {
      if (timer.slot !== -2 - index) throw new Error('timers: a fresh entry does not know its place');
    });
  }

  private before(a: number, b: number): boolean {
    const [first, second] = [this.#keys[a] as number, this.#keys[b] as number];
    return first < second || (first === second && (this.#heap[a] as Timer).order < (this.#heap[b] as Timer).order);
  }
}
