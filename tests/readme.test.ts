// readme.test.ts: the code in README.md does what it says. The pages of docs/ are run with the long tests.
import { describe, expect, it } from 'vitest';
import { blocksOf, testPages } from './pages/blocks.ts';

describe('README.md', () => testPages(['README.md'], 60_000));

describe('A page', () => {
  it('is read as programs, blocks that compile and fragments', () => {
    const page = [
      'one',
      '```ts',
      'a();',
      '```',
      'prints',
      '```text',
      'A',
      '```',
      '```ts fragment',
      'b(',
      '```',
      '```ts',
      'c();',
      '```',
    ];
    const read = blocksOf('x.md', page.join('\n')).map(({ place, code, fragment, printed }) => ({
      place,
      code,
      fragment,
      printed,
    }));
    expect(read).toEqual([
      { place: 'x.md:2', code: 'a();\n', fragment: false, printed: 'A\n' },
      { place: 'x.md:9', code: 'b(\n', fragment: true, printed: undefined },
      { place: 'x.md:12', code: 'c();\n', fragment: false, printed: undefined },
    ]);
  });
});
