// stopped-server.ts: a listener whose connections hang: its process is stopped and its queue is full, so the system answers no further SYN.
import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { host } from './peers.ts';

export interface StoppedServer {
  readonly port: number;
  /** Let it run again and end it. */
  end(): Promise<void>;
}

const program = `const server = require('node:net').createServer((socket) => socket.resume());
server.listen({ port: 0, host: '${host}', backlog: 1 }, () => console.log(server.address().port));`;

/** Start one and fill its queue. */
export async function stoppedServer(): Promise<StoppedServer> {
  const child: ChildProcess = spawnChild(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const port = Number(line);
  child.kill('SIGSTOP');
  const fillers: net.Socket[] = [];
  // The queue holds a few more than its backlog; the first that is still connecting after a while shows that it is full.
  for (let full = false; !full; ) {
    const filler = net.connect({ host, port });
    filler.on('error', () => {});
    fillers.push(filler);
    full = await Promise.race([
      once(filler, 'connect').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(resolve, 100, true)),
    ]);
  }
  return {
    port,
    async end() {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
