// explore.ts: run a body under many schedules and faults; when one fails, make it simple and say how to repeat it.
//
// Each run is a world of its own and a list of choices. The first failure ends the exploration: its list is shrunk, played once more with a trace, and
// thrown as one error with the line that replays it. Every 50th run is repeated from its list; if that goes otherwise, something in the body decides
// outside the list (a real clock, random numbers of its own, state kept between runs), and no replay could be trusted.
//
// Sources: FoundationDB's simulation (one seeded world), Coyote and Shuttle (portfolio of schedulers), Hypothesis (shrinking a list of choices).

import { rangeError, typeError } from '../bad-argument.ts';
import type { Op } from '../op.ts';
import { ExplorationError, NondeterminismError } from './errors.ts';
import { checkLimit, checkPlay, type PlayLimits } from './limits.ts';
import { type Outcome, type PlayOptions, play } from './play.ts';
import { Recording, Replay } from './recording.ts';
import { PORTFOLIO, type Schedule, Schedules } from './schedules.ts';
import { shrink } from './shrink.ts';
import type { Strategy } from './strategies.ts';
import { decodeChoices, encodeChoices } from './token.ts';
import { Trace } from './trace.ts';
import { World } from './world.ts';

export interface ReplayOptions extends PlayLimits {
  /** What to make of greenlets that are left parked for ever when the body has returned; `fail` if not given. */
  readonly leaks?: 'fail' | 'ignore' | undefined;
}

export interface ExploreOptions extends ReplayOptions {
  /** How many runs; 1,000 if not given. */
  readonly seeds?: number | undefined;
  /** Where the seeds begin; 1 if not given. The same number explores the same runs. */
  readonly seed?: number | undefined;
  /** Ways to choose schedules, used in turns: half random, the rest PCT 3 and 4, if not given. */
  readonly schedulers?: readonly Schedule[] | undefined;
  /** How many runs may be spent on making a failure simple; 1,000 if not given. */
  readonly maxShrinks?: number | undefined;
  /** Play this one run, as printed by a failure, and nothing else. */
  readonly replay?: string | undefined;
}

/** What an exploration did that found nothing. */
export interface ExploreReport {
  readonly runs: number;
  /** How many of the runs differed from all others. */
  readonly distinct: number;
  /** Choices made, over all runs. */
  readonly choices: number;
  /** An exhaustive search came to its end. */
  readonly complete: boolean;
}

/** What runs around an exploration, for hosts: a guard against real handles, a pause for the event loop. @internal */
export interface ExploreHost<W extends World> {
  readonly makeWorld: PlayOptions<W>['makeWorld'];
  /** Around each run; returns an error if the run did what it must not. */
  readonly guard?: { readonly found: Error | undefined; enter(): void; leave(): Error | undefined } | undefined;
  /** Let the host's ticks happen. Called every so many runs too. */
  readonly pause?: (() => Promise<void>) | undefined;
  readonly hold?: PlayOptions<W>['hold'];
}

const REPEAT_EVERY = 50;
const PAUSE_EVERY = 256;

/** Play the one run that `token` stands for, on `host`; see io/testing/simulate.ts. @internal */
export async function replayIn<T, W extends World>(
  token: string,
  body: (world: W) => Op<T>,
  options: ReplayOptions,
  host: ExploreHost<W>,
): Promise<T> {
  check(body, options, 'replay');
  const choices = decodeChoices(token);
  await null; // never inside a step of another scheduler
  const { outcome } = await new Exploration(body, options, host).play(new Replay(choices));
  if (outcome.failure !== undefined) throw outcome.failure.error;
  return outcome.value as T;
}

/** Play `body` under many schedules, on `host`; see io/testing/simulate.ts. @internal */
export async function exploreIn<W extends World>(
  body: (world: W) => Op<unknown>,
  options: ExploreOptions,
  host: ExploreHost<W>,
): Promise<ExploreReport> {
  check(body, options, 'explore');
  const { seeds = 1000, seed = 1, schedulers = PORTFOLIO, replay: token } = options;
  if (!Number.isInteger(seeds) || seeds < 1)
    throw rangeError(`explore: seeds is a positive whole number, not ${seeds}`);
  if (!Number.isSafeInteger(seed)) throw typeError(`explore: seed is a whole number, not ${String(seed)}`);
  const schedules = new Schedules(schedulers, seed);
  await null; // never inside a step of another scheduler
  const exploration = new Exploration(body, options, host);
  if (token === undefined) return exploration.run(schedules, seeds);
  const played = await exploration.play(new Replay(decodeChoices(token)));
  if (played.outcome.failure !== undefined) throw await exploration.found(played, 1, 0);
  return { runs: 1, distinct: 1, choices: played.recording.taken.length, complete: false };
}

/** As `exploreIn`, in worlds without a network: for the kernel alone. @internal */
export function explore(body: (world: World) => Op<unknown>, options: ExploreOptions = {}): Promise<ExploreReport> {
  return exploreIn(body, options, { makeWorld: (...args) => new World(...args) });
}

function check(body: unknown, options: ExploreOptions, taker: string): void {
  checkPlay(body, options, taker);
  const { leaks, maxShrinks } = options;
  checkLimit(maxShrinks, `${taker}: maxShrinks`, 0);
  if (leaks !== undefined && leaks !== 'fail' && leaks !== 'ignore')
    throw typeError(`${taker}: leaks is 'fail' or 'ignore', not ${String(leaks)}`);
}

interface Played<T> {
  readonly recording: Recording;
  readonly outcome: Outcome<T>;
}

class Exploration<T, W extends World> {
  readonly #body: (world: W) => Op<T>;
  readonly #options: ExploreOptions;
  readonly #host: ExploreHost<W>;

  constructor(body: (world: W) => Op<T>, options: ExploreOptions, host: ExploreHost<W>) {
    this.#body = body;
    this.#options = options;
    this.#host = host;
  }

  async run(schedules: Schedules, seeds: number): Promise<ExploreReport> {
    const seen = new Set<number>();
    let choices = 0;
    for (let runs = 1; runs <= seeds; runs += 1) {
      const strategy = schedules.next();
      if (strategy === undefined) return { runs: runs - 1, distinct: seen.size, choices, complete: true };
      const playing = this.#play(strategy, undefined);
      const played = playing instanceof Promise ? await playing : playing;
      const { recording, outcome } = played;
      if (outcome.failure !== undefined) throw await this.found(played, runs, this.#options.maxShrinks ?? 1000);
      if (runs % REPEAT_EVERY === 0) await this.#repeat(played);
      if (runs % PAUSE_EVERY === 0) await this.#host.pause?.();
      schedules.learn(recording.starts);
      seen.add(recording.hash);
      choices += recording.taken.length;
    }
    return { runs: seeds, distinct: seen.size, choices, complete: false };
  }

  /** One run. */
  async play(strategy: Strategy, trace?: Trace): Promise<Played<T>> {
    return this.#play(strategy, trace);
  }

  #play(strategy: Strategy, trace: Trace | undefined): Played<T> | Promise<Played<T>> {
    const { guard, makeWorld, pause, hold } = this.#host;
    const recording = new Recording(strategy);
    guard?.enter();
    const outcome = play(this.#body, {
      ...this.#options,
      seed: undefined,
      makeWorld,
      pause,
      hold,
      broken: () => guard?.found,
      decisions: recording,
      trace,
      strict: true,
    });
    const judge = (ended: Outcome<T>): Played<T> => {
      const broken = guard?.leave();
      recording.note(ended.elapsedMs * 1024);
      return { recording, outcome: broken === undefined ? ended : { ...ended, failure: { error: broken } } };
    };
    return outcome instanceof Promise ? outcome.then(judge) : judge(outcome);
  }

  /** The error to throw for a run that failed, made simple in so many attempts. */
  async found({ recording, outcome }: Played<T>, runs: number, maxShrinks: number): Promise<Error> {
    const signature = signatureOf(outcome);
    const choices = await shrink(
      recording.taken,
      async (candidate) => {
        const again = await this.play(new Replay(candidate));
        return signatureOf(again.outcome) === signature ? again.recording.taken : undefined;
      },
      maxShrinks,
    );
    const trace = new Trace();
    const last = await this.play(new Replay(choices), trace);
    if (signatureOf(last.outcome) !== signature) return this.#differs(recording, last.recording, outcome, last.outcome);
    const cause = last.outcome.failure?.error;
    const token = encodeChoices(choices);
    const message = [
      `run ${runs} failed: ${textOf(cause)}`,
      `  to repeat it: replay('${token}', body), or explore(body, {replay: '${token}'})`,
      `  ${needs(last.recording)}`,
      '',
      String(trace),
      ...(last.outcome.stacks === '' ? [] : ['', 'waiting at that moment:', last.outcome.stacks]),
    ].join('\n');
    return new ExplorationError(message, { token, choices, runs, cause });
  }

  async #repeat(first: Played<T>): Promise<void> {
    const again = await this.play(new Replay(first.recording.taken));
    if (again.recording.hash === first.recording.hash && signatureOf(again.outcome) === signatureOf(first.outcome))
      return;
    throw this.#differs(first.recording, again.recording, first.outcome, again.outcome);
  }

  #differs(first: Recording, again: Recording, one: Outcome<T>, other: Outcome<T>): NondeterminismError {
    const length = Math.max(first.taken.length, again.taken.length);
    let at = 0;
    while (at < length && first.counts[at] === again.counts[at] && first.kinds[at] === again.kinds[at]) at += 1;
    const what = (recording: Recording): string =>
      at < recording.taken.length ? `'${recording.kinds[at]}' out of ${recording.counts[at]}` : 'no choice any more';
    const where =
      at < length
        ? `choice ${at} was ${what(first)} and then ${what(again)}`
        : `all choices were the same, but the end was not: ${signatureOf(one)} and then ${signatureOf(other)}, after ${one.elapsedMs} and ${other.elapsedMs} ms`;
    return new NondeterminismError(
      `the same choices did not give the same run: ${where}; does the body use a real clock, random numbers of its own, a real promise, or keep something from run to run?`,
      at,
    );
  }
}

/** Which choices of a failed run are not the mildest. */
function needs({ taken, kinds }: Recording): string {
  const found = new Map<string, number>();
  for (const [i, choice] of taken.entries()) {
    const kind = kinds[i] as string;
    if (choice !== 0) found.set(kind, (found.get(kind) ?? 0) + 1);
  }
  const counted = [...found].map(([kind, times]) => (times === 1 ? kind : `${times} x ${kind}`));
  return `it needs, of ${taken.length} choices, not the mildest: ${counted.join(', ') || 'none'}`;
}

/** Failures with the same signature are taken for the same bug. */
function signatureOf(outcome: Outcome<unknown>): string {
  if (outcome.failure === undefined) return 'no failure';
  const { error } = outcome.failure;
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const { code } = error as { code?: unknown };
  const kind = `${error.name} ${typeof code === 'string' ? code : ''}`;
  // Numbers and names in quotes change as a run is made simpler; what it is about does not.
  return `${kind} ${(error.message.split('\n', 1)[0] as string).replaceAll(/'[^']*'|"[^"]*"|\d+/g, '#').slice(0, 60)}`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
