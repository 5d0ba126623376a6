// certificates.ts: certificates for tests, made by certificates/make.sh: a CA, and servers and clients of every kind.
//
//   server      localhost, 127.0.0.1, ::1       chained     the same, by a CA between that one and the root; chain is it with the one between
//   selfsigned  the same, by itself             elsewhere   for another name
//   expired, early                              not any more, not yet
//   alpha, beta alpha.test, *.beta.test         client, stranger  for clients: by the CA, by itself
import { readFileSync } from 'node:fs';

function pem(name: string): string {
  return readFileSync(new URL(`./certificates/${name}.pem`, import.meta.url), 'utf8');
}

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

/** Key and certificate of `name`. */
export function identity(name: string, cert = name): Identity {
  return { key: pem(`${name}-key`), cert: pem(cert) };
}

export const ca: string = pem('ca');
export const server: Identity = identity('server');
export const encryptedKey: string = pem('server-encrypted-key');
