// twins-coverage.test.ts: each twin says something of every function of Node's module, and what it says is so; the tables and the page of the manual are up to date.
//
// To accept a change, on each Node (20, 22, 24, 26): UPDATE_COVERAGE=1 npx vitest run tests/patches/twins-coverage.test.ts
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { isOp } from '../../core/op.ts';
import { type ModuleName, type ModuleReasons, reasons } from './coverage-reasons.ts';
import {
  checkedIn,
  folder,
  nodeModule,
  page,
  reasonFor,
  rowOf,
  sampleFor,
  tableFile,
  tableOfThisNode,
  twinOf,
  written,
} from './coverage-table.ts';

const major = Number(process.versions.node.split('.')[0]);
const updating = process.env.UPDATE_COVERAGE === '1';
const file = tableFile(major);
const pageFile = path.join(import.meta.dirname, '../../docs/twins-coverage.md');
const advice = 'if this is meant: UPDATE_COVERAGE=1 npx vitest run tests/patches/twins-coverage.test.ts, on each Node';
const known = existsSync(file) || updating;
if (!known) console.warn(`skipped: there is no table of Node ${major}`);

describe('The coverage', () => {
  it('says something of every function of Node', async () => {
    const { faults } = await tableOfThisNode();
    expect(faults, faults.join('\n')).toEqual([]);
  });

  it.skipIf(!known)('is the table that is checked in for this Node', async () => {
    const { table } = await tableOfThisNode();
    if (updating) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, `${JSON.stringify(table, null, 2)}\n`);
      writeFileSync(pageFile, page(checkedIn()));
    }
    expect(readFileSync(file, 'utf8'), advice).toBe(`${JSON.stringify(table, null, 2)}\n`);
  });

  it('is the page of the manual', () => {
    expect(readFileSync(pageFile, 'utf8'), advice).toBe(page(checkedIn()));
  });

  it('would notice a function of which a twin says nothing, and one that is no Op', () => {
    const same = (): void => {};
    expect([
      rowOf('fs', 'brandNew', same, {}),
      rowOf('fs', 'brandNew', same, { brandNew: same }),
      rowOf('fs', 'brandNew', same, { brandNew: () => undefined }),
      rowOf('fs', 'stat', same, { stat: () => Promise.resolve() }),
      rowOf('fs', 'stat', same, { stat: function* () {} }),
    ]).toEqual([
      'fs.brandNew is not in the twin: say why in tests/patches/coverage-reasons.ts',
      'fs.brandNew is passed through: say why in tests/patches/coverage-reasons.ts',
      'fs.brandNew needs arguments in tests/patches/coverage-samples.ts',
      'fs.stat does not return an Op',
      ['Op'],
    ]);
  });
});

describe.each(written)('The twin of %s', (module) => {
  it('has no name that is neither of Node nor explained', async () => {
    const everywhere = [...checkedIn().values()].flatMap((table) => Object.keys(table[module] ?? {}));
    const nodes = new Set([...Object.keys(await nodeModule(module)), ...everywhere, ...values(module)]);
    const strange = Object.keys(await twinOf(module)).filter(
      (name) => !nodes.has(name) && reasonFor(module, 'added', name) === undefined,
    );
    expect(strange).toEqual([]);
  });

  it('has no reason and no sample for what no Node has', () => {
    const everywhere = new Set([...checkedIn().values()].flatMap((table) => Object.keys(table[module] ?? {})));
    const groups = Object.entries(reasons[module] as ModuleReasons).filter(([group]) => group !== 'added');
    const named = groups.flatMap(([, group]) => Object.values(group as Record<string, string[]>).flat());
    expect(named.filter((name) => !everywhere.has(name))).toEqual([]);
  });

  it('refuses at the call, by name, what this Node does not have', async () => {
    const here = await nodeModule(module);
    const twin = await twinOf(module);
    const newer = new Set<string>();
    for (const [, table] of checkedIn()) {
      for (const [name, row] of Object.entries(table[module] ?? {}))
        if (/^Op\b/.test(row) && !(name in here) && !(name.replace(/Sync$/, '') in here)) newer.add(name);
    }
    const outcomes = [...newer].map((name) => [name, refusal(twin[name], sampleFor(module, name) ?? [])]);
    const expected = [...newer].map((name) => [name, 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM']);
    expect(outcomes).toEqual(expected);
  });
});

/** Values that only older Nodes have outside `constants`. */
function values(module: ModuleName): string[] {
  return module === 'fs' ? ['F_OK', 'R_OK', 'W_OK', 'X_OK'] : [];
}

function refusal(made: unknown, args: readonly unknown[]): unknown {
  try {
    return isOp((made as (...all: unknown[]) => unknown)(...args)) ? 'an Op' : 'no Op';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
