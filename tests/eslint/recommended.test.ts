// recommended.test.ts: the flat config, as a user has it, over programs of users.
import { fileURLToPath } from 'node:url';
import * as parser from '@typescript-eslint/parser';
import { ESLint } from 'eslint';
import { plugin, recommended } from 'tendril/eslint';
import { describe, expect, it } from 'vitest';
import { filename } from './rule-cases.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function linter(project: string): ESLint {
  const languageOptions = { parser, parserOptions: { project: [project], tsconfigRootDir: root } };
  return new ESLint({
    cwd: root,
    overrideConfigFile: true,
    overrideConfig: [{ files: ['**/*.ts'], languageOptions }, recommended],
  });
}

function found(results: readonly ESLint.LintResult[]): string[] {
  return results.flatMap(({ filePath, messages }) =>
    messages.map(({ line, ruleId, message }) => `${filePath.slice(root.length)}:${line} ${ruleId}: ${message}`),
  );
}

describe('The recommended config', () => {
  it('finds nothing in the samples', { timeout: 120_000 }, async () => {
    const results = await linter('./tsconfig.json').lintFiles(['samples/**/*.ts']);
    expect(results.length).toBeGreaterThan(5);
    expect(found(results)).toEqual([]);
  });

  it('finds both mistakes in a program that has them', { timeout: 60_000 }, async () => {
    const code =
      "import { sleep } from 'tendril';\nexport function* nap() {\n  sleep(1);\n  try {\n    yield* sleep(2);\n  } catch {}\n}\n";
    const [result] = await linter('./tests/eslint/fixture/tsconfig.json').lintText(code, { filePath: filename });
    expect(result?.messages.map(({ line, ruleId, severity }) => ({ line, ruleId, severity }))).toEqual([
      { line: 3, ruleId: 'tendril/no-floating-op', severity: 2 },
      { line: 6, ruleId: 'tendril/no-swallowed-kill', severity: 2 },
    ]);
  });

  it('leaves JavaScript alone, which has no types', async () => {
    const [result] = await linter('./tsconfig.json').lintText('sleep(1);\n', { filePath: `${root}some.js` });
    expect(result?.messages).toEqual([]);
  });

  it('is found in the plugin too', () => {
    expect(Object.keys(plugin.rules ?? {}).map((rule) => `tendril/${rule}`)).toEqual(
      Object.keys(recommended.rules ?? {}),
    );
    expect(plugin.configs?.recommended).toBe(recommended);
  });
});
