// rules.test.ts: every rule of the semantics has a test whose title names it.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const RULES = [...'S1 S2 S3 S4 S5 S6 S7 S8 S8a S9 S10 S11 S12 S13 S14 S15 S16 S17 S18 S19 S20 S21'.split(' ')];

/** The rules that the titles of describe and it begin with, in all test files below `folder`. */
function named(folder: string): Set<string> {
  const found = new Set<string>();
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/\.test\.ts$|explorations\.ts$/.test(entry) || entry.includes('node_modules')) continue;
    const text = readFileSync(path.join(folder, entry), 'utf8');
    for (const [, rule] of text.matchAll(/['"`](S\d+a?)\b[ :,]/g)) found.add(rule as string);
  }
  return found;
}

describe('The rules', () => {
  it('are each named in the title of a test', () => {
    const tested = named(import.meta.dirname);
    expect(RULES.filter((rule) => !tested.has(rule))).toEqual([]);
  });
});
