// nats-options.ts: how to reach NATS: checked at the call, and read by everything in this folder that connects.
//
// Only what we add meaning to has a name of its own here. The rest (TLS, user and password, NKeys, JWT) is handed to the client as it is, under `client`; of it
// nothing is taken that is about connecting again, since that is done here (link.ts says why).

import type { NodeConnectionOptions } from '@nats-io/transport-node';
import { typeError } from '../../core/bad-argument.ts';
import { checkOptions, own, ownMs, ownText, shownValue } from '../../io/address.ts';

export interface NatsOptions {
  /** 'host:port', with or without 'nats://' before it, one or several of a cluster; '127.0.0.1:4222' by default. */
  readonly servers?: string | readonly string[] | undefined;
  /** How long connecting may take, all servers together. 5,000 by default. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long to go on connecting again after a connection is lost, before everything that waits fails. Infinity by default. */
  readonly giveUpAfterMs?: number | undefined;
  /** How often the server is asked for a sign of life; it has as long again to answer. 5,000 by default. */
  readonly pingMs?: number | undefined;
  /** Shown in the server's list of connections. */
  readonly clientName?: string | undefined;
  /** Passed on to the client: `tls`, `user`, `pass`, `token`, `authenticator`. */
  readonly client?: Pick<NodeConnectionOptions, 'tls' | 'user' | 'pass' | 'token' | 'authenticator'> | undefined;
}

/** One server, as it was given and as it is dialled. */
export interface ServerAddress {
  readonly text: string;
  readonly host: string;
  readonly port: number;
}

export interface NatsSettings {
  readonly servers: readonly ServerAddress[];
  readonly connectTimeoutMs: number;
  readonly giveUpAfterMs: number;
  readonly pingMs: number;
  readonly clientName: string;
  readonly client: NodeConnectionOptions;
}

const defaultPort = 4222;
/** What of the client's options is passed on. */
const passedOn = ['tls', 'user', 'pass', 'token', 'authenticator'] as const;

/** Check the options of `where`. @throws TypeError for bad ones. */
export function natsSettings(options: unknown, where: string): NatsSettings {
  const given = checkOptions(options, where);
  const client = checkOptions(own<unknown>(given, 'client'), `${where}: client`);
  const foreign = Object.keys(client).filter((key) => !(passedOn as readonly string[]).includes(key));
  if (foreign.length > 0)
    throw typeError(
      `${where}: client takes ${passedOn.join(', ')}, not ${foreign.join(', ')}`,
      'ERR_INVALID_ARG_VALUE',
    );
  return {
    servers: serverList(own<unknown>(given, 'servers'), where),
    connectTimeoutMs: ownMs(given, 'connectTimeoutMs', 5_000, where),
    giveUpAfterMs: ownMs(given, 'giveUpAfterMs', Number.POSITIVE_INFINITY, where),
    pingMs: Math.max(ownMs(given, 'pingMs', 5_000, where), 10),
    clientName: ownText(given, 'clientName', where) ?? 'tendril',
    client: client as NodeConnectionOptions,
  };
}

function serverList(servers: unknown, where: string): readonly ServerAddress[] {
  if (servers === undefined) return [{ text: `127.0.0.1:${defaultPort}`, host: '127.0.0.1', port: defaultPort }];
  const list: unknown[] = Array.isArray(servers) ? servers : [servers];
  if (list.length === 0) throw typeError(`${where}: servers is empty`, 'ERR_INVALID_ARG_VALUE');
  return list.map((server) => serverAddress(server, where));
}

function serverAddress(server: unknown, where: string): ServerAddress {
  if (typeof server !== 'string') throw typeError(`${where}: a server is 'host:port', not ${shownValue(server)}`);
  const text = server.replace(/^(nats|tls):\/\//, '');
  if (text.includes('@'))
    throw typeError(
      `${where}: put user and password into the option client, not into the address`,
      'ERR_INVALID_ARG_VALUE',
    );
  const url = text.includes('://') || text === '' ? undefined : parsed(`nats://${text}`);
  if (url === undefined || url.hostname === '' || !['', '/'].includes(url.pathname))
    throw typeError(`${where}: a server is 'host:port', not ${shownValue(server)}`, 'ERR_INVALID_ARG_VALUE');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? defaultPort : Number(url.port);
  return { text: `${url.hostname}:${port}`, host, port };
}

function parsed(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
