// table.ts: rows of text in columns.
//
// A heading that begins with a blank stands over numbers, which are aligned to the right; all others to the left.

export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, i) => {
      const width = widths[i] ?? 0;
      return headings[i]?.startsWith(' ') ? cell.padStart(width) : cell.padEnd(width);
    });
    return padded.join('   ').trimEnd();
  };
  return [line(headings), ...rows.map(line)].join('\n');
}
