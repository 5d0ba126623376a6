// docs.test.ts: the code in docs/ does what it says.
import { readdirSync } from 'node:fs';
import { describe } from 'vitest';
import { root, testPages } from '../pages/blocks.ts';

const pages = readdirSync(`${root}docs`)
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);

describe('The pages of docs/', () => testPages(pages, 240_000));
