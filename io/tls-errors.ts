// tls-errors.ts: what can go wrong with TLS, and what to do about it.
//
// `code` is the one of OpenSSL or Node (DEPTH_ZERO_SELF_SIGNED_CERT, ERR_TLS_CERT_ALTNAME_INVALID, ERR_SSL_WRONG_VERSION_NUMBER, ...); the message names
// the operation, the peer and the next step; what Node threw is the `cause`. A connection that is lost in the handshake is a TlsError too, with the
// system's code (ECONNRESET). A handshake that takes too long is a TimeoutError, as everywhere.
//
// Source: https://docs.openssl.org/3.0/man1/openssl-verification-options/#diagnostics

import { ResourceError } from '../core/errors.ts';
import { codeOf } from './errors.ts';

/** The peer could not be trusted, the two ends could not agree, or what came is not TLS. Nothing of the application's was sent before that was known. */
export class TlsError extends ResourceError {
  override readonly code: string;
  /** The address of the peer; '' if the error was found before there was one. */
  readonly peer: string;
  constructor(what: string, peer: string, code: string, cause?: unknown) {
    const step = nextStep(code);
    const detail = detailOf(cause);
    super(`${what} failed: ${code}${detail === '' ? '' : ` (${detail})`}${step === undefined ? '' : `: ${step}`}`, {
      cause,
    });
    this.code = code;
    this.peer = peer;
  }
}

const NO_TRUST =
  'its issuer is not known here: give the CA as {ca}; a server has to send its intermediate certificates';
const NOT_TLS =
  'what came is not TLS: is it the right port, does it speak TLS from the first byte on, or did somebody add text?';
const NO_VERSION = 'the two ends have no version of TLS in common: see {minVersion, maxVersion} on both';
const NO_CERTIFICATE = 'the server wants a certificate that it trusts: give {cert, key}';
const BAD_PEM = 'the text is not what is expected there: PEM begins with -----BEGIN';

const STEPS: ReadonlyMap<string, string> = new Map([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'the certificate has signed itself: if you trust it, give it as {ca}'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'the chain ends in a CA that is not known here: if you trust it, give it as {ca}'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', NO_TRUST],
  ['UNABLE_TO_GET_ISSUER_CERT', NO_TRUST],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', NO_TRUST],
  ['CERT_HAS_EXPIRED', 'the certificate has to be renewed; check the clock of this machine too'],
  ['CERT_NOT_YET_VALID', 'the certificate becomes valid later; check the clock of this machine'],
  ['CERT_REVOKED', 'its issuer has withdrawn the certificate: it has to be replaced'],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'the certificate is for other names: connect by one of them, or say it as {servername}',
  ],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NOT_TLS],
  ['ERR_SSL_HTTP_REQUEST', NOT_TLS],
  ['ERR_SSL_HTTPS_PROXY_REQUEST', NOT_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NOT_TLS],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', NO_VERSION],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', NO_VERSION],
  ['ERR_SSL_NO_PROTOCOLS_AVAILABLE', NO_VERSION],
  ['ERR_SSL_NO_SHARED_CIPHER', 'the two ends have no cipher in common: see {ciphers} on both'],
  ['ERR_SSL_NO_CIPHER_MATCH', '{ciphers} names none that this Node has: see tls.getCiphers()'],
  ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'the server speaks none of {alpn}'],
  ['ERR_SSL_NO_APPLICATION_PROTOCOL', 'the client speaks none of {alpn}'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', NO_CERTIFICATE],
  [
    'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
    'the server refuses: see its {ciphers}, versions, and whether it wants {cert, key}',
  ],
  ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'the client has given no certificate, and {requestCert} demands one'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'the peer does not know the issuer of our certificate'],
  ['ERR_OSSL_PEM_NO_START_LINE', BAD_PEM],
  ['ERR_OSSL_UNSUPPORTED', BAD_PEM],
  ['ERR_OSSL_X509_KEY_VALUES_MISMATCH', '{key} is not the key of {cert}'],
  ['ERR_OSSL_BAD_DECRYPT', '{passphrase} is not the one of {key}'],
  ['ERR_OSSL_EVP_BAD_DECRYPT', '{passphrase} is not the one of {key}'],
  ['ERR_MISSING_PASSPHRASE', '{key} is encrypted: give its {passphrase}'],
  ['ECONNRESET', 'the peer closed the connection in the middle of the handshake'],
]);

function nextStep(code: string): string | undefined {
  return STEPS.get(code);
}

/** What OpenSSL says, in one line. */
function detailOf(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  const reason = (cause as { reason?: unknown }).reason;
  const text = typeof reason === 'string' && reason !== '' ? reason : cause.message;
  return text.replace(/\s+/g, ' ').trim().slice(0, 200);
}

// What Node calls the results of a verification, and the families of codes of OpenSSL and of its own.
const TLS_CODE =
  /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|UNABLE_TO_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|ERROR_IN_C|INVALID_(CA|PURPOSE)|PATH_LENGTH_|HOSTNAME_MISMATCH)|^EPROTO$/;

/** Is `error` one of TLS's own, and not the network's? @internal */
export function isOfTls(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && TLS_CODE.test(code);
}

/**
 * The TlsError of `what`, which ended with Node's `error` on a connection to `peer`; undefined if `error` is not one of TLS.
 *
 * Also a connection that was lost in the handshake is one, if Node says that this is when it was lost. @internal
 */
export function tlsErrorOf(what: string, peer: string, error: unknown): TlsError | undefined {
  if (error instanceof TlsError) return error;
  const code = codeOf(error);
  const inHandshake = error instanceof Error && /before secure TLS connection was established/.test(error.message);
  if (code === undefined || !(inHandshake || isOfTls(error))) return undefined;
  return new TlsError(what, peer, code, error);
}
