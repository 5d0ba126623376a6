// errors.ts: what the SMTP client throws, besides the errors of sockets (ConnectError, TlsError, ConnectionResetError, TimeoutError, Killed).
//
//   SmtpError          the server said no. The connection can be used for the next mail
//   SmtpProtocolError  the server said what no SMTP server says, or lacks what was asked for; the connection is closed
//   SmtpInDoubtError   the connection was lost, or given up, between the end of the mail and the server's word: it may have been taken

import { ResourceError } from 'tendril';

/** An answer of 4xx (try again later: `temporary`) or 5xx. `status` is its number, `enhanced` the RFC 3463 one if it has one. */
export class SmtpError extends ResourceError {
  override readonly code: string = 'ERR_SMTP_REPLY';
  readonly status: number;
  readonly enhanced: string | undefined;
  readonly command: string;
  constructor(status: number, text: string, command: string) {
    super(`${command}: ${status} ${text}`);
    this.status = status;
    this.enhanced = /^[245]\.\d{1,3}\.\d{1,3}\b/.exec(text)?.[0];
    this.command = command;
  }

  get temporary(): boolean {
    return this.status < 500;
  }
}

export class SmtpProtocolError extends ResourceError {
  override readonly code: string = 'ERR_SMTP_PROTOCOL';
}

export class SmtpInDoubtError extends ResourceError {
  override readonly code: string = 'ERR_SMTP_IN_DOUBT';
  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`the mail was sent, but the server's word did not come, so it may or may not be delivered: ${why}`, {
      cause,
    });
  }
}
