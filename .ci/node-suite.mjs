// node-suite.mjs: Node's own tests with every patch applied and with none, and what differs.
//
//   node .ci/node-suite.mjs FOLDER [PATTERN]     FOLDER is Node's source of this very version: it has test/parallel
//
// A test that passes without patches and fails with them, three times in a row, is a difference. Both runs load the library from the command line: only whether it
// patches differs. Needs `npm run build`. Not a part of CI: the source of Node is not ours to carry.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

const [
  folder,
  pattern = '^test-(timers?|set-|next-tick|queue-microtask|net|event|events|fs|dns|dgram|https?|child-process|stream|promise|async-local|async-hooks|async-wrap|readline|zlib|fetch|tls|abort|worker|messageport|microtask|process|util-promisify|whatwg-events)',
] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node .ci/node-suite.mjs FOLDER [PATTERN]');
  process.exit(2);
}
const register = path.resolve(import.meta.dirname, '../dist/patches/register.js');
const parallel = path.join(folder, 'test/parallel');
const files = readdirSync(parallel).filter((name) => /\.m?js$/.test(name) && new RegExp(pattern).test(name));

function runOnce(file, patches, thread) {
  const source = readFileSync(path.join(parallel, file), 'utf8');
  const flags = [...source.matchAll(/^\/\/ Flags:(.*)$/gm)].flatMap(([, line]) => line.trim().split(/\s+/));
  const env = {
    ...process.env,
    TENDRIL_PATCHES: patches,
    TEST_THREAD_ID: String(thread),
    TEST_PARALLEL: '1',
    NODE_TEST_KNOWN_GLOBALS: '0',
  };
  delete env.FORCE_COLOR;
  return new Promise((resolve) => {
    const options = { env, timeout: 60_000, killSignal: 'SIGKILL', maxBuffer: 2 ** 26, cwd: folder };
    execFile(
      process.execPath,
      [...flags, '--import', register, path.join(parallel, file)],
      options,
      (error, stdout, stderr) => resolve({ passed: error === null, output: `${stdout}${stderr}`.slice(0, 3000) }),
    ).stdin.end();
  });
}

async function passes(file, patches, thread, tries) {
  let last;
  for (let count = 0; count < tries; count += 1) {
    last = await runOnce(file, patches, thread);
    if (last.passed) return last;
  }
  return last;
}

const left = [...files];
const counts = { both: 0, neither: 0, different: 0 };
const neither = [];
const differences = [];
async function work(thread) {
  for (let file = left.shift(); file !== undefined; file = left.shift()) {
    const patched = await passes(file, 'all,promise', thread, 1);
    if (patched.passed) {
      counts.both += 1;
      continue;
    }
    const plain = await passes(file, '', thread, 3);
    if (!plain.passed) {
      counts.neither += 1;
      neither.push(file);
      continue;
    }
    const again = await passes(file, 'all,promise', thread, 2);
    if (again.passed) {
      counts.both += 1;
      continue;
    }
    counts.different += 1;
    differences.push(file);
    console.log(`DIFFERENT ${file}\n${again.output}\n`);
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, (_, index) => work(index)));
console.log(`passed neither way: ${neither.join(' ')}`);
console.log(
  `Node ${process.version}: ${files.length} tests; ${counts.both} pass with patches, ${counts.neither} pass neither way, ${counts.different} differ`,
);
for (const file of differences) console.log(`differs: ${file}`);
process.exitCode = counts.different === 0 ? 0 : 1;
