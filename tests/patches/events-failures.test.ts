// events-failures.test.ts: where the failure of a greenlet goes that Node has started: whole programs, since that is mostly their end.
import { EventEmitter } from 'node:events';
import { current, sleep } from 'tendril';
import { patchEvents } from 'tendril/patches';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { type Ended, runProgram } from '../io/process-program.ts';

function program(source: string): Promise<Ended> {
  return runProgram(`
    import { EventEmitter } from 'node:events';
    import events from 'node:events';
    import fs from 'node:fs';
    import http from 'node:http';
    import { hub, main, sleep } from 'tendril';
    import { patchEvents } from 'tendril/patches';
    patchEvents();
    const failing = function* () {
      yield* sleep(1);
      throw new Error('a failure');
    };
    ${source}`);
}

describe.concurrent('A failure of a greenlet that Node has started', () => {
  it.each([
    ['a listener', "const emitter = new EventEmitter(); emitter.on('event', failing); emitter.emit('event');"],
    [
      'a listener of once',
      "const emitter = new EventEmitter(); emitter.once('event', failing); emitter.emit('event');",
    ],
    [
      'a listener of a target',
      "const target = new EventTarget(); target.addEventListener('event', failing); target.dispatchEvent(new Event('event'));",
    ],
    ['a timer', 'setTimeout(failing, 1);'],
    ['an immediate', 'setImmediate(failing);'],
    ['a tick', 'process.nextTick(failing);'],
    ['a microtask', 'queueMicrotask(failing);'],
    ['a callback', "fs.stat('.', failing);"],
    [
      'a handler of requests',
      'const server = http.createServer(failing).listen(0, () => http.get({ port: server.address().port }).on("error", () => {}));',
    ],
  ])('of %s ends the process, as an exception of a plain function does', async (_, source) => {
    const { code, stdout, stderr } = await program(source);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/Error: a failure\n {4}at (\w+\.)?failing/);
    expect(stderr).not.toMatch(/nobody has looked/);
  });

  it('is an uncaught exception: the very error, given to who listens to these, after which the program goes on', async () => {
    const { code, stdout, stderr } = await program(`
      const error = new Error('a failure');
      const told = [];
      hub.on('error', () => told.push('the hub'));
      process.on('uncaughtException', (caught, origin) => told.push(caught === error, origin));
      const emitter = new EventEmitter();
      emitter.on('event', function* (fails) {
        yield* sleep(1);
        if (fails) throw error;
        told.push('goes on');
      });
      emitter.emit('event', true);
      emitter.emit('event', false);
      process.on('exit', () => console.log(told.sort().join()));
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'goes on,true,uncaughtException\n', stderr: '' });
  });

  it('may be handled by a greenlet', async () => {
    const { code, stdout, stderr } = await program(`
      process.once('uncaughtException', function* (error) {
        yield* sleep(1);
        console.log('handled', error.message);
      });
      setTimeout(failing, 1);
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'handled a failure\n', stderr: '' });
  });

  it('of the handler itself ends the process with status 7, as that of a plain handler', async () => {
    const { code, stdout, stderr } = await program(`
      process.on('uncaughtException', function* () {
        console.log('called');
        yield* sleep(1);
        throw new Error('in the handler');
      });
      setTimeout(failing, 1);
    `);
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'called\n' });
    expect(stderr).toMatch(/Error: in the handler/);
  });

  it('of a handler of requests is answered with status 500 if the server captures rejections', async () => {
    const { code, stdout, stderr } = await program(`
      events.captureRejections = true;
      const server = http.createServer(failing);
      server.listen(0, '127.0.0.1', () => {
        http.get({ port: server.address().port, host: '127.0.0.1', agent: false }, (response) => {
          console.log(response.statusCode);
          response.resume();
          server.close();
        });
      });
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '500\n', stderr: '' });
  });

  it('ends main(): the others are killed when its body ends', async () => {
    const { code, stdout, stderr } = await program(`
      const emitter = new EventEmitter();
      emitter.on('event', function* () {
        try { yield* sleep(60_000); } finally { console.log('cleaned up'); }
      });
      main(function* () {
        emitter.emit('event');
        yield* sleep(5);
      });
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'cleaned up\n', stderr: '' });
  });

  it('on beforeExit, a greenlet still runs', async () => {
    const { code, stdout, stderr } = await program(`
      process.once('beforeExit', function* () {
        yield* sleep(1);
        console.log('still here');
      });
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'still here\n', stderr: '' });
  });
});

describe('In a simulation', () => {
  it('the greenlet of a listener is one of the simulation, which is told of its failure', async () => {
    const patch = patchEvents();
    const error = new Error('a failure');
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    emitter.on('event', function* () {
      yield* sleep(60_000);
      told.push(current().state);
      throw error;
    });
    await expect(
      simulate(function* () {
        emitter.emit('event');
        yield* sleep(120_000);
      }),
    ).rejects.toBe(error);
    patch.undo();
    expect(told).toEqual(['running']);
  });
});
