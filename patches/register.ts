// register.ts: `node --import tendril/patches/register app.js`: patches before anything of the program loads.
//
// The one module of this package that does something by being imported: patchAll(). TENDRIL_PATCHES names others: `all,promise`, `timers,net`. A worker thread that
// inherits the option of the command line patches itself; it has modules and globals of its own.
// Source: `python -m gevent.monkey`.

import { patchAll } from './all.ts';
import type { PatchName } from './patch.ts';

const asked = process.env.TENDRIL_PATCHES ?? 'all';
const words = asked
  .split(',')
  .map((word) => word.trim())
  .filter((word) => word !== '');
if (words.includes('all')) patchAll();
// patchAll checks the names.
patchAll({ only: words.filter((word) => word !== 'all') as PatchName[] });
