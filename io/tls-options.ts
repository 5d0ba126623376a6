// tls-options.ts: what a caller may say about TLS, checked at the call, and what Node is told of it.
//
// Everything is checked before any IO: PEM that is none, a key of another certificate, an unknown cipher are errors of the call. Node takes a {ca} that
// holds no certificate in silence and then trusts nobody, so each is parsed here. Verification is on whatever the environment says
// (NODE_TLS_REJECT_UNAUTHORIZED); only {insecure: true} of one connection turns it off, and the process is warned once.
//
// Options are read as own properties only. Contexts are built once for each call, not for each connection.

import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { rangeError, typeError } from '../core/bad-argument.ts';
import { checkHost, familyOf, own, ownFlag, ownMs, shownValue } from './address.ts';
import { codeOf } from './errors.ts';
import { TlsError } from './tls-errors.ts';

// Taken at load: patches never reach us.
const { createSecureContext } = tls;

const HANDSHAKE_TIMEOUT_MS = 10_000;
const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;

export type TlsVersion = (typeof VERSIONS)[number];

/** A certificate or a key as PEM, or several of them. */
export type Pem = string | Uint8Array | readonly (string | Uint8Array)[];

/** Who this end is, whom it trusts, and what it speaks. */
export interface TlsIdentity {
  /** The CAs that are trusted; those that come with Node by default. */
  readonly ca?: Pem | undefined;
  /** Our certificate, followed by those between it and its CA; and its key. */
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  /** Of an encrypted `key`. */
  readonly passphrase?: string | undefined;
  /** The oldest and the newest version that is spoken: 'TLSv1.2' and 'TLSv1.3' by default. */
  readonly minVersion?: TlsVersion | undefined;
  readonly maxVersion?: TlsVersion | undefined;
  /** In the words of OpenSSL. */
  readonly ciphers?: string | undefined;
}

/** What both ends of a connection may say. */
export interface TlsOptions extends TlsIdentity {
  /** The protocols above TLS that we speak, the best first: ['h2', 'http/1.1']. */
  readonly alpn?: readonly string[] | undefined;
  /** How long the handshake may take: 10,000 ms by default; Infinity for ever. */
  readonly handshakeTimeoutMs?: number | undefined;
}

export interface TlsClientOptions extends TlsOptions {
  /** The name that the server is asked for (SNI) and that its certificate must be for; by default the host that was connected to. */
  readonly servername?: string | undefined;
  /** True: do not verify the server, whoever it is. The process is warned, once. */
  readonly insecure?: boolean | undefined;
  /** The session of an earlier connection to this server (`socket.tls.session`, the very object), to shorten the handshake. Another server's is not used. */
  readonly session?: Uint8Array | undefined;
}

/** What a client's handshake needs to know. @internal */
export interface TlsClient {
  readonly context: tls.SecureContext;
  readonly alpn: string[] | undefined;
  readonly handshakeTimeoutMs: number;
  /** As the caller gave it. */
  readonly servername: string | undefined;
  readonly insecure: boolean;
  readonly session: Uint8Array | undefined;
}

/**
 * Check what a client says about TLS.
 *
 * @throws TypeError or RangeError for a bad option. @throws TlsError for PEM that is none, a key of another certificate, an unknown cipher. @internal
 */
export function checkTlsClient(given: object, where: string): TlsClient {
  const servername = own<unknown>(given, 'servername');
  const session = own<unknown>(given, 'session');
  if (session !== undefined && !(session instanceof Uint8Array)) {
    throw typeError(`${where}: session must be bytes, not ${shownValue(session)}`);
  }
  const insecure = ownFlag(given, 'insecure', false, where);
  if (insecure) warnOnce();
  return {
    context: contextOf(given, where),
    alpn: checkAlpn(given, where),
    handshakeTimeoutMs: ownMs(given, 'handshakeTimeoutMs', HANDSHAKE_TIMEOUT_MS, where),
    servername: servername === undefined ? undefined : checkServername(servername, where),
    insecure,
    session,
  };
}

/** Those options of tls.connect that are ours to say. @internal */
export interface NodeTlsOptions {
  secureContext: tls.SecureContext;
  rejectUnauthorized: boolean;
  servername?: string;
  host?: string;
  ALPNProtocols?: string[];
  session?: Buffer;
}

/**
 * What tls.connect, or undici's connector, is told for a connection to `host`; undefined if the caller of it knows the host.
 *
 * Names of certificates are checked against `servername`, or `host` if there is none. An IP address is no name that can be asked for. @internal
 */
export function nodeTlsOptions(client: TlsClient, host?: string): NodeTlsOptions {
  const name = nameOfServer(client, host);
  const { session } = client;
  // In a shortened handshake the server shows no certificate: Node takes whoever can resume the session for the server that it was made with.
  const resumes = session !== undefined && name !== undefined && sessions.get(session) === name;
  return {
    secureContext: client.context,
    rejectUnauthorized: !client.insecure,
    ...(name === undefined ? {} : familyOf(name) === 0 ? { servername: name } : { host: name }),
    ...(client.alpn === undefined ? {} : { ALPNProtocols: client.alpn }),
    ...(resumes ? { session: Buffer.from(session) } : {}),
  };
}

/** The verified server that each session was made with. */
const sessions: WeakMap<Uint8Array, string> = new WeakMap();

/** Note that `session` was made with a server that is verified. @internal */
export function rememberSession(session: Buffer, client: TlsClient, host: string | undefined): void {
  const name = nameOfServer(client, host);
  if (name !== undefined) sessions.set(session, name);
}

function nameOfServer({ servername }: TlsClient, host: string | undefined): string | undefined {
  return (servername ?? host)?.replace(/\.$/, '');
}

/** The context of what `given` says of this end. @internal */
export function contextOf(given: object, where: string): tls.SecureContext {
  const ca = checkPem(given, 'ca', where);
  const cert = checkPem(given, 'cert', where);
  const key = checkPem(given, 'key', where);
  const passphrase = own<unknown>(given, 'passphrase');
  const ciphers = own<unknown>(given, 'ciphers');
  for (const [name, value] of Object.entries({ passphrase, ciphers })) {
    if (value !== undefined && typeof value !== 'string') {
      throw typeError(
        `${where}: ${name} must be a string, not ${name === 'passphrase' ? typeof value : shownValue(value)}`,
      );
    }
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw typeError(`${where}: cert and key belong together, and ${cert === undefined ? 'cert' : 'key'} is missing`);
  }
  const minVersion = checkVersion(given, 'minVersion', where);
  const maxVersion = checkVersion(given, 'maxVersion', where);
  if (minVersion !== undefined && maxVersion !== undefined && minVersion > maxVersion) {
    throw rangeError(`${where}: minVersion ${minVersion} is newer than maxVersion ${maxVersion}`);
  }
  try {
    // Node would take one without a certificate in silence.
    for (const one of ca ?? []) new X509Certificate(one);
    return createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase: passphrase as string }),
      ...(ciphers === undefined ? {} : { ciphers: ciphers as string }),
      ...(minVersion === undefined ? {} : { minVersion }),
      ...(maxVersion === undefined ? {} : { maxVersion }),
    });
  } catch (error) {
    throw new TlsError(`${where}: reading its options`, '', codeOf(error) ?? 'ERR_TLS_OPTIONS', error);
  }
}

/** The protocols of {alpn}. @internal */
export function checkAlpn(given: object, where: string): string[] | undefined {
  const alpn = own<unknown>(given, 'alpn');
  if (alpn === undefined) return undefined;
  if (!Array.isArray(alpn) || alpn.length === 0) {
    throw typeError(
      `${where}: alpn must be an array of names, not ${Array.isArray(alpn) ? 'an empty one' : shownValue(alpn)}`,
    );
  }
  for (const name of alpn as unknown[]) {
    if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > 255) {
      throw typeError(`${where}: a name in alpn has 1 to 255 bytes; this is none: ${shownValue(name)}`);
    }
  }
  return [...(alpn as string[])];
}

/** The limit of {handshakeTimeoutMs}. @internal */
export function checkHandshakeMs(given: object, where: string): number {
  return ownMs(given, 'handshakeTimeoutMs', HANDSHAKE_TIMEOUT_MS, where);
}

function checkServername(servername: unknown, where: string): string {
  if (typeof servername !== 'string') {
    throw typeError(`${where}: servername must be a string, not ${shownValue(servername)}`);
  }
  if (servername.length > 253) throw rangeError(`${where}: servername has at most 253 characters`);
  return checkHost(servername, `${where}: servername`);
}

function checkVersion(given: object, key: 'minVersion' | 'maxVersion', where: string): TlsVersion | undefined {
  const version = own<unknown>(given, key);
  if (version !== undefined && !VERSIONS.includes(version as TlsVersion)) {
    throw rangeError(`${where}: ${key} must be one of ${VERSIONS.join(', ')}, not ${shownValue(version)}`);
  }
  return version as TlsVersion | undefined;
}

function checkPem(given: object, key: 'ca' | 'cert' | 'key', where: string): Buffer[] | undefined {
  const pem = own<unknown>(given, key);
  if (pem === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(pem) ? pem : [pem];
  if (list.length === 0) throw typeError(`${where}: ${key} is empty: leave it out`);
  return list.map((one) => {
    if (typeof one === 'string') return Buffer.from(one);
    // Never what it is: it may be a key.
    if (!(one instanceof Uint8Array))
      throw typeError(`${where}: ${key} must be PEM, a string or bytes, not ${typeof one}`);
    return Buffer.from(one);
  });
}

let warned = false;

function warnOnce(): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    'a TLS connection is made with {insecure: true}: its server is not verified and may be anybody. Give the CA as {ca} instead.',
    { code: 'TENDRIL_TLS_INSECURE' },
  );
}
