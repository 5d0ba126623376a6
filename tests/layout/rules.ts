// rules.ts: the rules of layout, each a function from one file to what is wrong with it.
//
// They take text and say nothing of the disk, so that the test can show each rule a file that breaks it.
import { posix } from 'node:path';
import { codeOnly, importsOf } from './source-text.ts';

/** A file of the tree; `path` is relative to the root and uses `/`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Arrow {
  readonly folders: readonly string[];
  readonly modules: readonly RegExp[];
}

// Who may import whom. `node:` is the host that the arrows of ARCHITECTURE.md leave open for patches, which exist to change it, and
// for samples, which are ordinary programs; core never sees it.
const arrows: Readonly<Record<string, Arrow>> = {
  core: { folders: ['core'], modules: [] },
  io: { folders: ['io', 'core'], modules: [/^node:/, /^undici$/] },
  patches: { folders: ['patches', 'io', 'core'], modules: [/^node:/] },
  // What an entry point's users install beside us: see `engines`.
  executors: { folders: ['executors', 'io', 'core'], modules: [/^node:/] },
  components: { folders: ['components', 'executors', 'io', 'core'], modules: [/^node:/] },
  // Types alone, which the compiler erases: the linter hands the plugin what it needs.
  eslint: { folders: ['eslint'], modules: [/^eslint$/, /^typescript$/, /^@typescript-eslint\/utils$/] },
  samples: { folders: ['samples'], modules: [/^node:/, /^tendril(\/[\w/-]+)?$/] },
};

// Packages behind an entry point of their own, whose users install them.
const engines: readonly (readonly [folder: string, module: RegExp])[] = [
  ['io/websocket/', /^ws$/],
  // A worker imports the module of the task that it is to run.
  ['executors/', /^\(computed\)$/],
  ['executors/threads/', /^piscina$/],
  ['executors/nats/', /^@nats-io\/(transport-node|jetstream)$/],
];

export const layers: readonly string[] = Object.keys(arrows);

/** Files that ship: they carry a header and keep to the limits of size. */
export const shipped: readonly string[] = ['core', 'io', 'patches', 'executors', 'components', 'eslint'];

const layerOf = (path: string): string => path.split('/')[0] as string;

/** Imports that run against the arrows, or that do not end in `.ts`. */
export function importFaults({ path, text }: SourceFile): string[] {
  const layer = layerOf(path);
  const arrow = arrows[layer];
  if (arrow === undefined) return [];
  const faults: string[] = [];
  for (const specifier of importsOf(text)) {
    if (engines.some(([folder, module]) => path.startsWith(folder) && module.test(specifier))) continue;
    if (specifier.startsWith('.')) {
      const target = layerOf(posix.join(posix.dirname(path), specifier));
      if (!arrow.folders.includes(target)) faults.push(`${path}: ${layer}/ may not import '${specifier}'`);
      else if (!specifier.endsWith('.ts')) faults.push(`${path}: '${specifier}' must end in .ts`);
    } else if (!arrow.modules.some((module) => module.test(specifier))) {
      faults.push(`${path}: ${layer}/ may not import '${specifier}'`);
    }
  }
  return faults;
}

/** A header is the block of `//` lines that opens the file: 3 to 25 of them, the first one `// <file-name>: what it is`. */
export function headerFaults({ path, text }: SourceFile): string[] {
  const lines = text.split('\n');
  if (lines[0]?.startsWith('#!') === true) lines.shift();
  const end = lines.findIndex((line) => !line.startsWith('//'));
  const length = end < 0 ? lines.length : end;
  const start = `// ${posix.basename(path)}: `;
  if (length === 0) return [`${path}: no header: the file must open with '${start}...'`];
  const faults: string[] = [];
  if (!(lines[0] as string).startsWith(start)) faults.push(`${path}: the header must open with '${start}...'`);
  if (length < 3 || length > 25) faults.push(`${path}: the header has ${length} lines; 3 to 25 are asked for`);
  return faults;
}

export const softLimit = 250;
export const hardLimit = 400;

export function lineCount({ text }: SourceFile): number {
  return text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

const forbiddenNames = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'types', 'constants']);

/** Names that say nothing: of any file, and of folders in what ships. */
export function nameFaults({ path }: Pick<SourceFile, 'path'>): string[] {
  const parts = path.split('/');
  const file = parts.pop() as string;
  const names = shipped.includes(layerOf(path)) ? [...parts, file] : [file];
  return names
    .filter((name) => forbiddenNames.has(name.split('.')[0] as string))
    .map((name) => `${path}: '${name}' names no subject; call it after what it holds`);
}

/** `export default` and `export *`. */
export function exportFaults({ path, text }: SourceFile): string[] {
  const code = codeOnly(text);
  const faults: string[] = [];
  if (/\bexport\s+default\b|\bas\s+default\b/.test(code)) faults.push(`${path}: default export; export by name`);
  if (/\bexport\s*(?:type\s*)?\*/.test(code)) faults.push(`${path}: 'export *'; list the names`);
  return faults;
}

const hostClock = ['Date', 'Math.random', 'performance', 'setTimeout'];
const host = [
  ...hostClock,
  'process',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'globalThis',
  'console',
  'Buffer',
];

/** The host, seen from where only the driver may see it: all of it in core, clocks and randomness in io. */
export function hostFaults({ path, text }: SourceFile): string[] {
  const layer = layerOf(path);
  if (layer !== 'core' && (layer !== 'io' || /driver/.test(posix.basename(path)))) return [];
  const code = codeOnly(text);
  return (layer === 'core' ? host : hostClock)
    .filter((name) => new RegExp(`(?<![\\w$.#])${name.replace('.', '\\s*\\.\\s*')}(?![\\w$]|\\s*\\??:)`).test(code))
    .map((name) => `${path}: '${name}' belongs to the host; ask the driver`);
}

// Written in two halves, so that this file does not report itself.
const leftForLater = new RegExp(`\\b(${'TO'}${'DO'}|${'FIX'}${'ME'})\\b`);

export function unfinishedFaults({ path, text }: SourceFile): string[] {
  return text.split('\n').flatMap((line, index) => {
    const found = leftForLater.exec(line)?.[0];
    return found === undefined ? [] : [`${path}:${index + 1}: ${found}; do it now or open an issue`];
  });
}
