// errors.ts: what a simulation has to say that the body did not say itself.
//
// They are the world's verdicts: a limit in time, greenlets that were left behind, a run that does not repeat, and the failure of an exploration,
// which carries what repeats it.

import { ResourceError, UsageError } from '../errors.ts';
import type { Greenlet } from '../greenlet.ts';

/** The world was healed, or its time was up, and somebody had still not finished. */
export class LivenessError extends ResourceError {
  override readonly code: string = 'ERR_LIVENESS';
  readonly greenlets: readonly Greenlet[];
  constructor(when: string, report: string, greenlets: readonly Greenlet[]) {
    super(`${when} ${greenlets.length} greenlets have not finished\n${report}`);
    this.greenlets = greenlets;
  }
}

/** The body has returned, and greenlets that it left behind wait for what cannot come. */
export class LeakedGreenletsError extends UsageError {
  override readonly code: string = 'ERR_LEAKED_GREENLETS';
  readonly names: readonly string[];
  constructor(names: readonly string[], report: string) {
    super(
      `the body has returned and left ${names.length} greenlets parked for ever: end them, make them daemons, or pass {leaks: 'ignore'}\n${report}`,
    );
    this.names = names;
  }
}

/** The same choices did not give the same run: something in the body decides outside the list. */
export class NondeterminismError extends UsageError {
  override readonly code: string = 'ERR_NONDETERMINISM';
  /** The index of the first choice that differed. */
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** An exploration found a run that fails. The error of the body is its `cause`. */
export class ExplorationError extends Error {
  readonly code = 'ERR_EXPLORATION';
  /** Replays the run: `replay(token, body)`. */
  readonly token: string;
  /** The decisions of the run, made as simple as was possible. */
  readonly choices: readonly number[];
  /** How many runs it took, this one included. */
  readonly runs: number;
  override get name(): string {
    return 'ExplorationError';
  }
  constructor(message: string, found: { token: string; choices: readonly number[]; runs: number; cause: unknown }) {
    super(message, { cause: found.cause });
    this.token = found.token;
    this.choices = found.choices;
    this.runs = found.runs;
  }
}
