// plot.ts: draws figures as SVG: bars side by side, and curves over logarithmic axes.
//
// Text in, text out: it knows no rows. Colours come from a style that asks whether the reader's page is dark, and every shape stands on a background of its
// own, so a plot can be read wherever it is shown. A value is written beside its bar: the plot is a table too.

const width = 760;
const font = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"';

const style = `<style>
  .ground { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 } .span { stroke: #1f2328 }
  .c0 { fill: #0969da } .c1 { fill: #8c959f } .l0 { stroke: #0969da } .l1 { stroke: #bc4c00 } .l2 { stroke: #1a7f37 }
  .d0 { fill: #0969da } .d1 { fill: #bc4c00 } .d2 { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .ink { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d } .span { stroke: #f0f6fc }
    .c0 { fill: #4493f8 } .c1 { fill: #656c76 } .l0 { stroke: #4493f8 } .l1 { stroke: #db6d28 } .l2 { stroke: #3fb950 }
    .d0 { fill: #4493f8 } .d1 { fill: #db6d28 } .d2 { fill: #3fb950 }
  }
</style>`;

export interface Bar {
  /** What tells the bars of one group apart; empty if a group has one. */
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
}

export interface BarGroup {
  readonly name: string;
  readonly ours: boolean;
  readonly bars: readonly Bar[];
}

export interface Line {
  readonly name: string;
  /** Lines of one hue are of one contestant; dashes tell the rest apart. */
  readonly hue: number;
  readonly dash: number;
  readonly points: readonly (readonly [x: number, y: number])[];
}

interface Labels {
  readonly title: string;
  /** With its unit. */
  readonly valueLabel: string;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function text(x: number, y: number, content: string, more = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more.includes('class=') ? more : `class="ink" ${more}`}>${escaped(content)}</text>`;
}

function straight(x1: number, y1: number, x2: number, y2: number, kind = 'grid'): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map((each) => each.toFixed(1));
  return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" class="${kind}"/>`;
}

function drawing(title: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-size="12" ${font}>`,
    `<title>${escaped(title)}</title>`,
    style,
    `<rect width="${width}" height="${height}" rx="6" class="ground"/>`,
    text(16, 26, title, 'class="ink" font-size="15" font-weight="600"'),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/** Three digits are enough beside a bar. */
export function short(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** From a value to a place. Marks are where the axis has a line. */
interface Scale {
  readonly place: (value: number) => number;
  readonly marks: readonly number[];
}

function linear(most: number, from: number, to: number): Scale {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) as number;
  const end = Math.ceil(most / step) * step;
  const marks = Array.from({ length: Math.round(end / step) + 1 }, (_, i) => i * step);
  return { place: (value) => from + (Math.max(value, 0) / end) * (to - from), marks };
}

/** Whole decades around the values, at least so many. */
function logarithmic(least: number, most: number, from: number, to: number, decades = 1): Scale {
  const low = Math.floor(Math.log10(least) + 1e-9);
  const high = Math.max(Math.ceil(Math.log10(most) - 1e-9), low + decades);
  const marks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return { place: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from), marks };
}

/** Horizontal bars, a group for each name; the thin line through a bar goes from the least to the most. Far apart, they stand on a logarithmic axis. */
export function barPlot({ title, valueLabel }: Labels, groups: readonly BarGroup[]): string {
  const [left, right, top, thick] = [226, width - 90, 44, 13];
  const all = groups.flatMap(({ bars }) => bars);
  const positive = all.flatMap(({ value, min, max }) => [value, min, max]).filter((each) => each > 0);
  const [least, most] = [Math.min(...positive), Math.max(...positive)];
  const far = all.every(({ min }) => min > 0) && most / least > 25;
  // A bar on a logarithmic axis begins a little below the least value, or the least would have none.
  const scale = far ? logarithmic(least / 2, most, left, right) : linear(most, left, right);
  const several = groups.some(({ bars }) => bars.length > 1);
  const parts: string[] = [];
  let y = top;
  for (const group of groups) {
    parts.push(
      text(left - (several ? 52 : 10), y + (group.bars.length * thick) / 2 + 4, group.name, weighted(group.ours)),
    );
    for (const bar of group.bars) {
      const end = scale.place(bar.value);
      parts.push(
        `<rect x="${left}" y="${y.toFixed(1)}" width="${Math.max(end - left, 1).toFixed(1)}" height="${thick - 2}" class="${group.ours ? 'c0' : 'c1'}"/>`,
        straight(
          Math.max(scale.place(bar.min), left),
          y + thick / 2 - 1,
          scale.place(bar.max),
          y + thick / 2 - 1,
          'span',
        ),
        text(Math.max(end, scale.place(bar.max)) + 6, y + thick - 3, short(bar.value), 'class="ink" font-size="11"'),
      );
      if (several)
        parts.push(text(left - 6, y + thick - 3, bar.label, 'class="faint" font-size="10" text-anchor="end"'));
      y += thick;
    }
    y += 9;
  }
  const grid = scale.marks.flatMap((mark) => [
    straight(scale.place(mark), top - 6, scale.place(mark), y),
    text(scale.place(mark), y + 15, short(mark), 'class="faint" font-size="11" text-anchor="middle"'),
  ]);
  const axis = `${valueLabel}${far ? ', logarithmic axis' : ''}`;
  return drawing(title, y + 46, [
    ...grid,
    ...parts,
    text((left + right) / 2, y + 34, axis, 'class="faint" text-anchor="middle"'),
  ]);
}

function weighted(ours: boolean): string {
  return `class="ink" text-anchor="end"${ours ? ' font-weight="600"' : ''}`;
}

const dashes = ['', ' stroke-dasharray="7 3"', ' stroke-dasharray="2 3"'];

/** Curves on logarithmic axes. */
export function linePlot(
  { title, valueLabel, sizeLabel }: Labels & { readonly sizeLabel: string },
  lines: readonly Line[],
): string {
  const [left, right, top, bottom] = [76, width - 200, 44, 290];
  const points = lines.flatMap((line) => line.points);
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y).filter((y) => y > 0);
  const across = logarithmic(Math.min(...xs), Math.max(...xs), left, right);
  // Noise must not look like growth.
  const up = logarithmic(Math.min(...ys), Math.max(...ys), bottom, top, 2);
  const grid = [
    ...across.marks.flatMap((mark) => [
      straight(across.place(mark), top, across.place(mark), bottom),
      text(across.place(mark), bottom + 16, short(mark), 'class="faint" font-size="11" text-anchor="middle"'),
    ]),
    ...up.marks.flatMap((mark) => [
      straight(left, up.place(mark), right, up.place(mark)),
      text(left - 6, up.place(mark) + 4, short(mark), 'class="faint" font-size="11" text-anchor="end"'),
    ]),
  ];
  const drawn = lines.flatMap(({ name, hue, dash, points: own }, i) => {
    const places = own.map(([x, y]) => `${across.place(x).toFixed(1)},${up.place(y).toFixed(1)}`);
    const look = `fill="none" stroke-width="2"${dashes[dash % dashes.length]} class="l${hue % 3}"`;
    const y = top + 10 + i * 18;
    return [
      `<polyline points="${places.join(' ')}" ${look}/>`,
      ...places.map((place) => {
        const [x, level] = place.split(',');
        return `<circle cx="${x}" cy="${level}" r="2.6" class="d${hue % 3}"/>`;
      }),
      `<polyline points="${right + 14},${y - 4} ${right + 44},${y - 4}" ${look}/>`,
      text(right + 50, y, name, 'class="ink" font-size="11"'),
    ];
  });
  return drawing(title, bottom + 56, [
    ...grid,
    ...drawn,
    text((left + right) / 2, bottom + 40, sizeLabel, 'class="faint" text-anchor="middle"'),
    text(
      20,
      (top + bottom) / 2,
      valueLabel,
      `class="faint" text-anchor="middle" transform="rotate(-90 20 ${(top + bottom) / 2})"`,
    ),
  ]);
}
