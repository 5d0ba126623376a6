// wide-tree.test.ts: a tree of components that is wider than a call may have arguments, some 120,000: nothing in it may be spread.
import { Component, defineEvent } from 'tendril/components';
import { simulate } from 'tendril/testing';
import { expect, it } from 'vitest';

const note = defineEvent<[text: string]>('note');

it('A tree may have more components, and handlers of one event, than a call may have arguments', async () => {
  const app = new Component({ name: 'app' });
  let heard = 0;
  for (let i = 0; i < 150_000; i += 1) {
    new Component({ name: 'one of many' }).register(app);
    app.on(note, () => {
      heard += 1;
    });
  }
  await simulate(() => app.run(() => app.call(note('x'))));
  expect(heard).toBe(150_000);
});
