// dns-servers.ts: name servers for tests: dnsmasq with one record of each type, and one of our own that answers as badly as a test wants.
//
// The own one listens on the same port for UDP and TCP, as a client that was given a cut answer expects.
import { type ChildProcess, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import net from 'node:net';

const host = '127.0.0.1';

/** A domain name on the wire. */
function wireName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

function uint32s(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => void bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}

export interface NameServer {
  /** For `servers`. */
  readonly address: string;
  end(): Promise<void>;
}

const NS = wireName('ns.zone.test').toString('hex');
const SOA = Buffer.concat([
  wireName('ns.zone.test'),
  wireName('host.zone.test'),
  uint32s(2024, 1200, 120, 604_800, 600),
]).toString('hex');

/** Start dnsmasq on a free port. */
export async function startDnsmasq(program: string): Promise<NameServer> {
  for (;;) {
    const port = await freePort();
    const child = spawn(program, [
      ...['--no-daemon', `--user=${process.env.USER ?? 'root'}`, `--port=${port}`, `--listen-address=${host}`],
      ...['--bind-interfaces', '--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--pid-file=', '--local=/test/'],
      ...['--host-record=a.test,192.0.2.1,2001:db8::1,300', '--host-record=a.test,192.0.2.2,300'],
      ...['--mx-host=test,mail.test,10', '--mx-host=test,backup.test,20', '--cname=alias.test,a.test'],
      ...['--txt-record=text.test,hello world,second piece', '--srv-host=_sip._tcp.test,sip.test,5060,10,20'],
      ...['--ptr-record=1.2.0.192.in-addr.arpa,a.test', '--caa-record=test,0,issue,ca.test'],
      ...['--naptr-record=naptr.test,100,50,s,SIP+D2U,,_sip._udp.test'],
      ...[`--dns-rr=zone.test,2,${NS}`, `--dns-rr=zone.test,6,${SOA}`],
    ]);
    if (await started(child)) return { address: `${host}:${port}`, end: () => ended(child) };
  }
}

/** Has dnsmasq said that it is up? False if its port was taken meanwhile. */
function started(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (/started, version/.test(said)) resolve(true);
    });
    child.once('error', reject);
    child.once('exit', () => (/in use/.test(said) ? resolve(false) : reject(new Error(`dnsmasq ended: ${said}`))));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, host, () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** What a client has asked. */
export interface Query {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly over: 'udp' | 'tcp';
  /** The question as it came. */
  readonly bytes: Buffer;
}

/** Answers a query, as often as it likes and whenever it likes. */
export type Responder = (query: Query, send: (answer: Buffer) => void) => void;

export interface Rude extends NameServer {
  /** Every query that has come, such as `udp 1 a.test`. */
  readonly log: string[];
}

/** Start a name server that answers with `respond`. */
export async function startRudeServer(respond: Responder): Promise<Rude> {
  const log: string[] = [];
  const sockets = new Set<net.Socket>();
  const heard = (bytes: Buffer, over: 'udp' | 'tcp', send: (answer: Buffer) => void): void => {
    const query = queryOf(bytes, over);
    log.push(`${over} ${query.type} ${query.name}`);
    respond(query, send);
  };
  for (;;) {
    const udp = dgram.createSocket('udp4');
    udp.on('message', (bytes, { port: to, address }) => heard(bytes, 'udp', (answer) => udp.send(answer, to, address)));
    const port = await new Promise<number>((resolve) => udp.bind(0, host, () => resolve(udp.address().port)));
    const tcp = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      socket.on('data', (bytes) => heard(bytes.subarray(2), 'tcp', (answer) => socket.write(withLength(answer))));
    });
    const free = await new Promise<boolean>((resolve) => {
      tcp.once('error', () => resolve(false)).listen(port, host, () => resolve(true));
    });
    if (!free) {
      udp.close();
      continue;
    }
    const end = async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      await Promise.all([new Promise<void>((done) => udp.close(done)), new Promise((done) => tcp.close(done))]);
    };
    return { address: `${host}:${port}`, log, end };
  }
}

function withLength(answer: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(answer.length);
  return Buffer.concat([length, answer]);
}

function queryOf(bytes: Buffer, over: 'udp' | 'tcp'): Query {
  const labels: string[] = [];
  let at = 12;
  for (let length = bytes[at] ?? 0; length > 0; length = bytes[at] ?? 0) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = bytes.subarray(12, at + 5);
  // c-ares mixes the case of what it asks over UDP, to recognize its own questions.
  const name = labels.join('.').toLowerCase();
  return { id: bytes.readUInt16BE(0), name, type: bytes.readUInt16BE(at + 1), over, bytes: question };
}

export const SERVFAIL = 2;
export const NXDOMAIN = 3;
export const REFUSED = 5;

export interface AnswerOptions {
  readonly id?: number;
  readonly code?: number;
  /** Say that the answer was cut. */
  readonly truncated?: boolean;
  /** What stands for the name: the bytes of each record. */
  readonly records?: readonly Buffer[];
}

/** An answer to `query`. */
export function answerTo(query: Query, options: AnswerOptions = {}): Buffer {
  const { id = query.id, code = 0, truncated = false, records = [] } = options;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x8180 | (truncated ? 0x0200 : 0) | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const answers = records.map((data) => {
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0); // the name of the question
    head.writeUInt16BE(query.type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(60, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([header, query.bytes, ...answers]);
}
