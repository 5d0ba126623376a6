// stuck-pool.ts: a thread pool all of whose threads hang, until they are let go: each opens a FIFO that nobody writes to.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const THREADS = Number(process.env.UV_THREADPOOL_SIZE ?? 4);

export interface StuckPool {
  /** Let the threads go, and wait until they are free. Idempotent. */
  free(): Promise<void>;
}

/** Occupy every thread of libuv's pool. */
export async function stuckPool(): Promise<StuckPool> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tendril-stuck-'));
  const paths = Array.from({ length: THREADS }, (_, index) => path.join(folder, String(index)));
  execFileSync('mkfifo', paths);
  const opened = paths.map(
    (fifo) =>
      new Promise<void>((resolve, reject) => {
        fs.open(fifo, 'r', (error, descriptor) => {
          if (error !== null) return reject(error);
          fs.closeSync(descriptor);
          resolve();
        });
      }),
  );
  // A writer that does not block finds no reader until the thread has begun to open.
  let freed: Promise<void> | undefined;
  const free = async (): Promise<void> => {
    for (const fifo of paths) {
      for (let writer: number | undefined; writer === undefined; ) {
        try {
          writer = fs.openSync(fifo, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
          fs.closeSync(writer);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    }
    await Promise.all(opened);
    fs.rmSync(folder, { recursive: true });
  };
  return { free: () => (freed ??= free()) };
}
