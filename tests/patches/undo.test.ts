// undo.test.ts: whatever is patched, in whatever order, is afterwards what it was: every property of every module of Node.
import { describe, expect, it } from 'vitest';
import { runProgram } from '../io/process-program.ts';

const names = ['promise', 'events', 'timers', 'net', 'dns', 'fs', 'childProcess', 'fetch', 'blocking'];

/** Opens each program: `snapshot()` has the descriptors of all properties of the globals, of Node's modules and of what these have in them; `changes(before)` names what differs. */
const opening = `
import { builtinModules } from 'node:module';
import * as patches from 'tendril/patches';

const { patchAll, patched } = patches;
process.removeAllListeners('warning');
const roots = new Map([['globalThis', globalThis]]);
for (const name of builtinModules) {
  if (/^_|sys|punycode|wasi|trace_events|inspector|sqlite/.test(name)) continue;
  // Some are listed and can only be imported.
  const module = process.getBuiltinModule('node:' + name.replace(/^node:/, ''));
  if (module !== undefined) roots.set(name, module);
}

function snapshot() {
  const seen = new Map();
  const visit = (name, object, depth) => {
    if ((typeof object !== 'object' && typeof object !== 'function') || object === null || seen.has(object)) return;
    const descriptors = Object.getOwnPropertyDescriptors(object);
    seen.set(object, { name, descriptors });
    if (depth === 0) return;
    for (const key of Reflect.ownKeys(descriptors)) visit(name + '.' + String(key), descriptors[key].value, depth - 1);
  };
  for (const [name, object] of roots) visit(name, object, 3);
  return seen;
}

const parts = ['value', 'get', 'set', 'writable', 'enumerable', 'configurable'];
function changes(before) {
  const found = [];
  for (const [object, { name, descriptors }] of before) {
    const now = Object.getOwnPropertyDescriptors(object);
    const keys = new Set([...Reflect.ownKeys(descriptors), ...Reflect.ownKeys(now)]);
    for (const key of keys) {
      const [was, is] = [descriptors[key], now[key]];
      if (was === undefined || is === undefined || parts.some((part) => !Object.is(was[part], is[part]))) found.push(name + '.' + String(key));
    }
    if (Reflect.ownKeys(descriptors).map(String).join() !== Reflect.ownKeys(now).map(String).join()) found.push('the order in ' + name);
  }
  return found;
}

const apply = (name) => patches['patch' + name[0].toUpperCase() + name.slice(1)]();
// What Node makes when it is first asked for is there before anything is compared.
for (const object of roots.values()) for (const key of Reflect.ownKeys(object)) Reflect.get(object, key);
`;

/** What changes by itself while a program runs: nothing that a patch has put there. */
const alive = /^(process|globalThis\.process|perf_hooks|.*\._events|.*\._eventsCount)/;

describe('Undone, a patch', () => {
  it.each(names)('%s has changed something and left nothing', async (name) => {
    const { stdout, stderr, code } = await runProgram(`${opening}
      const before = snapshot();
      const patch = apply(${JSON.stringify(name)});
      const during = changes(before);
      const { places } = patched();
      patch.undo();
      console.log(JSON.stringify({ during: during.length, places: places.length, after: changes(before), table: patched() }));
    `);
    const told = JSON.parse(stdout || '{}') as { during: number; places: number; after: string[]; table: unknown };
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(told.after.filter((place) => !alive.test(place))).toEqual([]);
    expect({ changed: told.during > 0, listed: told.places > 0, table: told.table }).toEqual({
      changed: true,
      listed: true,
      table: { patches: [], places: [] },
    });
  });

  it('F113 leaves nothing in 200 orders of applying and undoing all of them', async () => {
    const { stdout, stderr, code } = await runProgram(`${opening}
      const before = snapshot();
      let state = 1;
      const random = (below) => (state = (state * 48271) % 2147483647) % below;
      const shuffled = (list) => {
        const left = [...list];
        return list.map(() => left.splice(random(left.length), 1)[0]);
      };
      let wrong = [];
      for (let round = 0; round < 200 && wrong.length === 0; round += 1) {
        const order = shuffled(${JSON.stringify(names)});
        const applied = order.map(apply);
        const undone = shuffled(applied);
        for (const patch of undone) {
          // Now and then one is taken back at once.
          if (random(4) === 0) apply(patch.name).undo();
          patch.undo();
        }
        wrong = changes(before).map((place) => order.join() + ' / ' + undone.map(({ name }) => name).join() + ': ' + place);
      }
      console.log(JSON.stringify({ wrong, table: patched() }));
    `);
    const told = JSON.parse(stdout || '{}') as { wrong: string[]; table: unknown };
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(told.wrong.filter((line) => !alive.test(line.split(': ').at(-1) as string))).toEqual([]);
    expect(told.table).toEqual({ patches: [], places: [] });
  });

  it('leaves no growth after 1,000 cycles of all of them', async () => {
    const { stdout, stderr, code } = await runProgram(
      `${opening}
      const cycle = () => {
        const all = patchAll();
        const promise = apply('promise');
        promise.undo();
        all.undo();
      };
      const used = () => {
        gc();
        return process.memoryUsage().heapUsed;
      };
      for (let count = 0; count < 200; count += 1) cycle();
      const before = used();
      for (let count = 0; count < 1000; count += 1) cycle();
      console.log(Math.round((used() - before) / 1000), process._getActiveHandles().length, patched().places.length);
    `,
      { script: '"$1" --expose-gc "$2"' },
    );
    const [bytesACycle, , places] = stdout.trim().split(' ').map(Number);
    expect({ code, stderr, places, flat: (bytesACycle as number) < 500 }).toEqual({
      code: 0,
      stderr: '',
      places: 0,
      flat: true,
    });
  });
});
