// codes.test.ts: every error that the kernel makes itself has a stable code: nobody has to match a message.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const folders = ['../../core/', '../../core/testing/', '../../io/', '../../io/testing/'].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
);

describe('S18 Errors have codes', () => {
  it('no file throws a bare Error, TypeError or RangeError', () => {
    const bare = folders.flatMap((folder) =>
      readdirSync(folder)
        .filter((file) => file.endsWith('.ts') && file !== 'bad-argument.ts')
        .flatMap((file) =>
          readFileSync(folder + file, 'utf8')
            .split('\n')
            // check() is for tests: what it throws says that an invariant of ours is broken.
            .filter((line) => /throw new (Type|Range)Error\(|= new (Type|Range)Error\(/.test(line))
            .map((line) => `${file}: ${line.trim()}`),
        ),
    );
    expect(bare).toEqual([]);
  });
});
