// play-row.ts: one row of the table: start its contestants, warm them up, play interleaved rounds, take medians, judge the goals.
//
// Rounds go A B C A B C, so that a disturbance of the machine hits all. While one plays the others sleep in their processes. The number of
// operations is raised, contestant by contestant, until a round is long enough to time; that is the warm-up too.

import type { Contestant, Goal, Point, Row, Setting } from './contest.ts';
import { ours } from './contest.ts';
import { NoFigure, Player, type Reply } from './player.ts';
import type { Programs } from './programs.ts';

export interface Pace {
  readonly rounds: number;
  /** How long a round of a calibrated row should take. */
  readonly roundMs: number;
  /** Fixed counts are divided by this. */
  readonly shrink: number;
}

export interface Figures {
  readonly name: string;
  readonly status: 'ran' | 'skipped' | 'failed';
  readonly reason?: string;
  /** Operations per round. */
  readonly count?: number;
  readonly median?: number;
  readonly min?: number;
  readonly max?: number;
  readonly samples?: readonly number[];
  /** The same measure from CPU time instead of elapsed time: what is left of the noise of a busy machine. */
  readonly cpuMedian?: number;
  /** Our median divided by this one. */
  readonly ratio?: number;
  readonly cpuRatio?: number;
}

export interface Verdict extends Goal {
  readonly text: string;
  /** Our median divided by the bound's base; undefined if one of them has no figure. */
  readonly ratio?: number;
  readonly met?: boolean;
}

export interface RowResult {
  readonly row: string;
  readonly file: string;
  readonly unit: string;
  readonly better: Row['better'];
  readonly curve?: Point;
  readonly contestants: readonly Figures[];
  readonly goals: readonly Verdict[];
}

/** Rounds are a multiple of this many operations, unless the row says otherwise, so that they divide evenly among 2, 10, 50, 64 or 100. */
const usualPortion = 1600;
const largestRound = usualPortion * 1_000_000;
/** Operations before those that count, at least, in rounds of a fixed size: each point of a curve has to be as warm as the next. */
const warmOperations = 500_000;

export async function playRow(
  file: string,
  row: Row,
  pace: Pace,
  setting: Setting,
  programs: Programs,
): Promise<RowResult> {
  const seats = row.contestants.map((contestant) => new Seat(file, row, contestant, pace, setting, programs));
  try {
    for (const seat of seats) await seat.warmUp();
    for (let round = 0; round < pace.rounds; round += 1) for (const seat of seats) await seat.play();
  } finally {
    for (const seat of seats) await seat.leave();
  }
  const figures = seats.map((seat) => seat.figures());
  const own = figures.find((each) => each.name === ours);
  const mine = own?.median;
  return {
    row: row.name,
    file,
    unit: row.unit,
    better: row.better,
    ...(row.curve === undefined ? {} : { curve: row.curve }),
    contestants: figures.map((each) => withRatio(each, own)),
    goals: row.goals.map((goal) => judge(goal, row, figures, mine)),
  };
}

/** A peer with a figure of 0 (no tick at all) has no ratio. */
function withRatio(figures: Figures, own: Figures | undefined): Figures {
  if (own?.median === undefined || figures.name === ours || !figures.median) return figures;
  const ratio = own.median / figures.median;
  if (own.cpuMedian === undefined || !figures.cpuMedian) return { ...figures, ratio };
  return { ...figures, ratio, cpuRatio: own.cpuMedian / figures.cpuMedian };
}

/** One contestant's place in a row: its process, its number of operations, its samples. */
class Seat {
  readonly #replies: Reply[] = [];
  readonly #open: () => Promise<Player>;
  readonly #row: Row;
  readonly #contestant: Contestant;
  readonly #pace: Pace;
  #player: Player | undefined;
  #count: number;
  #noFigure: NoFigure | undefined;

  constructor(file: string, row: Row, contestant: Contestant, pace: Pace, setting: Setting, programs: Programs) {
    this.#row = row;
    this.#contestant = contestant;
    this.#pace = pace;
    this.#open = () => Player.start(file, row, contestant, setting, programs);
    const fixed = contestant.count ?? row.count;
    this.#count = fixed === undefined ? (row.portion ?? usualPortion) : Math.max(1, fixed / pace.shrink);
  }

  async warmUp(): Promise<void> {
    await this.#attempt(async () => {
      const player = await this.#open();
      this.#player = player;
      if (this.#row.fresh === true) return;
      const { count, curve } = this.#row;
      if (count === undefined) return await this.#calibrate(player);
      const times = curve === undefined ? 1 : Math.min(3, Math.ceil(warmOperations / count));
      for (let i = 0; i < times; i += 1) await player.round(this.#count);
    });
  }

  /** Raise the count until a round takes as long as it should, at least three times: the engine compiles meanwhile. */
  async #calibrate(player: Player): Promise<void> {
    const portion = this.#row.portion ?? usualPortion;
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const startedAt = process.hrtime.bigint();
      const { count } = await player.round(this.#count);
      const elapsedMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
      // A contestant that decides the count itself also decides how long it plays.
      if (count !== this.#count) return;
      const scale = Math.min(10, this.#pace.roundMs / Math.max(elapsedMs, 0.01));
      if (attempt >= 3 && scale < 1.2) return;
      const portions = Math.max(1, Math.round((this.#count * scale) / portion));
      this.#count = Math.min(largestRound, portions * portion);
    }
  }

  async play(): Promise<void> {
    await this.#attempt(async () => {
      this.#player ??= await this.#open();
      this.#replies.push(await this.#player.round(this.#count));
      if (this.#row.fresh === true) await this.leave();
    });
  }

  async leave(): Promise<void> {
    const player = this.#player;
    this.#player = undefined;
    await player?.end();
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    if (this.#noFigure !== undefined) return;
    try {
      await step();
    } catch (error) {
      if (!(error instanceof NoFigure)) throw error;
      this.#noFigure = error;
      await this.leave();
    }
  }

  figures(): Figures {
    const { name } = this.#contestant;
    if (this.#noFigure !== undefined) return { name, status: this.#noFigure.status, reason: this.#noFigure.message };
    const samples = this.#replies.map(({ total, count }) => measure(this.#row, total, count));
    const cpu = this.#replies.flatMap((reply) =>
      reply.cpu === undefined ? [] : measure(this.#row, reply.cpu, reply.count),
    );
    return {
      name,
      status: 'ran',
      count: this.#replies[0]?.count ?? this.#count,
      median: median(samples),
      min: Math.min(...samples),
      max: Math.max(...samples),
      samples,
      ...(cpu.length > 0 ? { cpuMedian: median(cpu) } : {}),
    };
  }
}

function measure(row: Row, total: number, count: number): number {
  switch (row.measure) {
    case 'each':
      return total / count;
    case 'rate':
      return (count / total) * 1e6;
    case 'whole':
      return total;
    default:
      return row.measure satisfies never;
  }
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function judge(goal: Goal, row: Row, figures: readonly Figures[], mine: number | undefined): Verdict {
  const relation = row.better === 'lower' ? 'at most' : 'at least';
  const factor = goal.factor ?? 1;
  const against = goal.against ?? [];
  const bases = figures.filter((each) => against.includes(each.name)).map((each) => each.median);
  const best = row.better === 'lower' ? Math.min : Math.max;
  const base =
    goal.limit ?? (bases.includes(undefined) || bases.length === 0 ? undefined : best(...(bases as number[])));
  const bound = against.length > 1 ? `the best of ${against.join('; ')}` : against[0];
  const text = goal.limit === undefined ? `${relation} ${factor}x ${bound}` : `${relation} ${goal.limit} ${row.unit}`;
  if (mine === undefined || base === undefined) return { ...goal, text };
  const ratio = mine / base;
  return { ...goal, text, ratio, met: row.better === 'lower' ? ratio <= factor : ratio >= factor };
}
