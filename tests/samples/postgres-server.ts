// postgres-server.ts: a PostgreSQL of a test's own, on a free port, with one role for each way to log in.
//
// The role `keeper` needs no password; `shown`, `hashed` and `proven` have the password `open sesame`, and have to show it, to send an MD5 of it and to
// prove that they know it. It does not run as root, so root hands it to the user postgres.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { server as identity } from '../io/certificates.ts';
import { probeProgram } from '../services.ts';
import { freePort } from './private-server.ts';

export const host = '127.0.0.1';
export const password = 'open sesame';

export interface PostgresServer {
  readonly port: number;
  /** The Unix socket. */
  readonly path: string;
  /** Kill it, and wait until it has gone. */
  end(): Promise<void>;
}

/** Where Debian keeps the server's programs: not on PATH. */
function packaged(): string | undefined {
  const root = '/usr/lib/postgresql';
  try {
    for (const version of readdirSync(root).sort((a, b) => Number(b) - Number(a))) {
      const bin = join(root, version, 'bin');
      accessSync(join(bin, 'initdb'), constants.X_OK);
      return bin;
    }
  } catch {
    // Not there.
  }
  return undefined;
}

/** The folder of initdb and postgres, or undefined, with the reason printed. */
export function probePostgres(): string | undefined {
  return packaged() ?? probeProgram('initdb')?.replace(/\/initdb$/, '');
}

const rules = `local all all trust
host all keeper ${host}/32 trust
host all shown ${host}/32 password
host all hashed ${host}/32 md5
host all proven ${host}/32 scram-sha-256
`;

const roles = `CREATE ROLE keeper SUPERUSER LOGIN;
CREATE ROLE shown LOGIN PASSWORD '${password}';
CREATE ROLE proven LOGIN PASSWORD '${password}';
SET password_encryption = 'md5';
CREATE ROLE hashed LOGIN PASSWORD '${password}';
`;

export async function startPostgres(bin: string): Promise<PostgresServer> {
  const owner = process.getuid?.() === 0 ? idsOf('postgres') : undefined;
  const folder = mkdtempSync(join(tmpdir(), 'tendril-pg-'));
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const how = { ...owner, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  const data = join(folder, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '-E', 'UTF8', '--locale=C'], {
    ...how,
    stdio: 'ignore',
  });
  writeFileSync(join(data, 'pg_hba.conf'), rules);
  // Where the server looks for them; it takes no key that others can read.
  writeFileSync(join(data, 'server.crt'), identity.cert);
  writeFileSync(join(data, 'server.key'), identity.key, { mode: 0o600 });
  if (owner !== undefined) chownSync(join(data, 'server.key'), owner.uid, owner.gid);
  execFileSync(join(bin, 'postgres'), ['--single', '-j', '-D', data, 'postgres'], {
    ...how,
    input: roles.replaceAll(';\n', ';\n\n'),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  for (;;) {
    const port = await freePort();
    const args = ['-D', data, '-p', String(port), '-k', folder, '-F', '-c', `listen_addresses=${host}`, '-c', 'ssl=on'];
    const child = spawn(join(bin, 'postgres'), args, { ...how, stdio: ['ignore', 'ignore', 'pipe'] });
    if (!(await started(child))) continue;
    return {
      port,
      path: join(folder, `.s.PGSQL.${port}`),
      async end(): Promise<void> {
        await ended(child);
        rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
      },
    };
  }
}

function idsOf(user: string): { uid: number; gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Has it said that it is up? False if its port was taken meanwhile. */
function started(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000);
      if (/ready to accept connections/.test(said)) resolve(true);
    });
    child.once('error', reject);
    child.once('exit', () => (/in use/.test(said) ? resolve(false) : reject(new Error(`postgres ended: ${said}`))));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
