// gate.ts: the regression gate: has anything of ours become slower than it was, beside a control in the same process?
//
//   node bench/out/gate.js                     compare with the margins of gate-margins.json; exit status 1 if one is exceeded
//   node bench/out/gate.js --derive            measure everything 20 times and write the margins for this version of Node
//   node bench/out/gate.js --only channel      pairs whose name contains the text
//
// Needs the package built (`npm run build`) and the folder compiled (`npx tsc -p bench`). A ratio is CPU time of an operation of ours divided by that of the control
// (gate-pairs.ts). Ours and the control take turns of some 10 ms, the ratio of each turn is taken, and the median of those is the figure: what
// the machine does besides hits both sides, and elapsed time is never asked. Each pair has a process of its own.
//
// The margin of a pair is 1.3 times the upper quartile of 20 figures, each of a process of its own, taken on a busy machine. A pair above its margin is measured
// again, in another process, and fails if five are above it: a regression does not go away, and chance, which is above the upper quartile once in
// four times, is above it five times running once in a thousand, and above 1.3 times that hardly ever. (The largest of 20 would be no base: the engine sometimes
// compiles a loop badly, for the life of a process.) A version of Node without margins of its own is held to the widest there are.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { computed, type Pair, pairs, type Side } from './gate-pairs.ts';
import { median } from './play-row.ts';
import { linkPackage } from './programs.ts';

const turns = 11;
const turnMs = 10;
const repeats = 20;
const headroom = 1.3;
const attempts = 10;
const marginsFile = fileURLToPath(new URL('../gate-margins.json', import.meta.url));
const self = fileURLToPath(import.meta.url);

/** What 20 repeats gave, and the margin that follows. */
interface Margin {
  readonly median: number;
  readonly upperQuartile: number;
  readonly most: number;
  readonly margin: number;
}
type Margins = Record<string, Record<string, Margin>>;

/** CPU nanoseconds, or what the side has measured itself. */
async function costOf(side: Side, count: number): Promise<number> {
  const before = process.cpuUsage();
  const own = await side(count);
  const { user, system } = process.cpuUsage(before);
  return own ?? (user + system) * 1000;
}

/** Raise the count until a turn is long enough; the engine compiles meanwhile. */
async function calibrated(side: Side): Promise<number> {
  let count = 160;
  for (let attempt = 0; attempt < 14; attempt += 1) {
    const ms = (await costOf(side, count)) / 1e6;
    const scale = Math.min(8, turnMs / Math.max(ms, 0.01));
    if (attempt >= 5 && scale < 1.3) break;
    count = Math.max(16, Math.round(count * scale));
  }
  return count;
}

async function measure(pair: Pair): Promise<number> {
  const { ours, control } = await pair.start();
  const counts = [pair.count ?? (await calibrated(ours)), pair.count ?? (await calibrated(control))] as const;
  const ratios: number[] = [];
  for (let turn = 0; turn < (pair.count === undefined ? turns : 2); turn += 1) {
    const mine = (await costOf(ours, counts[0])) / counts[0];
    const theirs = (await costOf(control, counts[1])) / counts[1];
    ratios.push(mine / theirs);
  }
  return median(ratios);
}

/** One figure, from a process of its own. */
function figure(pair: Pair): number {
  const flags = ['--expose-gc', '--max-old-space-size=2048'];
  const output = execFileSync(process.execPath, [...flags, self, '--measure', pair.name], { encoding: 'utf8' });
  return (JSON.parse(output) as { ratio: number }).ratio;
}

function storedMargins(): Margins {
  try {
    return JSON.parse(readFileSync(marginsFile, 'utf8')) as Margins;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

const version = `Node ${process.versions.node.split('.')[0]}`;

function marginOf(margins: Margins, name: string): number {
  const own = margins[version]?.[name]?.margin;
  const known = Object.values(margins).flatMap((each) => each[name]?.margin ?? []);
  const margin = own ?? (known.length === 0 ? undefined : Math.max(...known));
  if (margin === undefined) throw new Error(`no margin for ${name}: node bench/out/gate.js --derive`);
  return margin;
}

function digits(value: number): number {
  return Number(value.toPrecision(3));
}

function marginFrom(figures: readonly number[]): Margin {
  const sorted = [...figures].sort((a, b) => b - a);
  const upperQuartile = sorted[Math.floor(sorted.length / 4)] as number;
  return {
    median: digits(median(sorted)),
    upperQuartile: digits(upperQuartile),
    most: digits(sorted[0] as number),
    margin: digits(upperQuartile * headroom),
  };
}

function derive(chosen: readonly Pair[]): void {
  const figures = new Map<string, number[]>(chosen.map(({ name }) => [name, []]));
  // All pairs in turn, so that a busy spell of the machine does not belong to one.
  for (let repeat = 0; repeat < repeats; repeat += 1)
    for (const pair of chosen) figures.get(pair.name)?.push(figure(pair));
  const margins = storedMargins();
  const derived = { ...margins[version] };
  for (const [name, all] of figures) {
    console.log(`${name.padEnd(36)} ${all.map((each) => digits(each)).join(' ')}`);
    derived[name] = marginFrom(all);
  }
  writeFileSync(marginsFile, `${JSON.stringify({ ...margins, [version]: derived }, undefined, 2)}\n`);
}

function check(chosen: readonly Pair[]): void {
  const margins = storedMargins();
  const failed: string[] = [];
  console.log(
    `${version}\n${'ours / control, of CPU time'.padEnd(38)} ${'ratio'.padStart(8)} ${'at most'.padStart(8)}`,
  );
  for (const pair of chosen) {
    const margin = marginOf(margins, pair.name);
    let least = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < attempts && least > margin; attempt += 1) least = Math.min(least, figure(pair));
    const met = least <= margin;
    if (!met) failed.push(`${pair.name}: ${digits(least)} times ${pair.control}, at most ${margin}`);
    const cells = `${pair.name.padEnd(38)} ${String(digits(least)).padStart(8)} ${String(margin).padStart(8)}`;
    console.log(`${cells}  ${met ? 'ok' : 'WORSE'}   ${pair.control}`);
  }
  for (const each of failed) console.error(`slower than it was: ${each}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

const { values: options } = parseArgs({
  options: {
    derive: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    measure: { type: 'string' },
  },
});

if (options.measure === undefined) {
  await linkPackage();
  const chosen = pairs.filter(({ name }) => name.includes(options.only));
  if (chosen.length === 0)
    throw new Error(`no pair contains ${options.only}: ${pairs.map(({ name }) => name).join('; ')}`);
  if (options.derive) derive(chosen);
  else check(chosen);
} else {
  const pair = pairs.find(({ name }) => name === options.measure);
  if (pair === undefined) throw new Error(`there is no pair ${options.measure}`);
  const ratio = await measure(pair);
  process.stdout.write(`${JSON.stringify({ ratio, computed: computed() })}\n`, () => process.exit(0));
}
