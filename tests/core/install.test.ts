// install.test.ts: the kernel without Node: what a driver is asked for, and the warning about Ops that never started.
//
// This file must import neither `tendril` nor anything of io/: that would install Node's driver.
// What is told when something is collected as garbage comes in a turn of the host. No time is waited for.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  Channel,
  type Driver,
  type Greenlet,
  install,
  now,
  run,
  type Scheduler,
  sleep,
  spawn,
  spawnLater,
  spawnWith,
  timeout,
  UsageError,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { kernel } from '../../core/kernel.ts';
import { VirtualDriver } from '../../core/testing/virtual-driver.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const virtual = new VirtualDriver();
const asked: boolean[] = [];
const warnings: Error[] = [];
const atQuiescence: (() => void)[] = [];
/** A virtual clock in development mode, which keeps what it is told. */
const driver: Driver = {
  sliceMs: Number.POSITIVE_INFINITY,
  development: true,
  now: () => virtual.now(),
  askTurn(holding) {
    asked.push(holding);
    virtual.askTurn(holding);
  },
  wakeAt: (deadlineMs) => virtual.wakeAt(deadlineMs),
  random: () => virtual.random(),
  hold() {},
  onQuiescent: (listener) => void atQuiescence.push(listener),
  fatal: (error, greenlet) => virtual.fatal(error, greenlet),
  warn: (warning) => void warnings.push(warning),
};
let scheduler: Scheduler;
const runAll = (): void => virtual.runUntilIdle(scheduler);
const programEnds = (): void => {
  for (const listener of atQuiescence) listener();
};

/** The functions in which the Ops that were warned of were made. */
function* places(): Generator<string> {
  for (const { stack } of warnings.splice(0))
    yield /at (?:Object\.)?(\w+Op) /.exec(String(stack))?.[1] ?? String(stack);
}

describe('Without a driver', () => {
  it('spawn, run and now throw a UsageError that says what to import', async () => {
    expect(() => spawn(() => yieldNow())).toThrow(/import tendril \(Node\), or call install/);
    expect(() => now()).toThrow(UsageError);
    await expect(run(() => yieldNow())).rejects.toBeInstanceOf(UsageError);
  });
});

describe('With a driver', () => {
  it('that is installed greenlets run in its turns; a second driver is refused', () => {
    scheduler = install(driver);
    expect(() => install(new VirtualDriver())).toThrow(UsageError);
    const greenlet = spawn(function* () {
      yield* sleep(5);
      return now();
    });
    runAll();
    expect(greenlet.outcome).toEqual({ ok: true, value: 5, killed: false });
  });

  it('a greenlet that is spawned beside a daemon makes the turn one that the host has to wait for', () => {
    asked.length = 0;
    const daemon = spawnWith({ daemon: true }, () => sleep(10));
    const afterDaemon = [...asked];
    const greenlet = spawn(() => sleep(1));
    expect([afterDaemon, asked]).toEqual([[false], [false, true]]);
    runAll();
    expect([greenlet.state, daemon.state]).toEqual(['done', 'parked']);
    daemon.kill();
    runAll();
  });

  it('a timer that is armed in ordinary code asks for a turn, so that the host learns of it', () => {
    const late = spawnLater(20, () => yieldNow());
    expect(late.state).toBe('new');
    runAll();
    expect(late.state).toBe('done');
  });

  it('a report tells in development mode how old each greenlet is', async () => {
    const promise = run(function* () {
      yield* sleep(7);
      yield* new Channel<number>(0, { name: 'jobs' }).receive();
    });
    runAll();
    programEnds();
    runAll();
    await expect(promise).rejects.toThrow(/waits: receive on channel jobs, 7 ms old/);
  });
});

describe('An Op that never starts is warned of in development mode', () => {
  it('when the program ends, once, at the place where it was made; one that started, or was wrapped, is not', () => {
    warnings.length = 0;
    const jobs = new Channel<number>(1);
    const kept: unknown[] = [];
    const forgottenOp = (): void => void kept.push(jobs.send(1));
    const hoistedOp = () => sleep(1);
    const greenlet: Greenlet<void> = spawn(function* () {
      forgottenOp();
      const hoisted = hoistedOp();
      yield* hoisted;
      yield* hoisted;
      yield* timeout(5, hoistedOp());
    });
    runAll();
    expect([greenlet.state, warnings]).toEqual(['done', []]);
    programEnds();
    expect(warnings[0]).toMatchObject({ name: 'UnstartedOpWarning', message: /never started/ });
    expect([...places()]).toEqual(['forgottenOp']);
    programEnds();
    expect(warnings).toEqual([]);
  });

  it('when it is collected as garbage, and not again when the program ends', async () => {
    const lostOp = (): void => kernel.watch?.created(sleep(1)); // made twice, it still counts once
    lostOp();
    for (let i = 0; i < 100 && warnings.length === 0; i += 1) {
      collectGarbage();
      await nextTurn();
    }
    expect([...places()]).toEqual(['lostOp']);
    const reportedOp = (): void => void sleep(1);
    reportedOp();
    programEnds();
    expect([...places()]).toEqual(['reportedOp']);
    collectGarbage();
    await nextTurn();
    programEnds();
    expect(warnings).toEqual([]);
  });
});
