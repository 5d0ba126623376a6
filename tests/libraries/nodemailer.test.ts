// nodemailer.test.ts: nodemailer in greenlets, against aiosmtpd.
//
// A kill leaves the mail: what was handed to the pool is sent, and the answer of the server is dropped. Closing the transport ends the connections that are idle.
import { type ChildProcessByStdio, spawn as spawnProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { createTransport, type Transporter } from 'nodemailer';
import type SMTPPool from 'nodemailer/lib/smtp-pool';
import { type Op, once, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probeProgram } from '../services.ts';
import { type Library, libraryTests, noOrphans, type Subject, untilHolding, using } from './subject.ts';

// Packaged for the system's own Python.
const python = probeProgram('aiosmtpd') === undefined ? undefined : '/usr/bin/python3';

class Mailer implements Subject {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: Interface;
  transport!: Transporter<SMTPPool.SentMessageInfo>;
  mailsHeld = 0;

  constructor(program: string) {
    const script = fileURLToPath(new URL('./smtp-server.py', import.meta.url));
    this.child = spawnProcess(program, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout });
  }

  *open(): Op<this> {
    const [port] = yield* once<[string]>(this.lines, 'line');
    this.lines.on('line', (line) => (this.mailsHeld = Number(line)));
    this.transport = createTransport({ pool: true, maxConnections: 5, host: '127.0.0.1', port: Number(port) });
    return this;
  }

  *send(subject: string): Op<string> {
    const mail = { from: 'a@example.org', to: 'b@example.org', subject, text: 'A mail.' };
    return (yield* this.transport.sendMail(mail)).response;
  }

  *one(n: number): Op<number> {
    return Number(/kept (\d+)$/.exec(yield* this.send(String(n)))?.[1]);
  }

  *held(): Op<unknown> {
    return yield* this.send('held');
  }

  *holding(): Op<number> {
    return this.mailsHeld;
  }

  *release(): Op<void> {
    this.child.stdin.write('release\n');
  }

  *close(): Op<void> {
    this.transport.close();
    this.child.stdin.end();
    yield* once(this.child, 'close');
  }
}

const library = {
  open: () => new Mailer(python as string).open(),
  inFlight: 'goes on',
  meanwhile: 'answered',
} as const;

libraryTests('nodemailer', library satisfies Library, python === undefined, () => {
  it('sends the mail of a greenlet that was killed while the server took its time', async () => {
    const seen = await using(library, function* (subject) {
      const sending = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      sending.kill();
      yield* sending.join();
      const killed = sending.killed;
      yield* subject.release();
      yield* noOrphans();
      yield* untilHolding(subject, 0);
      return { killed, idle: (subject as Mailer).transport.isIdle() };
    });
    expect(seen).toEqual({ killed: true, idle: true });
  });
});
