// channels-processes.test.ts: channels between real processes: a child that works, one that is killed with SIGKILL, and two that talk over a socket.
import { type ChildProcess, fork } from 'node:child_process';
import { once as eventOf } from 'node:events';
import { type Op, run, spawn, until } from 'tendril';
import { ChannelLostError, processChannel } from 'tendril/executors/channels';
import { afterEach, describe, expect, it } from 'vitest';
import { moduleFile } from '../program-file.ts';
import { thrownBy } from '../thrown-by.ts';

const program = moduleFile(`
  import { run, forEach, spawn, sleep } from 'tendril';
  import { processChannel } from 'tendril/executors/channels';
  await run(function* () {
    if (process.argv[2] === 'late') yield* sleep(50);
    const words = processChannel(process, 'words', { capacity: 2 });
    const numbers = processChannel(process, 'numbers', { capacity: 8 });
    spawn(() => forEach(numbers, function* (n) { yield* numbers.send(n * 2); }));
    yield* forEach(words, function* (word) { yield* words.send(word.toUpperCase()); });
  });
`);

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function child(serialization: 'advanced' | 'json', ...args: string[]): ChildProcess {
  const started = fork(program, args, { serialization, execArgv: [] });
  children.push(started);
  return started;
}

/** What `op` gives, or the code of what it throws. */
function* outcomeOf(op: Op<unknown>): Op<{ readonly code: string; readonly value?: unknown }> {
  try {
    return { code: 'ok', value: yield* op };
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
}

describe('A channel to a child process', () => {
  it.each(['', 'late'])(
    'is one of several over one connection, whoever opens it first, and the child ends by itself %s',
    (when) =>
      run(function* () {
        const process = child('advanced', when);
        const exited = eventOf(process, 'exit');
        const words = processChannel<string>(process, 'words', { capacity: 2 });
        const numbers = processChannel<bigint | number>(process, 'numbers');
        expect(() => processChannel(process, 'words')).toThrow(/channel words with child process \d+ is open/);
        yield* words.send('one');
        yield* numbers.send(21);
        yield* words.send('two');
        expect([yield* numbers.receive(), yield* words.receive(), yield* words.receive()]).toEqual([42, 'ONE', 'TWO']);
        words.close();
        numbers.close();
        // Nobody waits in the child any more, and its listeners do not hold it.
        expect(yield* until(exited)).toEqual([0, null]);
      }),
  );

  it('is lost when the child is killed, for whoever waits and whoever comes', () =>
    run(function* () {
      const process = child('advanced');
      const words = processChannel<string>(process, 'words', { capacity: 2 });
      yield* words.send('one');
      expect(yield* words.receive()).toBe('ONE');
      const waiting = spawn(() => thrownBy(words.receive()));
      process.kill('SIGKILL');
      expect(yield* waiting.get()).toBeInstanceOf(ChannelLostError);
      expect(yield* thrownBy(words.send('two'))).toMatchObject({
        code: 'ERR_CHANNEL_LOST',
        message: expect.stringMatching(/the other side is lost: child process \d+ has ended or disconnected/),
      });
      expect(() => processChannel(process, 'later')).toThrow('the connection of the two processes has ended');
    }));

  it('refuses a connection that would change values without a word', () =>
    run(function* () {
      const words = processChannel<string>(child('json'), 'words', { capacity: 2 });
      expect(yield* thrownBy(words.receive())).toMatchObject({
        code: 'ERR_CHANNEL_LOST',
        message: expect.stringContaining("start the child with serialization: 'advanced'"),
      });
    }));

  it('has an error in the place of a value that was written and cannot be read, in either process', () =>
    run(function* () {
      const nested = moduleFile(`
        import { run } from 'tendril';
        import { processChannel } from 'tendril/executors/channels';
        const values = processChannel(process, 'values', { capacity: 4 });
        await run(function* () {
          for (;;) {
            try {
              yield* values.send(yield* values.receive());
            } catch (error) {
              if (error.code === 'ERR_CHANNEL_CLOSED') return;
              yield* values.send(error.code);
            }
          }
        });
      `);
      const process = fork(nested, [], { serialization: 'advanced', execArgv: [] });
      children.push(process);
      const exited = eventOf(process, 'exit');
      const values = processChannel<unknown>(process, 'values', { capacity: 4 });
      const outcomes = new Set<string>();
      for (let depth = 500; depth <= 6000; depth += 250) {
        let value: object = {};
        for (let i = 0; i < depth; i += 1) value = { value };
        const sent = yield* outcomeOf(values.send(value));
        outcomes.add(`send: ${sent.code}`);
        if (sent.code !== 'ok') continue;
        const back = yield* outcomeOf(values.receive());
        outcomes.add(typeof back.value === 'string' ? `there: ${back.value}` : `here: ${back.code}`);
        yield* values.send('next');
        expect(yield* values.receive()).toBe('next');
      }
      expect([...outcomes].sort()).toEqual([
        'here: ok',
        'send: ERR_CANNOT_TRAVEL',
        'send: ok',
        'there: ERR_CHANNEL_MESSAGE',
      ]);
      values.close();
      expect(yield* until(exited)).toEqual([0, null]);
    }));

  it('refuses what cannot travel', () =>
    run(function* () {
      const words = processChannel<unknown>(child('advanced'), 'words', { capacity: 2 });
      expect(yield* thrownBy(words.send({ to: [() => {}] }))).toMatchObject({ code: 'ERR_CANNOT_TRAVEL' });
      expect(() => words.send('x', { transfer: [new ArrayBuffer(1)] })).toThrow(
        'nothing can be moved to another process',
      );
      yield* words.send('fine');
      expect(yield* words.receive()).toBe('FINE');
      words.close();
    }));
});
