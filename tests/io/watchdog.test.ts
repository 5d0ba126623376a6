// watchdog.test.ts: what blocks the event loop, or waits for ever, comes to light: hub.watchdog, hub.report({blockedForMs}), hub.drain.
import { spawn as spawnProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Channel, hub, run, type Stall, spawn, spawnWith, UsageError, yieldNow } from 'tendril';
import { describe, expect, it } from 'vitest';
import { besidePrograms, programFile, root } from '../program-file.ts';

let programs = 0;

/**
 * Run a program that calls `busy()` to block its loop; that lasts until the watchdog has written to stderr, however long this takes. Resolves with both
 * outputs.
 */
function runProgram(source: string): Promise<{ stdout: string; stderr: string; code: number | null }> {
  programs += 1;
  const seen = besidePrograms(`seen-${programs}`);
  const file = programFile(`import { existsSync, rmSync } from 'node:fs';
    function busy() {
      while (!existsSync(${JSON.stringify(seen)}));
      rmSync(${JSON.stringify(seen)});
    }
    ${source}`);
  const child = spawnProcess(process.execPath, [file], { cwd: root, timeout: 60_000, killSignal: 'SIGKILL' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
    // The report is one write.
    if (String(chunk).includes('the event loop is blocked')) writeFileSync(seen, '');
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ stdout, stderr, code })));
}

describe.concurrent('S13: hub.watchdog', () => {
  it('F104: names the greenlet that computes and its functions, while it does, and tells onStall afterwards', async () => {
    const { stdout, stderr, code } = await runProgram(`
      import { hub, main, once, sleep, spawnWith, Event } from 'tendril';
      main(function* () {
        const told = new Event();
        const dog = hub.watchdog({ thresholdMs: 50, onStall(stall) { console.log(JSON.stringify(stall)); told.set(); } });
        const cruncher = spawnWith({ name: 'cruncher' }, function* crunch() {
          yield* sleep(1);
          busy();
        });
        yield* cruncher.join();
        yield* told.wait();
        console.log(dog.stalls > 0);
      });`);
    expect(stderr).toMatch(/the event loop is blocked for \d+ ms by cruncher\n/);
    expect(stderr).toMatch(/at busy \(.*program-\d+\.mjs:\d+:\d+\)/);
    expect(stderr).toMatch(/at crunch \(.*program-\d+\.mjs:\d+:\d+\)/);
    expect(stderr).not.toContain('core/scheduler');
    const [line, stalls] = stdout.trim().split('\n');
    const stall = JSON.parse(line as string) as Stall;
    expect(stall.greenlet).toBe('cruncher');
    expect(stall.blockedForMs).toBeGreaterThanOrEqual(50);
    expect(stall.stack).toContain('at busy (');
    expect(stalls).toBe('true');
    expect(code).toBe(0);
  });

  it('F104: says of a promise of ordinary code that no greenlet runs; can be stopped, which leaves nothing', async () => {
    const { stdout, stderr, code } = await runProgram(`
      import { hub } from 'tendril';
      const dog = hub.watchdog({ thresholdMs: 50 });
      await new Promise((resolve) => setTimeout(resolve, 1));
      await Promise.resolve().then(function hog() { busy(); });
      await dog.stop();
      await dog.stop();
      console.log(Symbol.for('tendril.watchdog') in globalThis, process.getActiveResourcesInfo().includes('MessagePort'));
      await hub.watchdog().stop();`);
    expect(stderr).toMatch(/blocked for \d+ ms by no greenlet/);
    expect(stderr).toMatch(/at hog \(/);
    expect(stdout).toBe('false false\n');
    expect(code).toBe(0);
  });

  it('does not keep a process alive, and says nothing of one that only waits', async () => {
    const { stderr, code } = await runProgram(`
      import { hub, main, sleep } from 'tendril';
      hub.watchdog({ thresholdMs: 2000 });
      main(function* () { yield* sleep(100); });`);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('refuses bad options, and a second one', async () => {
    const bad = [5, null, { thresholdMs: 'x' }, { thresholdMs: 1 }, { thresholdMs: Number.POSITIVE_INFINITY }];
    for (const options of [...bad, { onStall: 5 }, { print: 'no' }])
      expect(() => hub.watchdog(options as never)).toThrow(/watchdog|thresholdMs/);
    const dog = hub.watchdog({ print: false });
    expect(() => hub.watchdog()).toThrow(UsageError);
    await dog.stop();
  });
});

describe('hub.report({blockedForMs})', () => {
  it('F30: shows who is still in the wait in which an earlier call found it, and nobody else', () =>
    run(function* () {
      const never = new Channel<number>(0, { name: 'never' });
      const often = new Channel<number>(0, { name: 'often' });
      const stuck = spawnWith({ name: 'stuck' }, () => never.receive());
      const busy = spawnWith({ name: 'busy' }, function* () {
        for (;;) yield* often.receive();
      });
      yield* yieldNow();
      expect(hub.report()).toContain('busy');
      expect(hub.report({ blockedForMs: 20 })).not.toContain('stuck');
      const until = performance.now() + 30;
      while (performance.now() < until) {
        yield* often.send(1);
        yield* yieldNow();
      }
      const report = hub.report({ blockedForMs: 20 });
      expect(report).toContain('stuck (greenlet-');
      expect(report).toContain('receive on channel never');
      expect(report).not.toContain('busy');
      stuck.kill();
      busy.kill();
    }));

  it('refuses a bad time', () => {
    for (const options of [5, { blockedForMs: 'x' }, { blockedForMs: -1 }])
      expect(() => hub.report(options as never)).toThrow(/report/);
  });
});

describe('hub.drain', () => {
  it('resolves when no greenlet is alive any more, with those that came meanwhile', async () => {
    const steps: string[] = [];
    spawn(function* () {
      yield* yieldNow();
      spawn(function* () {
        yield* yieldNow();
        steps.push('second');
      });
      steps.push('first');
    });
    const daemon = spawnWith({ daemon: true }, () => new Channel<number>().receive());
    await hub.drain();
    expect(steps).toEqual(['first', 'second']);
    await hub.drain();
    daemon.kill();
    await run(function* () {
      expect(() => hub.drain()).toThrow(UsageError);
    });
  });
});
