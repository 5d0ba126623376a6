// debugger.test.ts: a line for each event and each failure. The behaviours of circuits' own test_debugger, but for its log files.
import { sleep } from 'tendril';
import { Debugger, defineEvent, registered } from 'tendril/components';
import { describe, expect, it } from 'vitest';
import { below, onStage } from './stage.ts';

const say = defineEvent<[text: string, options?: object]>('say');
const quiet = defineEvent('quiet');

describe('A debugger', () => {
  it('writes each event with its arguments and channels, and each failure, and handles nothing', () =>
    onStage(function* ({ app, lost }) {
      const lines: string[] = [];
      const watch = new Debugger({ write: (line) => lines.push(line), ignore: [quiet, registered] }).register(app);
      const room = below(app, { name: 'room', channel: 'room' });
      room.on(say, function speak(text) {
        if (text === 'fail') throw new Error('no voice');
      });
      room.fire(say('hello', { loud: true }));
      app.fire(say('x'.repeat(50)));
      app.fire(quiet());
      room.fire(say('fail'));
      yield* app.settled();
      watch.enabled = false;
      room.fire(say('unseen'));
      yield* app.settled();
      yield* sleep(1);
      expect([lines, lost.map(String)]).toEqual([
        [
          'say("hello", object (Object)) on room',
          `say("${'x'.repeat(40)}...") on *`,
          'say("fail") on room',
          'speak of component room failed at say("fail") on room: no voice',
        ],
        ['Error: no voice'],
      ]);
    }));

  it('needs a function to write with', () => {
    expect(() => new Debugger({} as never)).toThrow('Debugger: write must be a function, not undefined');
    expect(() => new Debugger({ write: () => {}, ignore: ['x'] as never })).toThrow('Debugger: ignore takes a type');
  });
});
