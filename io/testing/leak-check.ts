// leak-check.ts: does a piece of a program leave something behind? For tests with any runner, and for scripts.
//
// It compares what the process holds before and after: greenlets of the hub, our handles, what keeps Node alive, file descriptors, listeners. What has
// been closed takes some turns of the loop to be gone, so it looks again until nothing is left or a short time is over; only what is left costs that time.
//
// Everything that comes into being in between counts, whoever made it: so not for tests that run concurrently in one process.
// Source: the leak checks of gevent's and undici's own tests.

import { typeError } from '../../core/bad-argument.ts';
import { UsageError } from '../../core/errors.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { isOp, nameOf, type Op } from '../../core/op.ts';
import { parkedReport } from '../../core/quiescence.ts';
import { requireMs, sleep } from '../../core/sleep.ts';
import { run } from '../../core/spawn.ts';
import { type Emitters, type Listening, ProcessState } from './process-state.ts';
import { ResourceSites } from './resource-sites.ts';

const { setImmediate } = globalThis;

export interface LeakCheckOptions {
  /** Emitters whose listeners are compared too, by the name to show: `{ pool, server }`. Those of `process` always are. */
  readonly emitters?: Emitters | undefined;
  /** What may be left: matched against `kind name`, such as `resource Timeout` or `listener 'exit' on process: cleanUp`. */
  readonly allow?: readonly RegExp[] | undefined;
  /** How long what was closed may take to be gone; 250 ms if not given. */
  readonly withinMs?: number | undefined;
  /**
   * Follow timers, sockets and the like one by one, through async_hooks, and show where each was made. It makes promises and timers slower meanwhile;
   * `false` counts them instead, which misses one that takes the place of another. True if not given.
   */
  readonly stacks?: boolean | undefined;
}

/** One thing that was left behind. */
export interface Leftover {
  /** `resource` is what keeps Node alive, as `process.getActiveResourcesInfo()` names it. */
  readonly kind: 'greenlet' | 'handle' | 'resource' | 'descriptor' | 'listener';
  readonly name: string;
  /** Where it waits, or was made, as far as that is known; else empty. */
  readonly stack: string;
}

/** Something was left behind. */
export class LeakError extends UsageError {
  override readonly code: string = 'ERR_LEAK';
  readonly leftovers: readonly Leftover[];
  constructor(leftovers: readonly Leftover[]) {
    const things = leftovers.length === 1 ? '1 thing was' : `${leftovers.length} things were`;
    const lines = leftovers.map(({ kind, name, stack }) => `  ${kind} ${name}${stack === '' ? '' : `\n${stack}`}`);
    super([`${things} left behind:`, ...lines].join('\n'));
    this.leftovers = leftovers;
    Object.defineProperty(this, 'leftovers', { enumerable: false });
  }
}

/** Turns of the loop that are waited for before time is. */
const TURNS = 10;

class LeakCheck {
  readonly #options: LeakCheckOptions;
  readonly #withinMs: number;
  #sites: ResourceSites | undefined;
  readonly #before: ProcessState;

  constructor(options: LeakCheckOptions) {
    const { emitters = {}, stacks = true, withinMs = 250, allow = [] } = options;
    this.#options = { emitters, allow };
    this.#withinMs = requireMs(withinMs, 'leakCheck');
    for (const [name, emitter] of Object.entries(emitters))
      if (typeof emitter?.rawListeners !== 'function')
        throw typeError(`leakCheck: emitters.${name} is no EventEmitter but ${nameOf(emitter)}`);
    for (const pattern of allow)
      if (!(pattern instanceof RegExp))
        throw typeError(`leakCheck: allow takes regular expressions, not ${nameOf(pattern)}`);
    // Node opens these when they are first used, and keeps them.
    void [process.stdout, process.stderr];
    this.#sites = stacks ? new ResourceSites() : undefined;
    this.#before = new ProcessState(emitters);
  }

  /** Throw if something is left and stays. */
  async settle(): Promise<void> {
    let left = this.#leftovers();
    for (let turns = 0; left.length > 0 && turns < TURNS; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      left = this.#leftovers();
    }
    for (let ms = 1, spent = 0; left.length > 0 && spent < this.#withinMs; spent += ms, ms *= 2) {
      const pauseMs = Math.min(ms, this.#withinMs - spent);
      await run(() => sleep(pauseMs));
      left = this.#leftovers();
    }
    if (left.length > 0) throw new LeakError(left);
  }

  /** Take back what the check itself has switched on; from here on resources are counted. */
  end(): void {
    this.#sites?.end();
    this.#sites = undefined;
  }

  #leftovers(): Leftover[] {
    const { emitters = {}, allow = [] } = this.#options;
    const before = this.#before;
    const now = new ProcessState(emitters);
    const found: Leftover[] = [
      ...[...now.greenlets].filter((greenlet) => !before.greenlets.has(greenlet)).map(leftGreenlet),
      ...[...now.handles]
        .filter((handle) => !before.handles.has(handle))
        .map((handle) => left('handle', String(handle))),
      ...(this.#sites?.left(now.resources) ?? now.moreResources(before)).map(({ type, stack }) =>
        left('resource', type, stack),
      ),
      ...now.newDescriptors(before).map(([fd, target]) => left('descriptor', `${fd}: ${target}`)),
      ...now.newListeners(before).map((listening) => left('listener', nameOfListener(listening))),
    ];
    return found.filter(({ kind, name }) => !allow.some((pattern) => pattern.test(`${kind} ${name}`)));
  }
}

function left(kind: Leftover['kind'], name: string, stack = ''): Leftover {
  return { kind, name, stack };
}

function leftGreenlet(greenlet: Greenlet): Leftover {
  const [name = greenlet.name, ...frames] = parkedReport([greenlet]).split('\n');
  const site = greenlet.side?.spawnSite?.stack;
  return left('greenlet', name.trim(), [...frames, ...(site === undefined ? [] : [site])].join('\n'));
}

function nameOfListener({ where, listener }: Listening): string {
  // once() wraps it.
  const { listener: wrapped = listener } = listener as { listener?: typeof listener };
  const text = wrapped.name === '' ? String(wrapped).replace(/\s+/g, ' ').slice(0, 80) : wrapped.name;
  return `${where}: ${text}`;
}

/**
 * Remember what this process holds now. The function that is returned checks, any number of times, that nothing has been added: give it to
 * `afterEach`, or await it.
 *
 * It rejects with LeakError (`ERR_LEAK`), which lists what was left. The first check ends the collecting of stacks; from then on resources are counted.
 *
 * @throws TypeError for bad options.
 */
export function leakCheck(options?: LeakCheckOptions): () => Promise<void>;
/**
 * Run `body`, an async function or a greenlet's body, and check that nothing is left behind when it has ended. Resolves with its value.
 *
 * @throws (rejects with) the error of `body`, whatever was left; else LeakError (`ERR_LEAK`). @throws TypeError for bad options.
 */
export function leakCheck<T>(body: () => Op<T> | PromiseLike<T>, options?: LeakCheckOptions): Promise<T>;
export function leakCheck<T>(
  first?: LeakCheckOptions | (() => Op<T> | PromiseLike<T>),
  options: LeakCheckOptions = {},
): (() => Promise<void>) | Promise<T> {
  if (typeof first === 'function') return checkBody(first, new LeakCheck(options));
  const check = new LeakCheck(first ?? {});
  // No parameters: a runner that finds one takes it for a callback.
  return async () => {
    try {
      await check.settle();
    } finally {
      check.end();
    }
  };
}

async function checkBody<T>(body: () => Op<T> | PromiseLike<T>, check: LeakCheck): Promise<T> {
  try {
    const made = body();
    const value = await (isOp(made) ? run(() => made as Op<T>) : (made as PromiseLike<T>));
    await check.settle();
    return value;
  } finally {
    check.end();
  }
}
