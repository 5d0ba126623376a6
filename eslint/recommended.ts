// recommended.ts: the plugin object, and the flat config that most programs want.
//
// The config names TypeScript files only, because no-floating-op asks for types. no-swallowed-kill does without: name it in a
// config of your own for JavaScript.
//
// The parser is the user's: typescript-eslint with type information (docs/eslint.md shows the set-up).

import type { ESLint, Linter } from 'eslint';
import { noFloatingOp } from './no-floating-op.ts';
import { noSwallowedKill } from './no-swallowed-kill.ts';

const configs: Record<string, Linter.Config> = {};

/** The plugin: `plugins: { tendril: plugin }` gives `tendril/no-floating-op` and `tendril/no-swallowed-kill`. */
export const plugin: ESLint.Plugin = {
  meta: { name: 'tendril/eslint', namespace: 'tendril' },
  rules: { 'no-floating-op': noFloatingOp, 'no-swallowed-kill': noSwallowedKill },
  configs,
};

/** A flat config with both rules as errors, for TypeScript files. */
export const recommended: Linter.Config = {
  name: 'tendril/recommended',
  files: ['**/*.{ts,tsx,mts,cts}'],
  plugins: { tendril: plugin },
  rules: { 'tendril/no-floating-op': 'error', 'tendril/no-swallowed-kill': 'error' },
};

configs.recommended = recommended;
