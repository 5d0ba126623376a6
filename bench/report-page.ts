// report-page.ts: writes REPORT.md and its plots from the figures of one run or of several, of one Node version each.
//
// What was measured stands in the tables; whether a goal is met is judged by the medians of elapsed time, as on the terminal (report.ts). The ratio of CPU time
// stands beside it, because on a machine that does other things too it is the one to believe. A page is made whole: what was not run is not in it.

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ours } from './contest.ts';
import { describeMachine, type Machine } from './machine.ts';
import type { Figures, RowResult, Verdict } from './play-row.ts';
import { barPlot, linePlot } from './plot.ts';
import { format } from './report.ts';

/** What `--json` prints. */
export interface Run extends Machine {
  readonly rounds: number;
  readonly quick: boolean;
  readonly rows: readonly (RowResult & { readonly server?: string })[];
}

const bench = fileURLToPath(new URL('..', import.meta.url));

function labelOf(run: Run): string {
  return `Node ${run.node.replace(/^v(\d+)\..*/, '$1')}`;
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((each) => each.replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...lines.map(row)].join('\n');
}

function slug(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

/** The same row, or contestant, of every run; undefined where a run has none. */
function across<T>(runs: readonly Run[], find: (run: Run) => T | undefined): (T | undefined)[] {
  return runs.map(find);
}

function rowNames(runs: readonly Run[]): string[] {
  return [...new Set(runs.flatMap((run) => run.rows.map((each) => each.row)))];
}

function rowOf(run: Run, name: string): Run['rows'][number] | undefined {
  return run.rows.find((each) => each.row === name);
}

function figuresOf(run: Run, row: string, contestant: string): Figures | undefined {
  return rowOf(run, row)?.contestants.find((each) => each.name === contestant);
}

function ratioText(figures: Figures | undefined): string {
  if (figures?.median === undefined) return '';
  if (figures.name === ours) return 'ours';
  const elapsed = figures.ratio === undefined ? '' : `${format(figures.ratio)}x`;
  return figures.cpuRatio === undefined ? elapsed : `${elapsed} (${format(figures.cpuRatio)}x)`;
}

function spread(figures: Figures | undefined): string {
  if (figures === undefined) return '';
  if (figures.median === undefined) return figures.status;
  return `${format(figures.min as number)} .. ${format(figures.max as number)}`;
}

function contestantsOf(runs: readonly Run[], row: string): string[] {
  return [...new Set(runs.flatMap((run) => rowOf(run, row)?.contestants.map(({ name }) => name) ?? []))];
}

function verdictText(verdict: Verdict | undefined): string {
  if (verdict?.ratio === undefined) return 'not known';
  const ratio = verdict.limit === undefined ? `${format(verdict.ratio)}x, ` : '';
  return `${ratio}${verdict.met === true ? 'met' : '**not met**'}`;
}

/** One row with all its contestants: the command, the plot, the table, the goals, who did not play and why. */
function section(runs: readonly Run[], name: string): { text: string; plot: string } {
  const rows = across(runs, (run) => rowOf(run, name));
  const first = rows.find((each) => each !== undefined) as Run['rows'][number];
  const names = contestantsOf(runs, name);
  const lines = names
    .filter((contestant) => runs.some((run) => figuresOf(run, name, contestant)?.median !== undefined))
    .map((contestant) => [
      contestant,
      ...runs.flatMap((run) => {
        const figures = figuresOf(run, name, contestant);
        return [figures?.median === undefined ? '' : format(figures.median), spread(figures), ratioText(figures)];
      }),
    ]);
  const absent = names.flatMap((contestant) => {
    const reasons = runs.map((run) => figuresOf(run, name, contestant)).filter((each) => each?.reason !== undefined);
    const reason = reasons[0];
    return reason === undefined ? [] : [`${contestant} ${reason.status}: ${reason.reason}`];
  });
  const goals = first.goals.map((goal, i) => {
    const judged = runs.map((run, at) => `${labelOf(run)} ${verdictText(rows[at]?.goals[i])}`);
    return `- ${goal.stage}: ${goal.text}: ${judged.join('; ')}`;
  });
  const groups = names.flatMap((contestant) => {
    const bars = runs.flatMap((run) => {
      const figures = figuresOf(run, name, contestant);
      if (figures?.median === undefined) return [];
      const { median, min = median, max = median } = figures;
      return { label: labelOf(run), value: median, min, max };
    });
    return bars.length === 0 ? [] : [{ name: contestant, ours: contestant.startsWith(ours), bars }];
  });
  const file = `plots/${slug(name)}.svg`;
  const servers = [...new Set(rows.map((each) => each?.server).filter((each) => each !== undefined))];
  const text = [
    `### ${name}`,
    `\`npm run bench -- --only '${name}'\` (\`${first.file}.ts\`). In ${first.unit}; ${first.better} is better.${servers.length > 0 ? ` Server: ${servers.join(', ')}.` : ''}`,
    ...(groups.length === 0 ? [] : [`![${name}](${file})`]),
    table(
      ['', ...runs.flatMap((run) => [`${labelOf(run)}: median`, 'min .. max', 'ours / theirs (of CPU time)'])],
      lines,
    ),
    ...(goals.length === 0 ? [] : [goals.join('\n')]),
    ...(absent.length === 0 ? [] : [`Without a figure: ${absent.join('; ')}.`]),
  ].join('\n\n');
  const valueLabel = `${first.unit}, ${first.better} is better`;
  return { text, plot: groups.length === 0 ? '' : barPlot({ title: name, valueLabel }, groups) };
}

/** All points of one curve: a table by size, a plot, and what its shape comes from. */
function curveSection(runs: readonly Run[], of: string): { text: string; plot: string } {
  const rows = runs.flatMap((run) => run.rows.filter((each) => each.curve?.of === of).map((row) => ({ run, row })));
  const sizes = [...new Set(rows.map(({ row }) => row.curve?.size as number))].sort((a, b) => a - b);
  const names = [...new Set(rows.flatMap(({ row }) => row.contestants.map(({ name }) => name)))];
  const at = (run: Run, size: number, name: string): Figures | undefined =>
    rows
      .find((each) => each.run === run && each.row.curve?.size === size)
      ?.row.contestants.find((each) => each.name === name);
  const series = runs.flatMap((run, dash) =>
    names.map((name, hue) => ({
      name: runs.length === 1 ? name : `${name}, ${labelOf(run)}`,
      hue,
      dash,
      points: sizes.flatMap((size) => {
        const median = at(run, size, name)?.median;
        return median === undefined || median <= 0 ? [] : [[size, median] as const];
      }),
    })),
  );
  const lines = series.filter(({ points }) => points.length > 0);
  const { row } = rows[0] as (typeof rows)[number];
  const growth = lines.map(({ name, points }) => {
    const first = points[0]?.[1] as number;
    const last = points.at(-1)?.[1] as number;
    return `${name} ${format(last / first)}x`;
  });
  const text = [
    `### ${of}`,
    `\`npm run bench -- --only 'growth: ${of}'\` (\`${row.file}.ts\`). ${row.unit} for one operation.`,
    `![${of}](plots/growth-${slug(of)}.svg)`,
    table(
      ['at once', ...lines.map(({ name }) => name)],
      sizes.map((size) => [
        size.toLocaleString('en'),
        ...lines.map(({ points }) => {
          const y = points.find(([x]) => x === size)?.[1];
          return y === undefined ? '' : format(y);
        }),
      ]),
    ),
    `From the fewest to the most: ${growth.join(', ')}.${row.curve?.shape === undefined ? '' : ` ${row.curve.shape}`}`,
  ].join('\n\n');
  const labels = { title: of, valueLabel: `${row.unit} for one operation`, sizeLabel: 'how many are there at once' };
  return { text, plot: lines.length === 0 ? '' : linePlot(labels, lines) };
}

function machineText(run: Run): string {
  const lines = describeMachine(run).split('\n');
  return `${lines.map((each) => each.replace(/\.$/, '')).join('. ')}; at least ${run.rounds} rounds`;
}

/** Every goal in one table. */
function goalTable(runs: readonly Run[]): string {
  const lines = rowNames(runs).flatMap((name) => {
    const goals = runs.map((run) => rowOf(run, name)?.goals ?? []);
    const longest = goals.reduce((most, each) => (each.length > most.length ? each : most), []);
    return longest.map((goal, i) => [
      name,
      `${goal.stage}: ${goal.text}`,
      ...goals.map((each) => verdictText(each[i])),
    ]);
  });
  return table(['row', 'goal', ...runs.map(labelOf)], lines);
}

/** Runs of one version of Node are one: rows that were taken again replace the earlier ones. The machine is that of the last. */
function joined(runs: readonly Run[]): Run[] {
  const versions = new Map<string, Run>();
  for (const run of runs) {
    const before = versions.get(run.node) ?? { ...run, rows: [] };
    const kept = before.rows.filter((each) => rowOf(run, each.row) === undefined);
    const quick = run.quick || before.quick;
    versions.set(run.node, {
      ...run,
      quick,
      rounds: Math.min(run.rounds, before.rounds),
      rows: [...kept, ...run.rows],
    });
  }
  return [...versions.values()];
}

/** Write REPORT.md and plots/ from `stored` runs, those of one version of Node joined. */
export async function writeReport(stored: readonly Run[]): Promise<void> {
  const runs = joined(stored);
  const names = rowNames(runs);
  const curves = [...new Set(runs.flatMap((run) => run.rows.flatMap((each) => each.curve?.of ?? [])))];
  const bars = names.filter((name) => runs.every((run) => rowOf(run, name)?.curve === undefined));
  const sections = bars.map((name) => ({ file: slug(name), ...section(runs, name) }));
  const grown = curves.map((of) => ({ file: `growth-${slug(of)}`, ...curveSection(runs, of) }));
  const quick = runs.some((run) => run.quick) ? ['**Taken with `--quick`: these figures do not count.**'] : [];
  const page = [
    '# Benchmarks',
    'Made by `npm run bench -- --report`; `bench/run.ts` says how to merge runs of several versions of Node. Each contestant runs in a process of its own; rounds are ' +
      'interleaved; the figure is the median of the rounds. A ratio is our figure divided by theirs; in brackets, the same ratio of CPU time.',
    ...quick,
    runs.map((run) => `- ${machineText(run)}`).join('\n'),
    '## Goals',
    goalTable(runs),
    ...(sections.length === 0 ? [] : ['## Rows', ...sections.map(({ text }) => text)]),
    ...(grown.length === 0 ? [] : ['## Growth', ...grown.map(({ text }) => text)]),
  ].join('\n\n');
  await mkdir(`${bench}plots`, { recursive: true });
  for (const old of await readdir(`${bench}plots`)) if (old.endsWith('.svg')) await rm(`${bench}plots/${old}`);
  for (const { file, plot } of [...sections, ...grown])
    if (plot !== '') await writeFile(`${bench}plots/${file}.svg`, plot);
  await writeFile(`${bench}REPORT.md`, `${page}\n`);
}
