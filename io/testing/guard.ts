// guard.ts: notices when code in a simulated world opens something of the real one: a timer, a socket, a file, a child process.
//
// What comes from there comes at another moment in each run, so no seed repeats the run, and a timer that outlives its world fires in the next one. Node tells of
// everything that is opened through async_hooks. The hook is enabled once and looks at two fields as long as no world is entered, so it can stay on for
// a whole exploration; a run costs the two calls.
//
// Blamed is what is opened by a step of a simulated world, or by its callbacks, while the guard is in it. Not what a promise does later: an outside
// wait (`until`) is seen by the world itself. Nothing may be thrown in a hook, so the error is kept for `leave`, which also closes what can be closed.
//
// Invariant: the hook is enabled, and `strict` traps are in place, from the constructor to close().

/// <reference lib="esnext.disposable" preserve="true" />

import { AsyncResource, createHook } from 'node:async_hooks';
import { typeError } from '../../core/bad-argument.ts';
import { UsageError } from '../../core/errors.ts';
import { kernel } from '../../core/kernel.ts';
import { nameOf } from '../../core/op.ts';
import type { Scheduler } from '../../core/scheduler.ts';
import { VirtualDriver } from '../../core/testing/virtual-driver.ts';
import { trapHost } from './host-traps.ts';
import { framesOf, type OpeningStack, takeStack } from './opening-stack.ts';
import { closeRealHandle, isHarmless, kindOf, notReal } from './real-handles.ts';

export interface GuardOptions {
  /** Types of resources that may be opened, as Node names them: `['Timeout', 'FSREQCALLBACK']`. */
  readonly allow?: readonly string[] | undefined;
  /** Trap `Math.random`, `performance.now` and reading the time by `Date` too: they throw where they are called. */
  readonly strict?: boolean | undefined;
}

/** Code in a simulated world opened something of the real one, or asked for its time or its random numbers. */
export class RealHandleError extends UsageError {
  override readonly code: string = 'ERR_REAL_HANDLE';
  /** What Node calls it, such as `Timeout` or `TCPWRAP`; or the function that was called. */
  readonly type: string;
  /** The name of the greenlet, or `a callback`. */
  readonly greenlet: string;
  constructor(type: string, greenlet: string, message: string) {
    super(message);
    this.type = type;
    this.greenlet = greenlet;
  }
}

interface Opened {
  readonly type: string;
  readonly greenlet: string;
  readonly resource: object;
  readonly site: OpeningStack;
}

/** From here on stacks are not taken any more; what is opened is closed all the same. */
const MOST_STACKS = 1000;

/** Watches over simulated worlds, one run after the other. */
export class Guard {
  readonly #ignored: ReadonlySet<string>;
  readonly #hook: { disable(): unknown };
  readonly #untrap: (() => void) | undefined;
  #entered = false;
  #world: Scheduler | undefined = undefined;
  #opened: Opened[] = [];
  /** How many of `#opened` have been judged, and the first that is an error. */
  #judged = 0;
  #error: RealHandleError | undefined = undefined;

  /** Begin to watch. To be closed, or the hook stays on. @throws TypeError if `allow` is no array of names. */
  constructor(options: GuardOptions = {}) {
    const { allow = [], strict = false } = options;
    if (!Array.isArray(allow) || allow.some((type) => typeof type !== 'string'))
      throw typeError(`a guard's allow is an array of type names such as 'Timeout', not ${nameOf(allow)}`);
    this.#ignored = new Set([...notReal, ...allow]);
    const callbacks = {
      init: (_id: number, type: string, _trigger: number, resource: object): void => {
        if (this.#entered && !this.#ignored.has(type) && this.#inWorld()) this.#note(type, resource);
      },
      // Where Node knows it, promises then cost nothing. Elsewhere it is not read.
      trackPromises: false,
    };
    this.#hook = createHook(callbacks).enable();
    this.#untrap = strict
      ? trapHost(
          () => this.#entered && this.#inWorld(),
          (called) => this.#trapped(called),
        )
      : undefined;
  }

  /**
   * A run begins. Blamed is `world`; any simulated world if none is given.
   *
   * @throws UsageError if the last run was not left.
   */
  enter(world?: Scheduler): void {
    if (this.#entered) throw new UsageError('a guard was entered twice: leave() it after each run');
    this.#entered = true;
    this.#world = world;
  }

  /** The error of this run so far: the first thing that was opened. */
  get found(): RealHandleError | undefined {
    while (this.#error === undefined && this.#judged < this.#opened.length) {
      this.#error = judge(this.#opened[this.#judged] as Opened);
      this.#judged += 1;
    }
    return this.#error;
  }

  /** The run is over: close what it opened, as far as that can be closed, and return the error, if there is one. */
  leave(): RealHandleError | undefined {
    this.#entered = false;
    this.#world = undefined;
    if (this.#opened.length === 0 && this.#error === undefined) return undefined;
    const error = this.found;
    for (const { type, resource, site } of this.#opened.splice(0)) {
      const frames = framesOf(site);
      if (!isHarmless(type, resource, frames)) closeRealHandle(type, resource, frames);
    }
    this.#judged = 0;
    this.#error = undefined;
    return error;
  }

  /** Stop watching: the hook is disabled and the traps are taken out. Idempotent. */
  close(): void {
    this.leave();
    this.#hook.disable();
    this.#untrap?.();
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #inWorld(): boolean {
    const { scheduler } = kernel;
    if (scheduler === undefined) return false;
    return this.#world === undefined ? scheduler.driver instanceof VirtualDriver : scheduler === this.#world;
  }

  // In a hook: what throws here ends the process.
  #note(type: string, resource: object): void {
    if (resource instanceof AsyncResource) return;
    const site = this.#opened.length < MOST_STACKS ? takeStack() : {};
    this.#opened.push({ type, greenlet: whoRuns(), resource, site });
  }

  #trapped(called: string): RealHandleError {
    const who = whoRuns();
    const error = new RealHandleError(
      called,
      who,
      `${who} called ${called} inside a simulation, where the answer is another one in each run: use now() of tendril, or world.choose()`,
    );
    this.#error ??= error;
    return error;
  }
}

function whoRuns(): string {
  return kernel.current === kernel.nobody ? 'a callback' : kernel.current.name;
}

function judge({ type, greenlet, resource, site }: Opened): RealHandleError | undefined {
  const frames = framesOf(site);
  if (isHarmless(type, resource, frames)) return undefined;
  const { what, instead } = kindOf(type);
  const error = new RealHandleError(
    type,
    greenlet,
    `${greenlet} opened ${what} of the real world (${type}) inside a simulation: ${instead}, or allow '${type}'`,
  );
  error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}
