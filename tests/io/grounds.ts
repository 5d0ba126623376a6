// grounds.ts: where servers and datagrams are tried: real loopback and the simulated network. Each says what is left afterwards: nothing may be.
import { type Op, openHandles, run } from 'tendril';
import { simulate } from 'tendril/testing';
import { expect } from 'vitest';
import { nothingLeft } from './peers.ts';

export const grounds: readonly (readonly [name: string, play: (body: () => Op<void>) => Promise<void>])[] = [
  [
    'real loopback',
    async (body) => {
      await run(body);
      nothingLeft();
    },
  ],
  [
    'the simulated network',
    async (body) => {
      await simulate(function* ({ net }) {
        yield* body();
        expect(net.leftovers()).toEqual([]);
      });
      expect(openHandles().names).toEqual([]);
    },
  ],
];
