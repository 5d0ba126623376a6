// trace.ts: what happened in one run, step by step, and a picture of it: one lane for each greenlet, time runs downwards.
//
// A step is what one greenlet does without anybody else running: the Ops that it started, and how it ended: waiting, giving way, done. Made only for a
// single run that somebody wants to see; an exploration traces nothing but the run that it reports.

import type { Greenlet } from '../greenlet.ts';
import { describeOp } from '../leaf.ts';
import { nameOf, type Op } from '../op.ts';
import { DONE, PARKED } from '../status.ts';
import { Wait } from '../wait.ts';

export interface TraceStep {
  /** Milliseconds of the world's clock. */
  readonly atMs: number;
  /** The greenlet's name; '' for what happens outside greenlets, as on the network. */
  readonly greenlet: string;
  /** What it did, in order. */
  readonly events: readonly string[];
}

const MOST_LANES = 6;
const MOST_ROWS = 60;
const LANE_WIDTH = 30;

export class Trace {
  readonly steps: TraceStep[] = [];
  #events: string[] = [];

  /** @internal */
  started(_greenlet: Greenlet, op: Op<unknown>, gaveWay: boolean): void {
    if (gaveWay) this.#events.push(`(gives way) ${textOf(op)}`);
    else this.#events.push(textOf(op));
  }

  /** @internal */
  stepped(greenlet: Greenlet, atMs: number): void {
    const { status, outcome } = greenlet;
    const events = this.#events;
    this.#events = [];
    if ((status & DONE) !== 0) events.push(outcome?.ok === false ? `fails: ${textOfError(outcome.error)}` : 'ends');
    else if ((status & PARKED) !== 0 && greenlet.waitingOn !== undefined) {
      const waiting = textOf(greenlet.waitingOn);
      if (events.at(-1) === waiting) events.pop();
      events.push(`waits: ${waiting}`);
    }
    this.steps.push({ atMs, greenlet: greenlet.name, events });
  }

  /** @internal */
  note(greenlet: string, note: string, atMs: number): void {
    this.steps.push({ atMs, greenlet, events: [note] });
  }

  /** The last steps as lanes. */
  toString(): string {
    const shown = this.steps.slice(-MOST_ROWS);
    const names = [...new Set(shown.map(({ greenlet }) => greenlet))].filter((name) => name !== '');
    const lanes = names.slice(0, MOST_LANES);
    const lines = [row('step', 'ms', lanes, (lane) => lane)];
    const hidden = this.steps.length - shown.length;
    if (hidden > 0) lines.push(`  ... ${hidden} steps before`);
    for (const [index, step] of shown.entries()) lines.push(...rowsOf(step, hidden + index + 1, lanes));
    if (names.length > lanes.length) lines.push(`  greenlets without a lane: ${names.slice(MOST_LANES).join(', ')}`);
    return lines.join('\n');
  }
}

function rowsOf(step: TraceStep, number: number, lanes: readonly string[]): string[] {
  const atMs = String(Math.round(step.atMs * 1000) / 1000);
  if (!lanes.includes(step.greenlet)) {
    const who = step.greenlet === '' ? '' : `${step.greenlet}: `;
    return [`${String(number).padStart(6)} ${atMs.padStart(9)}  ${who}${step.events.join('; ')}`];
  }
  return step.events.map((event, index) =>
    row(index === 0 ? String(number) : '', index === 0 ? atMs : '', lanes, (lane) =>
      lane === step.greenlet ? event : '',
    ),
  );
}

function row(step: string, ms: string, lanes: readonly string[], cell: (lane: string) => string): string {
  const cells = lanes.map((lane) => fitted(cell(lane)));
  return `${step.padStart(6)} ${ms.padStart(9)}  ${cells.join(' ')}`.trimEnd();
}

function fitted(text: string): string {
  const line = text.replaceAll('\n', ' ');
  return line.length > LANE_WIDTH ? `${line.slice(0, LANE_WIDTH - 1)}…` : line.padEnd(LANE_WIDTH);
}

function textOf(op: Op<unknown>): string {
  return op instanceof Wait ? describeOp(op.describe()) : nameOf(op);
}

function textOfError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.split('\n', 1)[0]}` : String(error);
}
