// report.ts: the table that people read: a block for each row, with every contestant, its ratio to ours and what was to be reached.
//
// A ratio is our figure divided by the peer's: below 1 is better for us where lower is better, above 1 where higher is. The ratio of CPU time
// is what remains of it on a machine that does other things too; the goals are judged by elapsed time all the same.

import { ours } from './contest.ts';
import type { Figures, RowResult, Verdict } from './play-row.ts';

/** Three digits. */
export function format(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) < 0.005) return '0.00';
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function line(figures: Figures): string {
  const name = figures.name.padEnd(32);
  if (figures.median === undefined) return `  ${name} ${figures.status}: ${figures.reason}`;
  const spread = `${format(figures.min ?? figures.median)} .. ${format(figures.max ?? figures.median)}`;
  const ratio = figures.name === ours ? 'ours' : figures.ratio === undefined ? '' : `${format(figures.ratio)}x`;
  const cpu = figures.cpuRatio === undefined ? '' : `${format(figures.cpuRatio)}x`;
  return `  ${name} ${format(figures.median).padStart(10)}   ${spread.padEnd(24)} ${ratio.padStart(8)} ${cpu.padStart(8)}`.trimEnd();
}

function verdictLine(verdict: Verdict): string {
  const reached = verdict.ratio === undefined ? 'not known' : verdict.met === true ? 'met' : 'not met';
  const ratio = verdict.ratio === undefined || verdict.limit !== undefined ? '' : ` (${format(verdict.ratio)}x)`;
  return `  ${verdict.stage.padEnd(8)} ${verdict.text}: ${reached}${ratio}`;
}

/** What the columns of all rows are. */
export const columns: string = `  ${'contestant'.padEnd(32)} ${'median'.padStart(10)}   ${'min .. max'.padEnd(24)} ${'ours /'.padStart(8)} ${'of CPU'.padStart(8)}`;

export function describeRow(result: RowResult): string {
  const title = `${result.row}, ${result.unit}, ${result.better} is better`;
  const head = `${title.padEnd(60)} ${`${result.file}.ts`.padStart(26)}`;
  return [head, ...result.contestants.map(line), ...result.goals.map(verdictLine), ''].join('\n');
}

/** What one more `yield*` level adds to a resume, from the rows of depth.ts. */
function slope(results: readonly RowResult[]): string | undefined {
  const at = (depth: string, name: string): number | undefined =>
    results.find((each) => each.row === `resume at depth ${depth}`)?.contestants.find((each) => each.name === name)
      ?.median;
  const slopes = [ours, 'tendril, call()', 'bare yield* chain', 'promises', 'Effect'].flatMap((name) => {
    const shallow = at('1', name);
    const deep = at('1,000', name);
    return shallow === undefined || deep === undefined ? [] : [`${name} ${format((deep - shallow) / 999)} ns`];
  });
  return slopes.length === 0 ? undefined : `Cost of one more level per resume: ${slopes.join(', ')}.`;
}

/** The last lines: what the first goals come to, and who did not play. */
export function describeResults(results: readonly RowResult[]): string {
  const first = results.flatMap((each) => each.goals.filter((goal) => goal.stage === 'first'));
  const count = (met: boolean | undefined): number => first.filter((goal) => goal.met === met).length;
  const missing = new Map<string, string[]>();
  for (const result of results) {
    for (const { name, status, reason } of result.contestants) {
      if (status === 'ran') continue;
      const key = `${name} ${status}: ${reason}`;
      missing.set(key, [...(missing.get(key) ?? []), result.row]);
    }
  }
  const note = slope(results);
  return [
    ...(note === undefined ? [] : [note]),
    `First goals: ${count(true)} met, ${count(false)} not met, ${count(undefined)} not known.`,
    ...(missing.size === 0 ? [] : ['Without a figure:']),
    ...[...missing].map(([key, rows]) => `  ${key} (${rows.length === 1 ? rows[0] : `${rows.length} rows`})`),
  ].join('\n');
}
