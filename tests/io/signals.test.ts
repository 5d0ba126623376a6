// signals.test.ts: waiting for signals, channels of signals, and main beside them.
import {
  ChannelClosedError,
  forEach,
  GreenletKilledError,
  hub,
  process as proc,
  run,
  select,
  signals,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, nothingLeft } from './peers.ts';
import { runProgram } from './process-program.ts';

const NAMES = ['SIGHUP', 'SIGUSR2', 'SIGWINCH'] as const;
const listeners = (): number[] => NAMES.map((name) => process.listenerCount(name));

afterEach(() => {
  expect(listeners()).toEqual([0, 0, 0]);
  nothingLeft();
});

/** Send a signal to this process; it is heard some turns later. */
function raise(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal);
}

describe('signals.waitSignal', () => {
  it('waits for the next signal of several, and listens only meanwhile', () =>
    run(function* () {
      const waiter = spawn(() => signals.waitSignal(['SIGHUP', 'SIGUSR2']));
      yield* sleep(1);
      expect(listeners()).toEqual([1, 1, 0]);
      raise('SIGUSR2');
      expect(yield* waiter.get()).toBe('SIGUSR2');
      expect(listeners()).toEqual([0, 0, 0]);
    }));

  it('wakes all who wait, with one listener of Node for all of them', () =>
    run(function* () {
      const waiters = Array.from({ length: 20 }, () => spawn(() => signals.waitSignal('SIGHUP')));
      yield* sleep(1);
      expect(listeners()).toEqual([1, 0, 0]);
      raise('SIGHUP');
      for (const waiter of waiters) expect(yield* waiter.get()).toBe('SIGHUP');
    }));

  it('leaves nothing behind when it is killed, times out or is an arm that loses', () =>
    run(function* () {
      const victim = spawn(() => signals.waitSignal('SIGHUP'));
      yield* sleep(1);
      victim.kill();
      expect(yield* failure(victim.get())).toBeInstanceOf(GreenletKilledError);
      expect(yield* failure(timeout(5, signals.waitSignal('SIGHUP')))).toBeInstanceOf(TimeoutError);
      expect((yield* select({ signal: signals.waitSignal('SIGHUP'), time: sleep(1) })).key).toBe('time');
      expect([listeners(), hub.stats().orphans]).toEqual([[0, 0, 0], 0]);
    }));

  it('refuses what is no signal, and what nobody can listen to, at the call', () => {
    const bad = (names: unknown): string => {
      try {
        signals.waitSignal(names as NodeJS.Signals);
      } catch (error) {
        return `${(error as Error).name} ${(error as { code: string }).code}: ${(error as Error).message}`;
      }
      return 'nothing';
    };
    expect([bad('HUP'), bad(1), bad([]), bad(['SIGHUP', 'SIGKILL']), bad('SIGSTOP'), bad('constructor')]).toEqual([
      'TypeError ERR_UNKNOWN_SIGNAL: waitSignal: a signal must be the name of a signal, such as \'SIGTERM\', not "HUP"',
      "TypeError ERR_UNKNOWN_SIGNAL: waitSignal: a signal must be the name of a signal, such as 'SIGTERM', not 1",
      'TypeError ERR_INVALID_ARG_VALUE: waitSignal takes at least one signal',
      'TypeError ERR_INVALID_ARG_VALUE: waitSignal: nobody can listen to SIGKILL',
      'TypeError ERR_INVALID_ARG_VALUE: waitSignal: nobody can listen to SIGSTOP',
      'TypeError ERR_UNKNOWN_SIGNAL: waitSignal: a signal must be the name of a signal, such as \'SIGTERM\', not "constructor"',
    ]);
  });
});

describe('signals.onSignal', () => {
  it('collects signals until it is closed', () =>
    run(function* () {
      const channel = signals.onSignal(['SIGHUP', 'SIGWINCH', 'SIGHUP']);
      const other = signals.onSignal('SIGHUP');
      expect(listeners()).toEqual([1, 0, 1]);
      raise('SIGHUP');
      expect(yield* channel.receive()).toBe('SIGHUP');
      raise('SIGWINCH');
      expect((yield* select({ signal: channel.receive() })).value).toBe('SIGWINCH');
      other.close();
      expect(listeners()).toEqual([1, 0, 1]);
      const reader = spawn(function* () {
        const seen: string[] = [];
        yield* forEach(channel, function* (signal) {
          seen.push(signal);
        });
        return seen;
      });
      raise('SIGHUP');
      yield* sleep(20);
      channel.close();
      channel.close();
      expect(yield* reader.get()).toEqual(['SIGHUP']);
      expect(yield* failure(channel.receive())).toBeInstanceOf(ChannelClosedError);
      // It had come before other was closed.
      expect(yield* other.receive()).toBe('SIGHUP');
    }));

  it('keeps 64 that nobody receives, and counts the others', () =>
    run(function* () {
      const channel = signals.onSignal('SIGHUP');
      for (let i = 0; i < 70; i += 1) process.emit('SIGHUP', 'SIGHUP');
      expect([channel.length, channel.dropped]).toEqual([64, 6]);
      channel[Symbol.dispose]();
      yield* sleep(0);
    }));

  it('brings what another process sends', () =>
    run(function* () {
      const channel = signals.onSignal('SIGUSR2');
      yield* proc.exec('sh', ['-c', `kill -USR2 ${process.pid}`], { check: true });
      expect(yield* channel.receive()).toBe('SIGUSR2');
      channel.close();
    }));
});

describe('A program', () => {
  it('is kept alive by who waits for a signal, is in no deadlock, and lives as the signal says afterwards', async () => {
    const { stdout, stderr, signal } = await runProgram(`
      import { run, signals, sleep, spawn } from 'tendril';
      await run(function* () {
        const reloads = signals.onSignal('SIGHUP');
        setTimeout(() => console.log('kill SIGHUP'), 1).unref();
        console.log('got', yield* reloads.receive());
        reloads.close();
        setTimeout(() => console.log('kill SIGUSR2'), 1).unref();
        console.log('got', yield* signals.waitSignal('SIGUSR2'));
        console.log('kill SIGHUP');
        yield* sleep(5000);
        console.log('not reached');
      });`);
    expect(stdout + stderr).toBe('kill SIGHUP\ngot SIGHUP\nkill SIGUSR2\ngot SIGUSR2\nkill SIGHUP\n');
    expect(signal).toBe('SIGHUP');
  });

  it('S16, F112: is ended by main as ever, whoever else listens to the signal', async () => {
    const { stdout, stderr, signal } = await runProgram(`
      import { main, signals, sleep, spawn } from 'tendril';
      main(function* () {
        const terms = signals.onSignal(['SIGTERM', 'SIGINT']);
        spawn(function* () { console.log('heard', yield* signals.waitSignal('SIGTERM')); });
        try { yield* sleep(0); console.log('kill SIGTERM'); yield* sleep(1e6); } finally { console.log('cleaned up', terms.length); }
      });`);
    expect({ stdout, stderr, signal }).toEqual({
      stdout: 'kill SIGTERM\ncleaned up 1\nheard SIGTERM\n',
      stderr: '',
      signal: 'SIGTERM',
    });
  });

  it('S16, F112: is ended by the second signal at once, whoever else listens to it', async () => {
    const { stdout, signal } = await runProgram(`
      import { main, shield, signals, sleep } from 'tendril';
      main(function* () {
        signals.onSignal(['SIGTERM', 'SIGINT']);
        try { console.log('kill SIGINT'); yield* sleep(1e6); }
        finally { console.log('kill SIGTERM'); yield* shield(sleep(4000)); console.log('not reached'); }
      });`);
    expect({ stdout, signal }).toEqual({ stdout: 'kill SIGINT\nkill SIGTERM\n', signal: 'SIGTERM' });
  });

  it('F112: is ended by a signal that comes in a loop that never waits, as soon as it ends', async () => {
    const { stdout, signal } = await runProgram(`
      import { main, shield, sleep } from 'tendril';
      main(function* () {
        try {
          console.log('kill SIGINT');
          const until = performance.now() + 300;
          while (performance.now() < until);
          yield* sleep(1e6);
        } finally { yield* shield(sleep(5)); console.log('cleaned up'); }
      });
      process.on('exit', () => console.log('not by exit()'));`);
    expect({ stdout, signal }).toEqual({ stdout: 'kill SIGINT\ncleaned up\n', signal: 'SIGINT' });
  });

  it('F112: is ended by a signal that comes in a shield when that has ended, and under load', async () => {
    const program = (begin: string) => `
      import { main, shield, sleep, spawn } from 'tendril';
      process.on('exit', () => console.log('not by exit()'));
      let spinning = 0;
      function* spin() {
        spinning += 1;
        try { for (;;) yield* sleep(0); } finally { spinning -= 1; if (spinning === 0) console.log('all ended'); }
      }
      main(function* () {
        ${begin}
        yield* sleep(1);
        console.log('kill SIGTERM');
        yield* shield(sleep(300));
        console.log('shield over');
        yield* sleep(1e6);
      });`;
    const [idle, loaded] = await Promise.all([
      runProgram(program('')),
      runProgram(program('for (let i = 0; i < 1000; i += 1) spawn(spin);')),
    ]);
    const expected = { stdout: 'kill SIGTERM\nshield over\n', stderr: '', signal: 'SIGTERM' };
    expect([idle, loaded]).toMatchObject([expected, { ...expected, stdout: `${expected.stdout}all ended\n` }]);
  });
});
