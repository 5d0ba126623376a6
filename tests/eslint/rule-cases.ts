// rule-cases.ts: runs the cases of a rule as tests of vitest, with tendril's own types behind the code.
//
// Each case is code in a generator function's module; its name is the title of the test.
import { fileURLToPath } from 'node:url';
import * as parser from '@typescript-eslint/parser';
import { type Rule, RuleTester } from 'eslint';
import { describe, it } from 'vitest';

const fixture = fileURLToPath(new URL('./fixture/', import.meta.url));

// The first case loads the program, which takes seconds on a busy machine.
const patient = (title: string, test: () => void): void => {
  it(title, { timeout: 60_000 }, test);
};

RuleTester.describe = describe;
RuleTester.it = patient;
RuleTester.itOnly = () => {
  throw new Error('a case is marked `only`');
};

/** A linter of one rule whose code is typed against the sources of tendril. */
export const typedTester: RuleTester = new RuleTester({
  languageOptions: { parser, parserOptions: { project: ['./tsconfig.json'], tsconfigRootDir: fixture } },
});

/** One without types, for JavaScript. */
export const plainTester: RuleTester = new RuleTester({ languageOptions: { ecmaVersion: 2023, sourceType: 'module' } });

export const filename: string = `${fixture}code.ts`;

export interface Valid {
  readonly name: string;
  readonly code: string;
}

export interface Invalid extends Valid {
  readonly errors: readonly string[];
  /** The code after each suggestion, in order; undefined for an error that has none. */
  readonly suggested?: readonly (string | undefined)[];
  /** The code after the fix. */
  readonly fixed?: string;
}

/** Check `rule` against the cases; `suggestion` is the message id of its suggestions. */
export function checkRule(
  name: string,
  rule: Rule.RuleModule,
  suggestion: string,
  cases: { valid: readonly Valid[]; invalid: readonly Invalid[] },
  tester: RuleTester = typedTester,
): void {
  const place = tester === typedTester ? { filename } : {};
  tester.run(name, rule, {
    valid: cases.valid.map((each) => ({ ...each, ...place })),
    invalid: cases.invalid.map(({ name: title, code, errors, suggested, fixed }) => ({
      name: title,
      code,
      ...place,
      output: fixed ?? null,
      errors: errors.map((messageId, index) => {
        const output = suggested?.[index];
        return output === undefined ? { messageId } : { messageId, suggestions: [{ messageId: suggestion, output }] };
      }),
    })),
  });
}
