// sequencer.ts: force the order in which pieces of code in different greenlets run.
//
// Steps are numbered 0, 1, 2, ... One is begun when the one before it is finished. A step is finished when the Op that it was given ends, however it
// does, or else when its greenlet begins its next step, calls release() or ends.
//
// A greenlet that gives up (killed, timed out, its select took another arm) while it waits for its turn breaks the sequence: the steps after it would
// wait for ever. So does nothing else: a step that fails is finished, and its error goes where it belongs.
//
// Invariants, between any two steps of the scheduler:
//   whoever waits, waits for a step after #turn
//   #holder is defined  implies  it is in step #turn and has not ended
//   #broken is defined  implies  nobody waits
// Source: trio.testing.Sequencer.

import { rangeError } from '../bad-argument.ts';
import { requireOp } from '../body.ts';
import { ResourceError, UsageError } from '../errors.ts';
import type { Greenlet } from '../greenlet.ts';
import { requireCaller } from '../hold.ts';
import { readyResult } from '../kernel.ts';
import { nameOf, type Op, type Waitable, type WaitDescription } from '../op.ts';
import { isSettling, whileSettling } from '../settling.ts';
import { LAZY } from '../status.ts';
import { created } from '../unstarted.ts';
import { use } from '../use.ts';
import { Wait } from '../wait.ts';
import type { Waiter } from '../wait-list.ts';

/** A greenlet gave up while it waited for its step: the steps after it will not come. */
export class SequencerBrokenError extends ResourceError {
  override readonly code: string = 'ERR_SEQUENCER_BROKEN';
  constructor(sequencer: string, why: string) {
    super(`${sequencer} is broken: ${why}`);
  }
}

/** An order for pieces of code in several greenlets. One object for one run of the sequence. */
export class Sequencer {
  readonly name: string | undefined;
  #turn = 0;
  #holder: Greenlet | undefined = undefined;
  #broken: string | undefined = undefined;
  readonly #waiters: Map<number, Waiter> = new Map();
  /** Those whose end is listened to already. */
  readonly #known: WeakSet<Greenlet> = new WeakSet();

  constructor(options: { readonly name?: string | undefined } = {}) {
    this.name = options.name;
  }

  /** The step that is under way, or that comes next. */
  get turn(): number {
    return this.#turn;
  }

  /** Has somebody given up while waiting for a step? */
  get broken(): boolean {
    return this.#broken !== undefined;
  }

  /**
   * Wait until step `n - 1` is finished, then begin step `n`. With an Op, run it as this step and return its value; without, the step lasts until
   * this greenlet begins another one, calls `release` or ends. Steps are counted from 0.
   *
   * Switches if it has to wait. Beginning finishes the step that this greenlet is in, also if it then waits. Giving up breaks the sequence.
   *
   * @throws UsageError if step `n` is taken, or over. @throws SequencerBrokenError if somebody has given up, or does while we wait.
   * @throws RangeError if `n` is no whole number from 0 on. @throws TypeError if `op` is no Op. @throws Killed if killed while waiting.
   * @see https://trio.readthedocs.io/en/stable/reference-testing.html#trio.testing.Sequencer
   */
  step(n: number): Waitable<void>;
  step<T>(n: number, op: Op<T>): Op<T>;
  step<T>(n: number, op?: Op<T>): Op<T> | Waitable<void> {
    if (!Number.isInteger(n) || n < 0)
      throw rangeError(`a step of ${this.label()} is a whole number from 0 on, not ${nameOf(n)}`);
    // biome-ignore lint/complexity/noArguments: `step(n, undefined)` is a mistake, `step(n)` is not
    if (arguments.length < 2) return created(new StepWait(this, n));
    requireOp(op, 'step');
    return use({ acquire: () => new StepWait(this, n), release: () => this.#leave(n) }, op as Op<T>);
  }

  /** Finish the step that the current greenlet is in. Never switches. @throws UsageError if it is in none. */
  release(): void {
    const me = requireCaller('release');
    if (this.#holder !== me) throw new UsageError(`${me.name} is in no step of ${this.label()}: ${this.#state()}`);
    this.#finish();
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a sequencer' : `sequencer ${this.name}`;
  }

  /** Begin step `n` if its turn has come. @internal */
  begin(greenlet: Greenlet, n: number): boolean {
    this.#requireWhole();
    this.#requireFree(n);
    const mine = this.#holder === greenlet;
    if (n !== this.#turn + (mine ? 1 : 0)) return false;
    this.#turn = n;
    this.#hold(greenlet);
    readyResult.value = undefined;
    return true;
  }

  /** @internal */
  enlist(waiter: Waiter, n: number): void {
    this.#requireFree(n);
    this.#waiters.set(n, waiter);
    if (this.#holder === waiter.owner()) this.#finish();
  }

  /** @internal */
  retract(waiter: Waiter, n: number): void {
    this.#waiters.delete(n);
    if (this.#broken !== undefined) return;
    const why = `${waiter.owner().name} gave up waiting for step ${n}`;
    this.#broken = why;
    whileSettling([waiter.owner()], () => this.#refuseAll(why));
  }

  /** @internal */
  describe(n: number): WaitDescription {
    return { op: `step ${n}`, object: `${this.label()} (${this.#state()})`, holder: this.#holder };
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    for (const n of this.#waiters.keys())
      if (n <= this.#turn) throw new Error(`${this.label()}: step ${n} is waited for at step ${this.#turn}`);
    if (this.#broken !== undefined && this.#waiters.size > 0)
      throw new Error(`${this.label()}: somebody waits though it is broken`);
    if (this.#holder?.state === 'done')
      throw new Error(`${this.label()}: the greenlet in step ${this.#turn} has ended`);
  }

  #state(): string {
    const where = this.#holder === undefined ? 'nobody is in' : `${this.#holder.name} is in`;
    return `${where} step ${this.#turn}`;
  }

  #requireWhole(): void {
    if (this.#broken !== undefined) throw new SequencerBrokenError(this.label(), this.#broken);
  }

  #requireFree(n: number): void {
    let why: string | undefined;
    if (n < this.#turn) why = 'is over';
    else if (n === this.#turn && this.#holder !== undefined) why = `is taken by ${this.#holder.name}`;
    else if (this.#waiters.has(n)) why = `is taken by ${this.#waiters.get(n)?.owner().name}, which waits for it`;
    if (why !== undefined)
      throw new UsageError(
        `step ${n} of ${this.label()} ${why}: a number is given once; make a new Sequencer to repeat`,
      );
  }

  #hold(greenlet: Greenlet): void {
    this.#holder = greenlet;
    if (this.#known.has(greenlet)) return;
    this.#known.add(greenlet);
    greenlet.onEnd(() => {
      if (this.#holder === greenlet) this.#finish();
    });
  }

  /** The Op of step `n` has ended; the step may have been finished inside it. */
  #leave(n: number): void {
    if (this.#turn === n && this.#holder !== undefined) this.#finish();
  }

  #finish(): void {
    this.#turn += 1;
    this.#holder = undefined;
    const next = this.#waiters.get(this.#turn);
    if (next === undefined) return;
    this.#waiters.delete(this.#turn);
    this.#hold(next.owner());
    next.fire(undefined, 0);
  }

  // One whose wait is being decided is left: it is about to be retracted.
  #refuseAll(why: string): void {
    for (const [n, waiter] of [...this.#waiters]) {
      // An earlier one may have retracted it.
      if (this.#waiters.get(n) !== waiter || isSettling(waiter)) continue;
      this.#waiters.delete(n);
      waiter.fire(() => new SequencerBrokenError(this.label(), why), LAZY);
    }
  }
}

class StepWait extends Wait<void> {
  readonly #sequencer: Sequencer;
  readonly #n: number;
  constructor(sequencer: Sequencer, n: number) {
    super();
    this.#sequencer = sequencer;
    this.#n = n;
  }
  look(greenlet: Greenlet): boolean {
    return this.#sequencer.begin(greenlet, this.#n);
  }
  enlist(waiter: Waiter): void {
    this.#sequencer.enlist(waiter, this.#n);
  }
  retract(waiter: Waiter): void {
    this.#sequencer.retract(waiter, this.#n);
  }
  describe(): WaitDescription {
    return this.#sequencer.describe(this.#n);
  }
}
