// faults.test.ts: every fault that must go wrong safely has a test whose title names it; prints how many.
//
// A fault is a number, F1 to F119, with gaps: what was merged into another has none.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

/** What goes wrong, by where it does. */
const FAULTS: Readonly<Record<string, string>> = {
  sockets: '1 2 4 6 7 8 9 11 12 13 14 15 17 18 20 21 22 23 25 26 28 29 30 32 33 34 35 36 38 40',
  TLS: '41 42 43 45 46 48 49 50 52 54 55',
  DNS: '56 57 59',
  'readers and parsers': '61 62 63 65 66',
  HTTP: '67 68 70 71 72 73 75 76 78 79 80',
  children: '82 83 84 86 87 89 90',
  patches: '113 114 115 117 119',
  kernel: '91 92 93 95 96 98 100 101 102 104 107 109 110 111 112',
};

/** How many tests name each fault in their title or in that of a group around them, in all test files below `folder`. */
function named(folder: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/\.test\.ts$|cases-[\w-]+\.ts$|explorations\.ts$/.test(entry) || /\.tmp|node_modules/.test(entry)) continue;
    const text = readFileSync(path.join(folder, entry), 'utf8');
    // Titles are quoted; a test may stand for several: 'F78, F79: ...', 'S16, F112: ...', 'kinds of ... (F100)'.
    for (const [title] of text.matchAll(/(['"`])(?:[A-Z]\d+[a-z]?[,:] )*F\d+[,: ][^\n]*|\(F\d+\)/g))
      for (const [fault] of title.matchAll(/\bF\d+\b/g)) found.set(fault, (found.get(fault) ?? 0) + 1);
  }
  return found;
}

describe('The faults', () => {
  const tests = named(import.meta.dirname);

  it.each(Object.entries(FAULTS))('of %s are each named in the title of a test', (where, numbers) => {
    const faults = numbers.split(' ').map((number) => `F${number}`);
    const count = faults.reduce((sum, fault) => sum + (tests.get(fault) ?? 0), 0);
    console.log(`faults of ${where}: ${faults.length}, in ${count} tests or groups of tests`);
    expect(faults.filter((fault) => !tests.has(fault))).toEqual([]);
  });
});
