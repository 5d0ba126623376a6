// registry.test.ts: what all patches have in common: applied once, listed, undone in any order, never over somebody else's.
import fs, { stat as namedStat } from 'node:fs';
import { createRequire } from 'node:module';
import {
  isPatched,
  onDidPatch,
  onWillPatch,
  original,
  PatchConflictError,
  patched,
  patchPromise,
} from 'tendril/patches';
import { afterEach, describe, expect, it } from 'vitest';
import { type AnyFunction, applyPatch, type Patch, type PatchName } from '../../patches/patch.ts';

const undoLater: Patch[] = [];
afterEach(() => {
  for (const patch of undoLater.splice(0)) patch.undo();
});

/** A patch of fs.stat whose function says its letter. */
function patchStat(name: PatchName, letter: string, path = 'stat'): Patch {
  const patch = applyPatch(name, (site) => {
    site.replace('fs', path, (below): AnyFunction => {
      return function (this: unknown, ...args: unknown[]) {
        const rest: unknown = args[0] === 'letters' && below === originalStat ? '' : below.apply(this, args);
        return site.switch.on && args[0] === 'letters' ? letter + String(rest) : rest;
      };
    });
  });
  undoLater.push(patch);
  return patch;
}
const originalStat: AnyFunction = fs.stat;
const descriptor = Object.getOwnPropertyDescriptor(fs, 'stat');
const letters = (): unknown => (fs.stat as AnyFunction)('letters');

describe('A patch', () => {
  it('F113 is applied once, however often it is asked for', () => {
    const first = patchStat('fs', 'a');
    const second = patchStat('fs', 'b');
    expect({ same: second === first, letters: letters(), active: first.active }).toEqual({
      same: true,
      letters: 'a',
      active: true,
    });
  });

  it('F113 leaves the descriptor identical when it is undone, twice too', () => {
    const patch = patchStat('fs', 'a');
    expect(fs.stat).not.toBe(originalStat);
    patch.undo();
    patch.undo();
    expect(Object.getOwnPropertyDescriptor(fs, 'stat')).toEqual(descriptor);
    expect(patch.active).toBe(false);
  });

  it.each([
    { order: [0, 1, 2], seen: ['cba', 'cb', 'c'] },
    { order: [0, 2, 1], seen: ['cba', 'cb', 'b'] },
    { order: [1, 0, 2], seen: ['cba', 'ca', 'c'] },
    { order: [1, 2, 0], seen: ['cba', 'ca', 'a'] },
    { order: [2, 0, 1], seen: ['cba', 'ba', 'b'] },
    { order: [2, 1, 0], seen: ['cba', 'ba', 'a'] },
  ])('F113 over two others is undone in any order: $order', ({ order, seen }) => {
    const patches = [patchStat('fs', 'a'), patchStat('net', 'b'), patchStat('dns', 'c')];
    const found: unknown[] = [];
    for (const index of order) {
      found.push(letters());
      patches[index]?.undo();
    }
    expect(found).toEqual(seen);
    expect(Object.getOwnPropertyDescriptor(fs, 'stat')).toEqual(descriptor);
  });

  it('F113 is not undone over what somebody else has put there since: it warns, passes on, and goes when they have gone', async () => {
    const warning = new Promise<Error>((resolve) => process.once('warning', resolve));
    const patch = patchStat('fs', 'a');
    const ours = fs.stat;
    const theirs = function (this: unknown, ...args: unknown[]): unknown {
      return `x${String((ours as AnyFunction).apply(this, args))}`;
    };
    fs.stat = theirs as unknown as typeof fs.stat;
    const overlaid = { letters: letters(), state: patched().places.map(({ state }) => state) };
    patch.undo();
    const after = {
      kept: fs.stat === (theirs as unknown),
      state: patched().places.map(({ state }) => state),
      active: patch.active,
    };
    fs.stat = ours;
    patch.undo();
    expect({ overlaid, after, warning: await warning }).toMatchObject({
      overlaid: { letters: 'xa', state: ['overlaid'] },
      after: { kept: true, state: ['stranded'], active: false },
      warning: {
        name: 'PatchWarning',
        code: 'TENDRIL_PATCH_OVERLAID',
        message: expect.stringMatching(/fs\.stat/) as string,
      },
    });
    expect(Object.getOwnPropertyDescriptor(fs, 'stat')).toEqual(descriptor);
  });

  it('F113 that was stranded is switched on again where it is when it is applied anew', () => {
    const first = patchStat('fs', 'a');
    const ours = fs.stat;
    fs.stat = ((...args: unknown[]) => `x${String((ours as AnyFunction)(...args))}`) as unknown as typeof fs.stat;
    first.undo();
    const second = patchStat('fs', 'a');
    const again = letters();
    first.undo();
    const untouched = letters();
    fs.stat = ours;
    second.undo();
    expect({ again, untouched }).toEqual({ again: 'xa', untouched: 'xa' });
    expect(Object.getOwnPropertyDescriptor(fs, 'stat')).toEqual(descriptor);
  });

  it('F114 is seen by those who import the name, and so is its undoing', () => {
    const unpatched = namedStat;
    const patch = patchStat('fs', 'a');
    const during = namedStat;
    patch.undo();
    expect({ during: during !== unpatched, after: namedStat === unpatched }).toEqual({ during: true, after: true });
  });

  it('F115 names the CommonJS files that were loaded before it', () => {
    const require = createRequire(import.meta.url);
    require('tough-cookie');
    const { loadedBefore } = patchStat('fs', 'a');
    expect(loadedBefore).toContain(require.resolve('tough-cookie'));
    expect(patched().patches.map(({ name }) => name)).toEqual(['fs']);
  });

  it('keeps name, length and other properties of the function', () => {
    patchStat('fs', 'a', 'exists');
    const { exists } = fs;
    expect({ name: exists.name, length: exists.length }).toEqual({ name: 'exists', length: 2 });
    expect(Object.getOwnPropertySymbols(exists)).toEqual(Object.getOwnPropertySymbols(original('fs', 'exists')));
  });

  it('that fails half way has changed nothing', () => {
    const failing = (): Patch =>
      applyPatch('fs', (site) => {
        site.replace('fs', 'stat', (below) => (() => below) as typeof below);
        throw new Error('half way');
      });
    expect(failing).toThrow('half way');
    expect(Object.getOwnPropertyDescriptor(fs, 'stat')).toEqual(descriptor);
    expect(patched()).toEqual({ patches: [], places: [] });
  });

  it('is asked about before, and told of after', () => {
    const told: string[] = [];
    const links = [
      onWillPatch(({ patch }) => void told.push(`will ${patch}`)),
      onDidPatch(({ patch, action }) => void told.push(`did ${action} ${patch}`)),
    ];
    patchPromise().undo();
    for (const unlink of links) unlink();
    patchPromise().undo();
    expect(told).toEqual(['will promise', 'did apply promise', 'did undo promise']);
  });

  it('can be vetoed, and says why', () => {
    const unlink = onWillPatch((event) => {
      event.veto('not here');
      event.veto('too late');
    });
    const patch = patchPromise();
    unlink();
    expect({ active: patch.active, vetoed: patch.vetoed, patched: isPatched('globalThis') }).toEqual({
      active: false,
      vetoed: 'not here',
      patched: false,
    });
  });

  it('is a disposable', () => {
    const patch = patchPromise();
    patch[Symbol.dispose]();
    expect(patch.active).toBe(false);
  });

  it('of another copy of the package is not patched over', () => {
    // What another copy leaves behind: owners.ts of its own, under the same symbol of the process.
    const host = process as unknown as Record<symbol, unknown>;
    const key = Symbol.for('tendril.patches.owners');
    const owner = 'file:///other/tendril/patches/owners.js';
    host[key] = { of: new WeakMap([[Promise.prototype, { owner, places: 1 }]]), places: 1 };
    let caught: unknown;
    try {
      patchPromise();
    } catch (error) {
      caught = error;
    }
    delete host[key];
    expect(caught).toBeInstanceOf(PatchConflictError);
    expect(caught).toMatchObject({ code: 'ERR_PATCH_CONFLICT', owner });
    expect(Symbol.iterator in Promise.prototype).toBe(false);
  });
});

describe('What is patched', () => {
  it('can be asked for, and what was there before', () => {
    patchStat('fs', 'a');
    expect({
      module: isPatched('node:fs'),
      name: isPatched('fs', 'stat'),
      other: isPatched('fs', 'open'),
      elsewhere: isPatched('net'),
      original: original('node:fs', 'stat') === originalStat,
      unpatched: original('fs', 'open') === fs.open,
      table: patched().places,
    }).toEqual({
      module: true,
      name: true,
      other: false,
      elsewhere: false,
      original: true,
      unpatched: true,
      table: [{ patch: 'fs', module: 'fs', name: 'stat', state: 'active' }],
    });
  });

  it.each([
    ['no module', () => isPatched('nothing')],
    ['no string', () => isPatched(5 as never)],
    ['no name', () => original('fs', 'nothing')],
    ['a name of Object.prototype', () => original('fs', '__proto__')],
    ['a symbol', () => original('fs', Symbol.iterator as never)],
    ['a listener that is none', () => onWillPatch('x' as never)],
  ])('refuses %s', (_, ask) => {
    expect(ask).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error);
  });

  it('leaves no growth after 1,000 cycles', () => {
    for (let cycle = 0; cycle < 1000; cycle += 1) patchStat('fs', 'a').undo();
    expect(patched()).toEqual({ patches: [], places: [] });
    expect(Object.getOwnPropertyDescriptor(fs, 'stat')).toEqual(descriptor);
  });
});
