// program.test.ts: whole programs in a process of their own: exit status, signals, deadlocks, errors that nobody looks at.
import { spawn as spawnProcess } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { programFile, root } from '../program-file.ts';

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run `source` as a module; each line that it prints with 'kill SIGNAL' is answered with that signal. */
function runProgram(source: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawnProcess(process.execPath, [programFile(source)], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    for (const [, signal] of chunk.toString().matchAll(/kill (SIG\w+)/g)) child.kill(signal as NodeJS.Signals);
    stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
}

describe.concurrent('a program', () => {
  it('S11, F92: waiting on a channel that nobody feeds ends with a DeadlockError that names who waits where, and runs its finally', async () => {
    const { code, stdout, stderr } = await runProgram(`
      import { Channel, main } from 'tendril';
      main(function* body() {
        const jobs = new Channel(0, { name: 'jobs' });
        try { yield* jobs.receive(); } finally { console.log('cleaned up'); }
      });`);
    expect(stdout).toBe('cleaned up\n');
    expect(stderr).toMatch(/DeadlockError: deadlock: 1 greenlet is parked/);
    expect(stderr).toMatch(/main \(greenlet-1\) waits: receive on channel jobs/);
    expect(stderr).toMatch(/at body \(.*program-\d+\.mjs:5/);
    expect(code).toBe(1);
  });

  it('S11, F93: a referenced timer gives no false alarm, an unreferenced one does not hide a deadlock', async () => {
    const wait = (unref: string) => `
      import { Channel, run } from 'tendril';
      const jobs = new Channel<number>();
      setTimeout(() => jobs.trySend(1), ${unref === '' ? 100 : 60_000})${unref};
      try { console.log(await run(() => jobs.receive())); } catch (error) { console.log(error.code); }`;
    const [held, unheld] = await Promise.all([runProgram(wait('')), runProgram(wait('.unref()'))]);
    expect(held).toMatchObject({ code: 0, stdout: '1\n' });
    expect(unheld).toMatchObject({ code: 0, stdout: 'ERR_DEADLOCK\n' });
  });

  it('S10: a failure that nobody looks at ends the program with its stack and a hint', async () => {
    const { code, stderr } = await runProgram(`
      import { run, sleep, spawn } from 'tendril';
      spawn(function* careless() { yield* sleep(1); throw new RangeError('nobody looks'); });
      await run(() => sleep(10_000));`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/greenlet-1 failed and nobody has looked: join it, link it or spawn it in a scope/);
    expect(stderr).toMatch(/RangeError: nobody looks\n\s+at careless/);
  });

  it('S10: the hub gets it instead if it listens', async () => {
    const { code, stdout } = await runProgram(`
      import { hub, run, sleep, spawn } from 'tendril';
      hub.on('error', (error, greenlet) => console.log(String(error), greenlet?.name));
      spawn(function* () { yield* sleep(1); throw new Error('seen by the hub'); });
      await run(() => sleep(20));`);
    expect(stdout).toBe('Error: seen by the hub greenlet-1\n');
    expect(code).toBe(0);
  });

  it('S16: an error of the body makes the status 1, also if the hub listens, unless the program says another one', async () => {
    const failing = (status: string) => `
      import { hub, main } from 'tendril';
      hub.on('error', (error) => { console.log(String(error)); });
      main(function* () { ${status} throw new Error('of the body'); });`;
    const [plain, own] = await Promise.all([runProgram(failing('')), runProgram(failing('process.exitCode = 3;'))]);
    expect(plain).toMatchObject({ code: 1, stdout: 'Error: of the body\n', stderr: '' });
    expect(own).toMatchObject({ code: 3, stdout: 'Error: of the body\n', stderr: '' });
  });

  it('S15: daemons do not keep it alive, and their finally blocks run', async () => {
    const { code, stdout } = await runProgram(`
      import { run, sleep, spawnWith, yieldNow } from 'tendril';
      function* spin(name: string) { try { for (;;) yield* yieldNow(); } finally { console.log(name, 'ends'); } }
      function* tick(name: string) { try { for (;;) yield* sleep(1); } finally { console.log(name, 'ends'); } }
      spawnWith({ daemon: true }, spin, 'spinner');
      spawnWith({ daemon: true }, tick, 'ticker');
      console.log(await run(function* () { yield* sleep(10); return 'done'; }));`);
    expect(stdout).toBe('done\nspinner ends\nticker ends\n');
    expect(code).toBe(0);
  });

  it('S16: a signal runs every finally, then ends the process with that signal', async () => {
    const { signal, stdout } = await runProgram(`
      import { main, shield, sleep, spawn } from 'tendril';
      main(function* () {
        spawn(function* () { try { yield* sleep(1e6); } finally { yield* shield(sleep(10)); console.log('other cleaned up'); } });
        try { yield* sleep(0); console.log('kill SIGTERM'); yield* sleep(1e6); } finally { console.log('main cleaned up'); }
      });`);
    expect(stdout).toBe('kill SIGTERM\nmain cleaned up\nother cleaned up\n');
    expect(signal).toBe('SIGTERM');
  });

  it('S16: a second signal ends it at once', async () => {
    const { signal, stdout } = await runProgram(`
      import { main, shield, sleep } from 'tendril';
      main(function* () {
        try { console.log('kill SIGINT'); yield* sleep(1e6); }
        finally { console.log('kill SIGTERM'); yield* shield(sleep(4000)); console.log('not reached'); }
      });`);
    expect(stdout).toBe('kill SIGINT\nkill SIGTERM\n');
    expect(signal).toBe('SIGTERM');
  });

  it('S16: what is left when the body ends is killed, and the signal handlers are gone', async () => {
    const { code, stdout } = await runProgram(`
      import { main, sleep, spawn } from 'tendril';
      process.on('exit', () => console.log(process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')));
      main(function* () {
        spawn(function* () { try { yield* sleep(1e6); } finally { console.log('rest cleaned up'); } });
        yield* sleep(1);
      });`);
    expect(stdout).toBe('rest cleaned up\n0 0\n');
    expect(code).toBe(0);
  });

  it('reports greenlets that stay parked after every run has ended as a leak', async () => {
    const { code, stdout } = await runProgram(`
      import { Channel, hub, run, sleep, spawn } from 'tendril';
      hub.on('leak', (greenlets, report) => console.log(greenlets.length, report.split('\\n')[0].trim()));
      await run(function* () { spawn(() => new Channel(0, { name: 'forgotten' }).receive()); yield* sleep(1); });
      console.log('ended');`);
    expect(stdout).toBe('ended\n1 greenlet-2 waits: receive on channel forgotten\n');
    expect(code).toBe(0);
  });

  it('warns of Ops that were created and never started, with the place, in development mode', async () => {
    const source = `
      import { Channel, main, sleep, timeout } from 'tendril';
      const jobs = new Channel(1);
      function* forgetful() {
        jobs.send(1);
        timeout(5, sleep(1));
        jobs.receive();
        const hoisted = sleep(1);
        yield* hoisted;
        yield* timeout(5, sleep(1));
      }
      main(forgetful);`;
    const [development, production] = await Promise.all([
      runProgram(source, { NODE_ENV: 'development' }),
      runProgram(source),
    ]);
    const places = [
      ...development.stderr.matchAll(/UnstartedOpWarning: an Op was created here and never started[^\n]*/g),
    ];
    expect(development.stderr).toMatch(/at forgetful .*program-\d+\.mjs:5/);
    expect(development.stderr).toMatch(/at forgetful .*program-\d+\.mjs:6/);
    expect(development.stderr).toMatch(/at forgetful .*program-\d+\.mjs:7/);
    expect([places.length, development.code]).toEqual([3, 0]);
    expect(production).toMatchObject({ code: 0, stderr: '' });
  });

  it('S16: an error of the body ends it when the others have done their cleanup', async () => {
    const { code, stdout, stderr } = await runProgram(`
      import { main, shield, sleep, spawn } from 'tendril';
      main(function* body() {
        spawn(function* other() {
          try { yield* sleep(60_000); } finally { yield* shield(sleep(20)); console.log('cleaned up'); }
        });
        yield* sleep(1);
        throw new Error('the body failed');
      });`);
    expect(stdout).toBe('cleaned up\n');
    expect(stderr).toMatch(/Error: the body failed\n\s+at body/);
    expect(code).toBe(1);
  });

  it.each(['the body', 'another'])('S10: an error in the cleanup of %s after a signal is not lost', async (who) => {
    const { code, stderr } = await runProgram(`
      import { main, sleep, spawn } from 'tendril';
      function* failing() {
        try { yield* sleep(60_000); } finally { throw new Error('the cleanup failed'); }
      }
      main(function* body() {
        ${who === 'another' ? 'spawn(failing);' : ''}
        yield* sleep(1);
        console.log('kill SIGTERM');
        yield* ${who === 'another' ? 'sleep(60_000)' : 'failing()'};
      });`);
    expect(stderr).toMatch(/Error: the cleanup failed\n\s+at failing/);
    expect(code).toBe(1);
  });
});
