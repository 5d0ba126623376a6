// overloaded-server-program.ts: a server that may have only 64 descriptors, from when it is loaded on. It answers each line with `pong`; on the line `hog` it
// opens files until no descriptor is left, and closes them when it hears of the overload. Tells on stdout what happens to it.
import fs from 'node:fs';
import { type Op, openHandles, run, type Socket, StreamServer, sleep, until } from 'tendril';

process.stdin.once('end', () => process.exit(1)); // whoever started us is gone
process.stdout.write('loaded\n');
await new Promise((resolve) => process.stdin.once('data', resolve));

const hoarded: number[] = [];
let hogging = false;

function* answer(socket: Socket): Op<void> {
  for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
    yield* socket.write('pong\n');
    if (line !== 'hog') continue;
    hogging = true;
    hoard();
    console.log('hog');
    // Connections that are still being closed give some back.
    while (hogging) {
      yield* sleep(5);
      hoard();
    }
  }
}

function hoard(): void {
  try {
    while (hogging) hoarded.push(fs.openSync('/dev/null', 'r'));
  } catch (error) {
    if ((error as { code: string }).code !== 'EMFILE') throw error;
  }
}

await run(function* () {
  const server = new StreamServer({ host: '127.0.0.1', port: 0 }, answer);
  server.on('overload', (pauseMs) => {
    hogging = false;
    for (const fd of hoarded.splice(0)) fs.closeSync(fd);
    console.log('overload', pauseMs);
  });
  yield* server.start();
  console.log('port', server.address.port);
  yield* until(new Promise((resolve) => process.stdin.once('data', resolve)));
  process.stdin.destroy();
  yield* server.stop({ graceMs: 0 });
  const { overloads, acceptErrors, handlerErrors, dropped, active } = server.stats;
  console.log('stats', JSON.stringify({ overloads: overloads > 0, acceptErrors, handlerErrors, dropped, active }));
  console.log('open', openHandles().total);
});
