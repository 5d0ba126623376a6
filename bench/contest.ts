// contest.ts: what a benchmark is made of: rows, and the contestants that answer them.
//
// Each file of this folder that asks a question exports `rows`. A row has contestants; one of them is `tendril`, the rest are peers
// and floors. Every contestant runs in a process of its own, so that none of them trains the inline caches or fills the heap of another, and is
// asked for rounds over a line protocol (contestant.ts). It does `count` operations and returns an answer that depends on all of
// them: nothing can be optimised away, and a contestant that does less than the others is caught by its wrong answer.
//
// How to run: npm run bench -- --only 'part of a row name'

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What a contestant tells about one round: an answer to be checked, and what was measured if that is not the time it took. */
export interface Outcome {
  readonly answer?: number;
  /** Nanoseconds, bytes or ticks for the whole round; left out, the time between call and return is taken. */
  readonly total?: number;
  /** CPU nanoseconds of what `total` measures, where the contestant takes that itself. */
  readonly cpu?: number;
  /** Operations that were done, where the contestant decides that itself. */
  readonly count?: number;
}

/** Do `count` operations. */
export type Round = (count: number) => Promise<Outcome>;

/** What the runner prepared for a contestant: where its server listens. */
export interface Setting {
  readonly redisPort: number;
  readonly httpUrl: string;
}

export interface Contestant {
  readonly name: string;
  /** Runs in the contestant's own Node process: import the peer, make what is reused, return the round. */
  readonly start?: (setting: Setting) => Promise<Round>;
  /** Or the name of a program in go/ or python/ that speaks the same protocol, and its argument. */
  readonly go?: string;
  readonly python?: string;
  readonly argument?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Operations per round where this contestant is too slow or too big for the row's count; in a calibrated row, where it begins. */
  readonly count?: number;
  /** Why this peer has no answer to the question. */
  readonly absent?: string;
}

/** A bound on our figure: `factor` times the best of the contestants `against`, or a plain `limit`. */
export interface Goal {
  readonly stage: 'first' | 'target' | 'stretch';
  readonly against?: readonly string[];
  readonly factor?: number;
  readonly limit?: number;
}

export interface Point {
  readonly of: string;
  readonly size: number;
  /** What the shape of the curve comes from, for the report. */
  readonly shape?: string;
}

export interface Row {
  readonly name: string;
  readonly unit: string;
  /** `each`: total / count. `rate`: count per second, divided by 1,000. `whole`: the total. */
  readonly measure: 'each' | 'rate' | 'whole';
  readonly better: 'lower' | 'higher';
  /** Operations per round; left out, the runner raises it until a round is long enough to time. */
  readonly count?: number;
  /** Rounds of a calibrated row are a multiple of this many operations. */
  readonly portion?: number;
  /** A new process for every round: its memory is the measure. */
  readonly fresh?: boolean;
  readonly needs?: 'redis' | 'nginx';
  /** The row is a point of a curve: so many of what it is about are there at once. */
  readonly curve?: Point;
  /** The right answer of a round of `count` operations. */
  readonly answer?: (count: number) => number;
  readonly contestants: readonly Contestant[];
  readonly goals: readonly Goal[];
}

/** Thrown by a contestant's start: the peer is not here, so it is skipped and not failed. */
export class NotInstalledError extends Error {}

/** Run a program that a contestant measures; its stdout. @throws NotInstalledError if there is none of that name. */
export async function runProgram(program: string, parameters: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, parameters)).stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new NotInstalledError(`${program} is not installed`);
    throw error;
  }
}

export const ours = 'tendril';
export const goSingle = 'Go, GOMAXPROCS=1';

/** The same Go program on one core, as we are, and as Go runs by default. */
export function goPrograms(go: string, more: Partial<Contestant> = {}): Contestant[] {
  return [
    { ...more, name: goSingle, go, environment: { GOMAXPROCS: '1' } },
    { ...more, name: 'Go', go },
  ];
}

/** Sum of 0, 1, ... count - 1: the answer where every value counts. */
export function sumBelow(count: number): number {
  return (count * (count - 1)) / 2;
}
