// coverage-table.ts: compares each twin with Node's module, and makes the page of the manual from what was found on each Node.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isOp } from '../../core/op.ts';
import { type ModuleName, type ModuleReasons, moduleNames, pending, reasons } from './coverage-reasons.ts';
import { samples } from './coverage-samples.ts';

const KINDS = ['Op', 'class of Ops', 'passed through', 'left out'] as const;
export type Kind = (typeof KINDS)[number];
export type Row = readonly [kind: Kind, why?: string];
/** By module and name: `Op`, or `left out: why`. */
export type Table = Record<string, Record<string, string>>;

/** Where the tables are, one for each Node. */
export const folder: string = path.join(import.meta.dirname, 'twin-tables');

/** The modules whose twins are written. */
export const written: readonly ModuleName[] = moduleNames.filter((name) => !pending.includes(name));

type Names = Readonly<Record<string, unknown>>;

export async function twinOf(module: ModuleName): Promise<Names> {
  switch (module) {
    case 'child_process':
      return await import('tendril/patches/child_process');
    case 'crypto':
      return await import('tendril/patches/crypto');
    case 'dns':
      return await import('tendril/patches/dns');
    case 'fs':
      return await import('tendril/patches/fs');
    case 'http':
      return await import('tendril/patches/http');
    case 'net':
      return await import('tendril/patches/net');
    case 'readline':
      return await import('tendril/patches/readline');
    case 'stream':
      return await import('tendril/patches/stream');
    case 'timers':
      return await import('tendril/patches/timers');
    default:
      return await import('tendril/patches/zlib');
  }
}

export async function nodeModule(module: ModuleName): Promise<Names> {
  const { default: _, ...names } = (await import(/* @vite-ignore */ `node:${module}`)) as Names;
  return names;
}

/** The reason for `name` in one group of a module's. */
export function reasonFor(module: ModuleName, group: keyof ModuleReasons, name: string): string | undefined {
  return Object.entries(reasons[module][group] ?? {}).find(([, names]) => names.includes(name))?.[0];
}

/** The arguments for a function that is an Op. */
export function sampleFor(module: ModuleName, name: string): readonly unknown[] | undefined {
  return samples[module][name] ?? samples[module][name.replace(/Sync$/, '')];
}

/** What the twin makes of a function of Node's; a string says what is wrong. */
export function rowOf(module: ModuleName, name: string, nodes: unknown, twin: Names): Row | string {
  const place = `${module}.${name}`;
  const stated = (group: keyof ModuleReasons, kind: Kind, found: string): Row | string => {
    const why = reasonFor(module, group, name);
    return why === undefined ? `${place} is ${found}: say why in tests/patches/coverage-reasons.ts` : [kind, why];
  };
  if (!(name in twin)) return stated('leftOut', 'left out', 'not in the twin');
  if (nodes === undefined) return stated('elsewhere', 'Op', 'undefined in Node, on this platform');
  if (twin[name] === nodes) return stated('passedThrough', 'passed through', 'passed through');
  if (reasonFor(module, 'passedThrough', name) !== undefined)
    return stated('passedThrough', 'passed through', 'passed through');
  if (reasonFor(module, 'classes', name) !== undefined) return stated('classes', 'class of Ops', 'a class');
  const sample = sampleFor(module, name);
  if (sample === undefined) return `${place} needs arguments in tests/patches/coverage-samples.ts`;
  const given = (twin[name] as (...args: unknown[]) => unknown)(...sample);
  if (!isOp(given)) return `${place} does not return an Op`;
  return name.endsWith('Sync') ? ['Op', 'does the asynchronous call'] : ['Op'];
}

/** The table of this Node, and what is wrong. */
export async function tableOfThisNode(): Promise<{ table: Table; faults: string[] }> {
  const table: Table = {};
  const faults: string[] = [];
  for (const module of written) {
    const rows: Record<string, string> = {};
    const twin = await twinOf(module);
    const nodes = await nodeModule(module);
    for (const name of Object.keys(nodes).sort()) {
      if (typeof nodes[name] === 'function' || nodes[name] === undefined) {
        const row = rowOf(module, name, nodes[name], twin);
        if (typeof row === 'string') faults.push(row);
        else rows[name] = row.join(': ');
      } else if (twin[name] !== nodes[name]) {
        faults.push(`${module}.${name} is no function, and not the same in the twin`);
      }
    }
    table[module] = rows;
  }
  return { table, faults };
}

/** The tables that are checked in, by the Node that they are of. */
export function checkedIn(): ReadonlyMap<number, Table> {
  const found = readdirSync(folder)
    .map((file) => /^node-(\d+)\.json$/.exec(file)?.[1])
    .filter((major) => major !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
  return new Map(found.map((major) => [major, JSON.parse(readFileSync(tableFile(major), 'utf8')) as Table]));
}

export function tableFile(major: number): string {
  return path.join(folder, `node-${major}.json`);
}

const HEAD = `# Coverage of the twins

What each [twin](twins.md) makes of each function of Node's module, on Node NODES. This page is made by a test from what it finds on each of
these; it fails when Node has a function of which the twin says nothing.

**Op**: \`yield*\` gives what Node gives to the callback, or what the blocking call returns. **class of Ops**: a class or an object of the twin's own whose methods are Ops.
**passed through**: Node's own. **left out**: not exported. Values that are no functions (\`constants\`, \`promises\`, ...) are Node's own.
`;

/** The page of the manual. */
export function page(tables: ReadonlyMap<number, Table>): string {
  const nodes = [...tables.keys()];
  const parts = [HEAD.replace('NODES', listed(nodes))];
  for (const module of moduleNames) {
    const names = [...new Set(nodes.flatMap((node) => Object.keys(tables.get(node)?.[module] ?? {})))];
    if (names.length === 0) continue;
    names.sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    const rows = names.map((name) => pageRow(name, module, tables));
    const counts = KINDS.map((kind) => [kind, rows.filter((row) => row.includes(`| ${kind} |`)).length] as const);
    const told = counts.filter(([, count]) => count > 0).map(([kind, count]) => `${kind}: ${count}`);
    const head = `\n## ${module}\n\n${told.join('; ')}.\n\n`;
    parts.push(`${head}| name | twin | why | Node |\n|---|---|---|---|\n${rows.join('\n')}\n`);
    const added = Object.entries(reasons[module].added ?? {});
    const more = added.map(([why, extra]) => `${extra.map((name) => `\`${name}\``).join(', ')} (${why})`);
    if (more.length > 0) parts.push(`\nBeyond Node's names: ${more.join('; ')}.\n`);
  }
  return parts.join('');
}

function pageRow(name: string, module: string, tables: ReadonlyMap<number, Table>): string {
  const nodes = [...tables.keys()];
  const having = nodes.filter((node) => tables.get(node)?.[module]?.[name] !== undefined);
  const newest = having.at(-1) as number;
  const [kind, ...why] = ((tables.get(newest) as Table)[module]?.[name] ?? 'left out').split(': ');
  return `| \`${name}\` | ${kind} | ${why.join(': ')} | ${having.length === nodes.length ? '' : having.join(', ')} |`;
}

function listed(values: readonly number[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} and ${values.at(-1)}`;
}
