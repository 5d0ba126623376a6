// check-maps.mjs: every map in an installed package leads to a source that the package holds.
//
// Usage: node check-maps.mjs <folder of the package>
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const folder = resolve(process.argv[2]);
const files = readdirSync(join(folder, 'dist'), { recursive: true }).map((name) => join(folder, 'dist', String(name)));
const maps = files.filter((file) => file.endsWith('.map'));
const faults = files
  .filter((file) => /\.(js|d\.ts)$/.test(file) && !existsSync(`${file}.map`))
  .map((file) => `${file} has no map`);
for (const map of maps) {
  const { sourceRoot = '', sources } = JSON.parse(readFileSync(map, 'utf8'));
  for (const source of sources) {
    if (!existsSync(resolve(dirname(map), sourceRoot, source)))
      faults.push(`${map} names ${source}, which is not there`);
  }
}
if (maps.length === 0) faults.push(`${folder} holds no maps`);
console.log(`${maps.length} maps`);
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exitCode = 1;
}
