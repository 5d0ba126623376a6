// index.ts: the public names of `tendril/eslint`: two rules and a flat config that switches them on.
//
// Nothing of the run-time library is in here, and nothing is imported when it runs: ESLint hands each rule what it needs, the
// types of the program among it.

export { noFloatingOp } from './no-floating-op.ts';
export { noSwallowedKill } from './no-swallowed-kill.ts';
export { plugin, recommended } from './recommended.ts';
