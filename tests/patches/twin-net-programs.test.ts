// twin-net-programs.test.ts: whole programs on the twins of net, http and child_process: what keeps them alive, what a signal does to their servers and children.
import { spawn as spawnProcess } from 'node:child_process';
import { describe, expect, inject, it } from 'vitest';
import { besidePrograms, programFile, root } from '../program-file.ts';

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run `source` as a module, with so many `descriptors`; a line 'kill SIGNAL' that it prints is answered with that signal. */
function runProgram(source: string, descriptors?: number): Promise<Ended> {
  const twins = `${inject('library')}/patches/twins`;
  const text = source.replaceAll(/'tendril\/patches\/(\w+)'/g, (_all, name: string) =>
    JSON.stringify(`${twins}/${name.replace('_', '-')}.js`),
  );
  const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors}; `;
  const script = `${limit}exec "$0" "$1"`;
  const child = spawnProcess('sh', ['-c', script, process.execPath, programFile(text)], { cwd: root });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    for (const [, signal] of chunk.toString().matchAll(/kill (SIG\w+)/g)) child.kill(signal as NodeJS.Signals);
    stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.concurrent('a program', () => {
  it('ends when its servers are closed and its connections have ended', async () => {
    expect(
      await runProgram(`
        import { run } from 'tendril';
        import { connect, createServer } from 'tendril/patches/net';
        import { Agent, createServer as createWebServer, get } from 'tendril/patches/http';
        await run(function* () {
          const server = createServer(function* (socket) { yield* socket.end('hi'); });
          yield* server.listen(0, '127.0.0.1');
          const socket = yield* connect(server.address().port, '127.0.0.1');
          console.log(String(yield* socket.readExactly(2)), yield* socket.read());
          const web = createWebServer(function* (req, res) { yield* res.end('web'); });
          yield* web.listen(0, '127.0.0.1');
          console.log(yield* (yield* get({ port: web.address().port, host: '127.0.0.1' })).text());
          yield* server.close();
          yield* web.close();
        });`),
    ).toEqual({ code: 0, signal: null, stdout: 'hi null\nweb\n', stderr: '' });
  });

  it.each(['net', 'http'])(
    'goes on while a server of %s listens, although its main greenlet has ended',
    async (module) => {
      expect(
        await runProgram(`
        import { run } from 'tendril';
        import { createServer } from 'tendril/patches/${module}';
        await run(() => createServer(function* () {}).listen(0, '127.0.0.1'));
        setTimeout(() => console.log('kill SIGTERM'), 100).unref();`),
      ).toEqual({ code: null, signal: 'SIGTERM', stdout: 'kill SIGTERM\n', stderr: '' });
    },
  );

  it.each([
    [
      'net',
      'yield* connection.read();',
      "yield* connection.end('done\\n');",
      "yield* client.write('x'); console.log(yield* client.readLine());",
    ],
    [
      'http',
      '',
      "yield* response.end('done\\n');",
      "yield* client.write('GET / HTTP/1.0\\r\\n\\r\\n'); let line; do line = yield* client.readLine(); while (line !== 'done'); console.log(line);",
    ],
  ])(
    'lets a handler of %s that is at work finish when main() is ended by a signal',
    async (module, begin, answer, ask) => {
      const { stdout, signal } = await runProgram(`
      import { connect, main, scope, shield, sleep, spawn } from 'tendril';
      import { createServer } from 'tendril/patches/${module}';
      main(function* () {
        const server = createServer(function* (connection, response) {
          ${begin}
          console.log('kill SIGTERM');
          yield* sleep(200);
          ${answer}
        });
        yield* server.listen(0, '127.0.0.1');
        yield* shield(5000, scope(function* (s) {
          const client = yield* connect({ port: server.address().port, host: '127.0.0.1' });
          ${ask}
          client.close();
        }));
        yield* server.untilClosed();
      });`);
      expect({ stdout, signal }).toEqual({ stdout: 'kill SIGTERM\ndone\n', signal: 'SIGTERM' });
    },
  );

  it('takes its children with it when main() is ended by a signal', async () => {
    const file = besidePrograms('pid');
    const { stdout, signal } = await runProgram(`
      import { existsSync, readFileSync } from 'node:fs';
      import { main, sleep, spawn } from 'tendril';
      import { execFile, spawn as spawnChild } from 'tendril/patches/child_process';
      const rest = 'setTimeout(() => {}, 60000)';
      main(function* () {
        const child = spawnChild(process.execPath, ['-e', 'console.log(process.pid);' + rest]);
        console.log('pid', yield* child.stdout.readLine());
        const file = ${JSON.stringify(file)};
        spawn(() => execFile(process.execPath, ['-e', "require('fs').writeFileSync(" + JSON.stringify(file) + ", 'pid ' + process.pid + ';');" + rest]));
        let text = '';
        while (!text.endsWith(';')) { yield* sleep(1); if (existsSync(file)) text = readFileSync(file, 'utf8'); }
        console.log(text);
        console.log('kill SIGTERM');
        yield* child.wait();
      });`);
    const pids = [...stdout.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
    expect([signal, pids.length, pids.map(exists)]).toEqual(['SIGTERM', 2, [false, false]]);
  });

  it('is told EMFILE by whatever starts a child when no descriptor is left, which leaves nothing behind', async () => {
    expect(
      await runProgram(
        `
        import { closeSync, openSync, readdirSync } from 'node:fs';
        import { run } from 'tendril';
        import { exec, execFile, execSync, fork, spawn, spawnSync } from 'tendril/patches/child_process';
        await run(function* () {
          const taken = [];
          try { for (;;) taken.push(openSync('/dev/null')); } catch {}
          closeSync(taken.pop());
          closeSync(taken.pop());
          const codes = [];
          const calls = [() => exec('true'), () => execFile('true'), () => execSync('true'), function* () { spawn('true'); }, function* () { fork('x.js', { silent: true }); }];
          for (const call of calls) {
            try { yield* call(); } catch (error) { codes.push(error.code); }
          }
          codes.push((yield* spawnSync('true')).error.code);
          let free = 0;
          try { for (;;) { taken.push(openSync('/dev/null')); free += 1; } } catch {}
          for (const descriptor of taken) closeSync(descriptor);
          console.log(codes.join(' '), free, (yield* execSync('echo again')).toString().trim());
        });`,
        400,
      ),
    ).toEqual({ code: 0, signal: null, stdout: 'EMFILE EMFILE EMFILE EMFILE EMFILE EMFILE 2 again\n', stderr: '' });
  });

  it('is kept alive by a wait for a message, and not by a child that nobody waits for', async () => {
    expect(
      await runProgram(`
        import { run } from 'tendril';
        import { spawn } from 'tendril/patches/child_process';
        await run(function* () {
          const child = spawn(process.execPath, ['-e', 'process.send(1); setTimeout(() => {}, 60000)'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
          console.log((yield* child.once('message'))[0]);
          process.on('exit', () => child.kill('SIGKILL'));
        });`),
    ).toEqual({ code: 0, signal: null, stdout: '1\n', stderr: '' });
  });

  it('ends with the error of a child that cannot be started if nothing waits for it', async () => {
    const { code, stderr } = await runProgram(`
      import { run, sleep } from 'tendril';
      import { spawn } from 'tendril/patches/child_process';
      await run(function* () {
        spawn('nosuch');
        yield* sleep(10000);
      });`);
    expect([code, stderr.includes('spawn nosuch ENOENT')]).toEqual([1, true]);
  });
});
