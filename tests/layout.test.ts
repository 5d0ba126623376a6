// layout.test.ts: the layout rules of CONTRIBUTING.md, held against every file of the tree.
//
// The list of exports is checked in. To accept a change: UPDATE_EXPORTS=1 npx vitest run tests/layout.test.ts
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { entries } from '../vitest.config.ts';
import * as rules from './layout/rules.ts';
import { codeOnly, exportsOf, importsOf } from './layout/source-text.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const notOurs = new Set(['node_modules', 'dist', 'out', 'coverage']);

function filesIn(folder: string, ending: RegExp): rules.SourceFile[] {
  if (!existsSync(`${root}${folder}`)) return [];
  return readdirSync(`${root}${folder}`, { withFileTypes: true })
    .filter((entry) => !notOurs.has(entry.name) && !entry.name.startsWith('.'))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return filesIn(path, ending);
      return ending.test(entry.name) ? [{ path, text: read(path) }] : [];
    });
}

const registry = 'https://registry.npmjs.org/';
const scripts = /\.[cm]?[jt]sx?$/;
const layered = rules.layers.flatMap((layer) => filesIn(layer, scripts));
const shipped = rules.shipped.flatMap((folder) => filesIn(folder, scripts));
const everything = [...filesIn('', /\.([cm]?[jt]sx?|md)$/), ...filesIn('.ci', /./)];

interface Names {
  readonly values: readonly string[];
  readonly types: readonly string[];
}

// 'tendril/core' -> 'core/index.ts', read from package.json, which is what users get.
const exportsField = JSON.parse(read('package.json')).exports as Record<string, { types: string; default: string }>;
const entryPoints: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(exportsField)
    .filter(([key]) => key !== './package.json')
    .map(([key, { default: built }]) => [
      key.replace(/^\./, 'tendril'),
      built.replace('./dist/', '').replace(/\.js$/, '.ts'),
    ]),
);

async function exportedValues(source: string): Promise<string[]> {
  const module: Record<string, unknown> = await import(/* @vite-ignore */ `${root}${source}`);
  // A namespace that is exported by name counts with each of its members.
  return Object.entries(module)
    .flatMap(([name, value]) =>
      Object.prototype.toString.call(value) === '[object Module]'
        ? [name, ...Object.keys(value as object).map((member) => `${name}.${member}`)]
        : [name],
    )
    .sort();
}

function difference(entry: string, kind: keyof Names, actual: readonly string[], listed: readonly string[]): string[] {
  return [
    ...actual.filter((name) => !listed.includes(name)).map((name) => `${entry}: ${kind}: '${name}' is new`),
    ...listed.filter((name) => !actual.includes(name)).map((name) => `${entry}: ${kind}: '${name}' is gone`),
  ];
}

describe('The tree', () => {
  it('has files in each of its layers to check', () => {
    expect(rules.layers.filter((layer) => filesIn(layer, scripts).length === 0)).toEqual([]);
  });

  it('imports along the arrows only', () => {
    expect(layered.flatMap(rules.importFaults)).toEqual([]);
  });

  it('opens each file that ships with a header', () => {
    expect(shipped.flatMap(rules.headerFaults)).toEqual([]);
  });

  it(`keeps files at ${rules.hardLimit} lines or fewer`, () => {
    const sizes = layered.map((file) => ({ path: file.path, lines: rules.lineCount(file) }));
    const long = sizes.filter(({ lines }) => lines > rules.softLimit && lines <= rules.hardLimit);
    for (const { path, lines } of long) console.warn(`warning: ${path} has ${lines} lines, over ${rules.softLimit}`);
    expect(sizes.filter(({ lines }) => lines > rules.hardLimit)).toEqual([]);
  });

  it('names each file after its subject', () => {
    expect(everything.flatMap(rules.nameFaults)).toEqual([]);
  });

  it('exports by name and one by one', () => {
    expect(layered.flatMap(rules.exportFaults)).toEqual([]);
  });

  it('meets the host in the driver only', () => {
    expect(shipped.flatMap(rules.hostFaults)).toEqual([]);
  });

  it('leaves nothing for later', () => {
    expect(everything.flatMap(rules.unfinishedFaults)).toEqual([]);
  });
});

describe('The entry points', () => {
  it('lead to the same sources in package.json, tsconfig.json and vitest.config.ts', () => {
    const { paths } = JSON.parse(read('tsconfig.json')).compilerOptions as { paths: Record<string, string[]> };
    const fromPaths = Object.fromEntries(
      Object.entries(paths).map(([name, [target]]) => [name, target?.replace('./', '')]),
    );
    expect(fromPaths).toEqual(entryPoints);
    expect(entries).toEqual(entryPoints);
    for (const [name, { types, default: built }] of Object.entries(exportsField)) {
      if (name !== './package.json') expect(types).toBe(built.replace(/\.js$/, '.d.ts'));
    }
  });

  it('export exactly the names that tests/layout/exports.json lists', async () => {
    const actual: Record<string, Names> = {};
    for (const [entry, source] of Object.entries(entryPoints)) {
      expect(existsSync(`${root}${source}`), `${source}, the source of '${entry}', is missing`).toBe(true);
      actual[entry] = { values: await exportedValues(source), types: exportsOf(read(source)).types };
    }
    const list = `${root}tests/layout/exports.json`;
    if (process.env.UPDATE_EXPORTS === '1') writeFileSync(list, `${JSON.stringify(actual, null, 2)}\n`);
    const listed = JSON.parse(readFileSync(list, 'utf8')) as Record<string, Names>;
    const differences = [...new Set([...Object.keys(actual), ...Object.keys(listed)])].flatMap((entry) =>
      (['values', 'types'] as const).flatMap((kind) =>
        difference(entry, kind, actual[entry]?.[kind] ?? [], listed[entry]?.[kind] ?? []),
      ),
    );
    const advice = 'if this is meant: UPDATE_EXPORTS=1 npx vitest run tests/layout.test.ts';
    expect(differences, `${differences.join('\n')}\n${advice}\n`).toEqual([]);
  });

  it('export the values that their own text names', async () => {
    for (const source of Object.values(entryPoints)) {
      const values = (await exportedValues(source)).filter((name) => !name.includes('.'));
      expect({ source, values }).toEqual({ source, values: exportsOf(read(source)).values });
    }
  });
});

describe('The packages', () => {
  it('are few, exact, and locked to the public registry with a checksum each', () => {
    const faults = ['', 'bench/', 'tests/libraries/'].flatMap((folder) => {
      const lock = JSON.parse(read(`${folder}package-lock.json`)).packages as Record<string, Record<string, unknown>>;
      return Object.entries(lock)
        .filter(([path, entry]) => path !== '' && !(entry.integrity && String(entry.resolved).startsWith(registry)))
        .map(([path]) => `${folder}${path}`);
    });
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
      string,
      Record<string, string>
    >;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, range]) => !/^(npm:[@\w/.-]+@)?\d/.test(range),
    );
    expect({ faults, loose }).toEqual({ faults: [], loose: [] });
    expect(Object.keys(dependencies ?? {})).toEqual(['undici']);
  });
});

describe('Each rule', () => {
  const file = (path: string, text: string): rules.SourceFile => ({ path, text });

  it('sees code and not prose', () => {
    const source = [
      `const a = 'import "x"'; // from 'y'`,
      'const b = `${`from "z" ${1}`} /* text */`; /* import("w") */',
      `const c = /['"/]/.test(a) ? 4 / 2 : "it's"; const d = { e: 1 }; import('v');`,
    ].join('\n');
    expect(importsOf(source)).toEqual(['v']);
    expect(codeOnly(source).length).toBe(source.length);
    expect(codeOnly(source).split('\n')[1]?.trimEnd()).toBe('const b = `${`         ${1}`}           `;');
  });

  it('reads every form of import', () => {
    const forms = [
      `import a, { b } from './1.ts';`,
      `import type { c } from "./2.ts";`,
      `import './3.ts';`,
      `export { d } from './4.ts';`,
      `const e = await import('./5.ts'); type F = import('./6.ts').F;`,
      `const g = require('./7.ts'); await import(name);`,
    ];
    expect(importsOf(forms.join('\n'))).toEqual([
      './1.ts',
      './2.ts',
      './3.ts',
      './4.ts',
      './5.ts',
      './6.ts',
      './7.ts',
      '(computed)',
    ]);
  });

  it('reads every form of export', () => {
    const forms = `
      export { a, b as c, type D } from './x.ts';  export type { E, F as G };
      export function* h() {}  export abstract class I {}  export interface J {}  export type K = 1;  export const l = 1;
    `;
    expect(exportsOf(forms)).toEqual({ values: ['I', 'a', 'c', 'h', 'l'], types: ['D', 'E', 'G', 'J', 'K'] });
  });

  it('finds an import against the arrows', () => {
    expect([
      ...rules.importFaults(file('core/a.ts', `import 'node:fs'; import '../io/b.ts'; import './c.ts';`)),
      ...rules.importFaults(file('io/a.ts', `import 'node:fs'; import '../core/b.ts'; import 'undici'; import 'fs';`)),
      ...rules.importFaults(file('io/testing/a.ts', `import '../../patches/b.ts'; import '../b.js';`)),
      ...rules.importFaults(file('patches/a.ts', `import '../samples/b.ts'; import '../io/b.ts'; import 'undici';`)),
      ...rules.importFaults(file('samples/a.ts', `import '../core/b.ts'; import './c.ts'; import 'tendril/core';`)),
    ]).toEqual([
      "core/a.ts: core/ may not import 'node:fs'",
      "core/a.ts: core/ may not import '../io/b.ts'",
      "io/a.ts: io/ may not import 'fs'",
      "io/testing/a.ts: io/ may not import '../../patches/b.ts'",
      "io/testing/a.ts: '../b.js' must end in .ts",
      "patches/a.ts: patches/ may not import '../samples/b.ts'",
      "patches/a.ts: patches/ may not import 'undici'",
      "samples/a.ts: samples/ may not import '../core/b.ts'",
    ]);
  });

  it('finds a header that is missing, misnamed, too short or too long', () => {
    const good = '// a.ts: one.\n//\n// Two.\nconst a = 1;\n';
    expect([
      rules.headerFaults(file('core/a.ts', good)).length,
      rules.headerFaults(file('core/a.ts', 'const a = 1;\n')).length,
      rules.headerFaults(file('core/b.ts', good)).length,
      rules.headerFaults(file('core/a.ts', '// a.ts: one.\nconst a = 1;\n')).length,
      rules.headerFaults(file('core/a.ts', `// a.ts: one.\n${'// more\n'.repeat(25)}`)).length,
    ]).toEqual([0, 1, 1, 1, 1]);
  });

  it('finds names without a subject', () => {
    const paths = ['core/utils.ts', 'core/common/a.ts', 'tests/types/a.test-d.ts', 'tests/helpers.ts', 'io/socket.ts'];
    expect(paths.filter((path) => rules.nameFaults({ path }).length > 0)).toEqual([
      'core/utils.ts',
      'core/common/a.ts',
      'tests/helpers.ts',
    ]);
  });

  it('finds default exports, star exports, the host and what is left for later', () => {
    expect(rules.exportFaults(file('io/a.ts', `export default 1; export * from './b.ts';`)).length).toBe(2);
    expect(rules.exportFaults(file('io/a.ts', `export { default as a } from './b.ts'; // export *`)).length).toBe(0);
    const text = `const a = Date.now() + Math.random(); process.exit(); // setTimeout\nconst b = { process: 1 }.process;`;
    expect(rules.hostFaults(file('core/a.ts', text)).length).toBe(3);
    expect(rules.hostFaults(file('io/a.ts', text)).length).toBe(2);
    expect(rules.hostFaults(file('io/node-driver.ts', text)).length).toBe(0);
    expect(rules.unfinishedFaults(file('io/a.ts', `one\n// ${'TO'}DO two\n`))).toHaveLength(1);
  });
});
