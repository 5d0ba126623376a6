// originals.test.ts: what tendril itself uses of Node it took when it was loaded: nothing that is put there later is called.
import { describe, expect, it } from 'vitest';
import { runProgram } from '../io/process-program.ts';

describe('tendril', () => {
  it('works when every function of the modules that patches touch has been replaced by one that throws', async () => {
    const { stdout, stderr, code } = await runProgram(`
      import { builtinModules } from 'node:module';
      import { connect, dns, files, http, listen, process as processes, run, signals, sleep, spawn, timeout, udp, until, yieldNow } from 'tendril';

      // What Node's own modules and undici ask of each other by name at each call (net.Server.listen asks dns.lookup, undici net.connect) is theirs.
      const called = new Set();
      const poison = (name, original) => function (...args) {
        const caller = new Error().stack.split('\\n')[2];
        if (/node:|\\/undici\\//.test(caller)) return original.apply(this, args);
        called.add(name);
        throw new Error(name + ' was called after it was replaced, ' + caller);
      };
      for (const module of ['fs', 'fs/promises', 'net', 'dns', 'dns/promises', 'child_process', 'http', 'https', 'tls', 'dgram', 'timers', 'timers/promises', 'zlib', 'crypto']) {
        const object = process.getBuiltinModule('node:' + module);
        for (const key of Object.keys(object)) {
          const { value, configurable, writable } = Object.getOwnPropertyDescriptor(object, key);
          const name = module + '.' + key;
          if (typeof value === 'function' && /^[a-z]/.test(key) && configurable) Object.defineProperty(object, key, { value: poison(name, value), writable, configurable });
        }
      }
      for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask', 'fetch']) globalThis[name] = poison(name, globalThis[name]);
      Object.defineProperty(Promise.prototype, Symbol.iterator, { get: poison('iterator of a promise', () => undefined), configurable: true });

      const done = [];
      await run(function* () {
        const listener = yield* listen({ host: '127.0.0.1', port: 0 });
        const echo = spawn(function* () {
          const socket = yield* listener.accept();
          yield* socket.write(yield* socket.readLine());
          socket.close();
        });
        const socket = yield* connect({ host: 'localhost', port: listener.address.port });
        yield* socket.write('tcp\\n');
        done.push(String(yield* timeout(5000, socket.read())));
        socket.close();
        listener.close();
        yield* echo.join();

        const file = process.argv[1] + '.txt';
        yield* files.writeFile(file, 'file');
        done.push(yield* files.readFile(file, 'utf8'));
        yield* files.unlink(file);

        const { stdout } = yield* processes.exec(process.execPath, ['-p', '"child"']);
        done.push(String(stdout).trim());

        const server = http.serve({ host: '127.0.0.1', port: 0 }, function* () {
          return { body: 'http' };
        });
        const serving = spawn(() => server);
        done.push(yield* (yield* http.get('http://' + (yield* server.ready()) + '/')).text());
        yield* server.stop();
        yield* serving.join();
        http.closeIdle();

        const one = yield* udp({ host: '127.0.0.1', port: 0 });
        const two = yield* udp({ host: '127.0.0.1', port: 0 });
        yield* one.send('udp', two.localAddress);
        done.push(String((yield* two.receive()).bytes));
        one.close();
        two.close();

        yield* dns.lookup('localhost');
        yield* sleep(2);
        yield* yieldNow();
        done.push(yield* until(Promise.resolve('promise')));
      });
      console.log(done.join(' '), [...called].join(' '));
    `);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'tcp file child http udp promise \n', stderr: '' });
  });
});
