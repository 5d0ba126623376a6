// twins-readline.test.ts: the twin of readline: questions and lines as Ops; no line is lost, whoever is killed.
import { PassThrough, Writable } from 'node:stream';
import { forEach, hub, run, select, sleep, spawn, TimeoutError, timeout, yieldNow } from 'tendril';
import * as readline from 'tendril/patches/readline';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, nothingLeft } from '../io/peers.ts';

afterEach(nothingLeft);

interface Talk {
  readonly rl: readline.Interface;
  readonly input: PassThrough;
  /** What has been written to whoever answers. */
  said(): string;
}

function talk(): Talk {
  const input = new PassThrough();
  const output = new PassThrough();
  const rl = readline.createInterface({ input, output });
  return { rl, input, said: () => textIn(output) };
}

/** All that is in `stream` now: one read may give a part. */
function textIn(stream: PassThrough): string {
  let text = '';
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) text += String(chunk);
  return text;
}

describe('question of the twin of readline', () => {
  it('asks, waits and gives the answer', () =>
    run(function* () {
      const { rl, input, said } = talk();
      const asking = spawn(() => rl.question('Name? '));
      yield* yieldNow();
      const asked = said();
      input.write('Ada\n');
      expect([asked, yield* asking.get()]).toEqual(['Name? ', 'Ada']);
      rl.close();
    }));

  it('takes lines that came together one by one', () =>
    run(function* () {
      const { rl, input, said } = talk();
      input.write('Ada\n36\nLondon\n');
      expect([yield* rl.question('Name? '), yield* rl.question('Age? ')]).toEqual(['Ada', '36']);
      expect([yield* rl.readLine(), said()]).toEqual(['London', 'Name? Age? ']);
      rl.close();
    }));

  it('is taken back by a kill, a timeout, a signal or another arm, and the next one gets the answer', () =>
    run(function* () {
      const { rl, input } = talk();
      const victim = spawn(() => rl.question('1? '));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(yield* failure(timeout(2, rl.question('2? ')))).toBeInstanceOf(TimeoutError);
      const controller = new AbortController();
      const aborting = setTimeout(() => controller.abort(), 1);
      expect((yield* failure(rl.question('3? ', { signal: controller.signal }))).code).toBe('ABORT_ERR');
      clearTimeout(aborting);
      expect((yield* select({ answer: rl.question('4? '), tick: sleep(1) })).key).toBe('tick');
      expect(hub.stats().orphans).toBe(0);
      const asking = spawn(() => rl.question('5? '));
      yield* yieldNow();
      input.write('five\n');
      expect(yield* asking.get()).toBe('five');
      rl.close();
    }));

  it('fails when the interface is closed, before and while it waits, with a stack that names who waited', () =>
    run(function* () {
      const { rl, input } = talk();
      const asking = spawn(function* asker() {
        return yield* rl.question('Name? ');
      });
      yield* yieldNow();
      input.end();
      const errors = [yield* failure(asking.get()), yield* failure(rl.question('Name? '))];
      for (const error of errors) {
        expect(error.code).toBe('ERR_CLOSED');
        expect(error.stack).toContain('twins-readline.test.ts');
      }
    }));

  it('refuses a second greenlet, and bad arguments at the call', () =>
    run(function* () {
      const { rl } = talk();
      const asking = spawn(() => rl.question('Name? '));
      yield* yieldNow();
      expect((yield* failure(rl.question('Age? '))).code).toBe('ERR_BUSY');
      expect((yield* failure(rl.readLine())).code).toBe('ERR_BUSY');
      asking.kill();
      yield* asking.join();
      for (const bad of [() => rl.question(5 as never), () => rl.question('a', (() => {}) as never)])
        expect(bad).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
      rl.close();
    }));
});

describe('The lines of an interface of the twin of readline', () => {
  it('come one by one, those from before the first wait too, until the end', () =>
    run(function* () {
      const { rl, input } = talk();
      input.write('one\ntwo\n');
      yield* sleep(5);
      input.end('three');
      const lines: string[] = [];
      yield* forEach(rl, function* (line) {
        lines.push(line);
        yield* sleep(1);
      });
      expect([lines, yield* rl.readLine()]).toEqual([['one', 'two', 'three'], null]);
    }));

  it('are not lost to a kill, a timeout or another arm', () =>
    run(function* () {
      const { rl, input } = talk();
      const victim = spawn(() => rl.readLine());
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(yield* failure(timeout(2, rl.readLine()))).toBeInstanceOf(TimeoutError);
      expect((yield* select({ line: rl.next(), tick: sleep(1) })).key).toBe('tick');
      input.write('one\n');
      expect(yield* rl.next()).toEqual({ done: false, value: 'one' });
      rl.close();
      expect(yield* rl.next()).toEqual({ done: true, value: undefined });
    }));

  it('are kept up to a number, then the input is paused, and all come', () =>
    run(function* () {
      const { rl, input } = talk();
      let pauses = 0;
      rl.on('pause', () => {
        pauses += 1;
      });
      const count = 5000;
      for (let i = 0; i < count; i += 1) input.write(`${i}\n`);
      input.end();
      while (pauses === 0) yield* sleep(1);
      const lines: string[] = [];
      yield* forEach(rl, function* (line) {
        lines.push(line);
      });
      expect(lines).toEqual(Array.from({ length: count }, (_, i) => String(i)));
    }));

  it('belong to a listener of the program while there is one', () =>
    run(function* () {
      const { rl, input } = talk();
      const heard: string[] = [];
      rl.on('line', (line: string) => heard.push(line));
      input.write('one\n');
      while (heard.length === 0) yield* sleep(1);
      rl.removeAllListeners('line');
      expect(heard).toEqual(['one']);
      rl.close();
    }));

  it('end when a loop is left', () =>
    run(function* () {
      const { rl, input } = talk();
      input.write('one\ntwo\n');
      const leaving = forEach(rl, function* () {
        throw new Error('left');
      });
      expect((yield* failure(leaving)).message).toBe('left');
      expect((yield* failure(rl.question('more? '))).code).toBe('ERR_CLOSED');
    }));

  it('do not hold up others', () =>
    run(function* () {
      const { rl } = talk();
      const reading = spawn(() => rl.readLine());
      let ticks = 0;
      const ticking = setInterval(() => {
        ticks += 1;
      }, 1);
      while (ticks < 3) yield* sleep(1);
      clearInterval(ticking);
      expect(reading.state).toBe('parked');
      rl.close();
      expect(yield* reading.get()).toBe(null);
    }));
});

describe('The functions of the twin of readline that move the cursor', () => {
  it('wait until the stream has taken what they write', () =>
    run(function* () {
      const output = new PassThrough();
      yield* readline.cursorTo(output, 4, 2);
      yield* readline.cursorTo(output, 0);
      yield* readline.moveCursor(output, 1, -1);
      yield* readline.clearLine(output, -1);
      yield* readline.clearScreenDown(output);
      expect(textIn(output)).toBe('\x1b[3;5H\x1b[1G\x1b[1C\x1b[1A\x1b[1K\x1b[0J');
    }));

  it('are given up by a kill and a timeout while the stream takes nothing', () =>
    run(function* () {
      const taken: (() => void)[] = [];
      const stuck = new Writable({ write: (_chunk, _encoding, done) => void taken.push(done) });
      const victim = spawn(() => readline.clearLine(stuck, 0));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect([victim.outcome?.ok, taken.length]).toEqual([false, 1]);
      expect(yield* failure(timeout(1, readline.clearScreenDown(stuck)))).toBeInstanceOf(TimeoutError);
      while (taken.length > 0) {
        taken.shift()?.();
        yield* sleep(1);
      }
      expect(hub.stats().orphans).toBe(0);
    }));

  it('refuse bad arguments at the call', () => {
    expect(() => readline.cursorTo(process.stdout, 'a' as never)).toThrow(TypeError);
    expect(() => readline.clearLine(process.stdout, (() => {}) as never)).toThrow(/takes no callback/);
  });
});
