// http-proxy.ts: which proxy a request goes through, by what the caller says or by the environment.
//
// `https:` goes through a tunnel (http-tunnel.ts); `http:` is asked of the proxy, which sends it on. Which origins go directly is said as
// everybody says it, in `NO_PROXY`: names, with or without a dot in front, match themselves and what ends in them; addresses and their ranges; a port after
// any of them; `*` for all.
//
// The environment is read only if it is asked for: a variable that somebody else has set should not reroute a program's requests.
// HTTP_PROXY is not read where REQUEST_METHOD is set: in a CGI program anybody sets it, by a header `Proxy` (httpoxy).
// Sources: curl's man page (variables); RFC 9112 3.2.2 (absolute form).

import { BlockList } from 'node:net';
import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { checkOptions, familyOf, own } from './address.ts';
import { checkTlsClient, type TlsClient, type TlsClientOptions } from './tls-options.ts';

/** A proxy: its URL, with user name and password if it wants them. */
export interface ProxyOptions {
  readonly url: string | URL;
  /** What goes directly, as in the variable NO_PROXY. */
  readonly noProxy?: string | undefined;
  /** Whom to trust where the proxy itself speaks TLS, and who we are there. */
  readonly tls?: Omit<TlsClientOptions, 'alpn' | 'session'> | undefined;
}

export interface HttpProxy {
  /** `http://host:port`, without a password: for messages. */
  readonly name: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port: string;
  /** What it is told about us: a header value. */
  readonly authorization: string | undefined;
  readonly tls: TlsClient | undefined;
}

/** Says which proxy leads to an origin; undefined: none. */
export type ProxyChoice = (origin: string) => HttpProxy | undefined;

const direct: ProxyChoice = () => undefined;

/** @throws TypeError if it is no URL of a proxy that is spoken to by HTTP. */
export function checkProxy(given: string | URL | ProxyOptions | undefined): ProxyChoice {
  if (given === undefined) return direct;
  if (given === 'environment') return fromEnvironment(process.env);
  if (typeof given === 'string' || given instanceof URL) {
    const proxy = parseProxy(given);
    return () => proxy;
  }
  if (typeof given !== 'object' || given === null)
    throw typeError(`proxy must be a URL, {url, noProxy} or 'environment', not ${nameOf(given)}`);
  const tls = own<object>(given, 'tls');
  const secured = tls === undefined ? undefined : checkTlsClient(checkOptions(tls, 'proxy: tls'), 'proxy: tls');
  const proxy = { ...parseProxy(own<string | URL>(given, 'url') as string | URL), tls: secured };
  const noProxy = own<unknown>(given, 'noProxy') ?? '';
  if (typeof noProxy !== 'string') throw typeError('proxy: noProxy must be a string, as in the variable NO_PROXY');
  const excepted = exceptions(noProxy);
  return (origin) => (excepted(new URL(origin)) ? undefined : proxy);
}

function fromEnvironment(environment: NodeJS.ProcessEnv): ProxyChoice {
  const read = (name: string): string | undefined => {
    const value = environment[name.toLowerCase()] ?? environment[name];
    return value === undefined || value === '' ? undefined : value;
  };
  const any = read('ALL_PROXY');
  const ofHttp = environment.REQUEST_METHOD === undefined ? read('HTTP_PROXY') : environment.http_proxy;
  const forHttp = parseGiven(ofHttp ?? any, 'HTTP_PROXY');
  const forHttps = parseGiven(read('HTTPS_PROXY') ?? any, 'HTTPS_PROXY');
  const excepted = exceptions(read('NO_PROXY') ?? '');
  return (origin) => {
    const url = new URL(origin);
    if (excepted(url)) return undefined;
    return url.protocol === 'https:' ? forHttps : forHttp;
  };
}

function parseGiven(value: string | undefined, variable: string): HttpProxy | undefined {
  if (value === undefined || value === '') return undefined;
  try {
    // Often without a scheme.
    return parseProxy(value.includes('://') ? value : `http://${value}`);
  } catch (cause) {
    // Not the value: it may have a password in it.
    throw typeError(`the variable ${variable} holds no URL of a proxy`, 'ERR_INVALID_URL', { cause });
  }
}

function parseProxy(given: string | URL): HttpProxy {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw typeError('proxy is no URL: http://host:port, or https:', 'ERR_INVALID_URL');
  }
  const { protocol, hostname, username, password } = url;
  if (protocol !== 'http:' && protocol !== 'https:')
    throw typeError(`proxy protocol ${protocol} is not supported: http: or https:`, 'ERR_INVALID_PROTOCOL');
  const port = url.port === '' ? (protocol === 'https:' ? '443' : '80') : url.port;
  let authorization: string | undefined;
  if (username !== '' || password !== '') {
    const pair = `${decoded(username)}:${decoded(password)}`;
    authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  return { name: `${protocol}//${hostname}:${port}`, protocol, hostname, port, authorization, tls: undefined };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Says whether a URL is one of those that `list` names. */
function exceptions(list: string): (url: URL) => boolean {
  const entries = list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(exceptionOf);
  return (url) => {
    const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
    return entries.some((entry) => entry(host, port));
  };
}

function exceptionOf(entry: string): (host: string, port: string) => boolean {
  if (entry === '*') return () => true;
  const range = /^([\da-fA-F.:]+)\/(\d{1,3})$/.exec(entry);
  if (range !== null) return inRange(range[1] as string, Number(range[2]));
  const [, bracketed, plain = '', only] = /^(?:\[([^\]]*)\]|(.*?))(?::(\d+))?$/.exec(entry) ?? [];
  // An IPv6 address has colons of its own.
  const whole = bracketed ?? (familyOf(entry) === 6 ? entry : plain);
  const wanted = whole
    .toLowerCase()
    .replace(/^\*?\./, '')
    .replace(/\.$/, '');
  const port = familyOf(entry) === 6 ? undefined : only;
  return (host, to) => {
    if (port !== undefined && port !== to) return false;
    return host === wanted || (familyOf(host) === 0 && host.endsWith(`.${wanted}`));
  };
}

function inRange(address: string, bits: number): (host: string) => boolean {
  const list = new BlockList();
  try {
    list.addSubnet(address, bits, familyOf(address) === 6 ? 'ipv6' : 'ipv4');
  } catch {
    return () => false;
  }
  return (host) => {
    const family = familyOf(host);
    return family !== 0 && list.check(host, family === 6 ? 'ipv6' : 'ipv4');
  };
}
