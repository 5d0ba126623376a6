// landing.test.ts: reads land in a buffer that all share, and those of a peer that sends in bulk in ones that are given away.
import { describe, expect, it } from 'vitest';
import { Landing } from '../../io/landing.ts';

const FULL = 65_536;

/** Let reads of these sizes land; each tells whether it was lent, and whether it was in the shared buffer. */
function land(landing: Landing, sizes: readonly number[]): string[] {
  let buffer = landing.first;
  return sizes.map((size) => {
    const where = buffer === new Landing().first ? 'shared' : 'own';
    const lent = landing.landed(size);
    buffer = landing.next() ?? buffer;
    return `${where} ${lent ? 'lent' : 'given'}`;
  });
}

describe('A landing', () => {
  it('is the shared buffer until a read fills it, and again after one that fills none', () => {
    const landing = new Landing();
    expect(land(landing, [100, FULL, FULL, FULL, 40_000, 100, FULL, 100, 100])).toEqual([
      'shared lent',
      'shared lent',
      'own given',
      'own given',
      'own given',
      'shared lent',
      'shared lent',
      'own lent',
      'shared lent',
    ]);
  });

  it('is a new buffer after each that was given away', () => {
    const landing = new Landing();
    const buffers = [0, 1, 2, 3].map(() => {
      landing.landed(FULL);
      return landing.next();
    });
    landing.leave();
    expect(new Set(buffers).size).toBe(4);
  });

  it('is the shared one for those who come when many have their own, until one of these leaves', () => {
    const owners = Array.from({ length: 512 }, () => {
      const landing = new Landing();
      landing.landed(FULL);
      landing.next();
      return landing;
    });
    const late = new Landing();
    late.landed(FULL);
    const refused = late.next();
    (owners[0] as Landing).leave();
    late.landed(FULL);
    const granted = late.next();
    for (const landing of [late, ...owners]) landing.leave();
    expect({ refused, granted: granted !== undefined && granted !== late.first }).toEqual({
      refused: undefined,
      granted: true,
    });
  });
});
