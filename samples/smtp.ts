// smtp.ts: send a mail, in sequential style: connect, STARTTLS, log in, MAIL, RCPT, DATA, each a line that waits for its answer.
//
// Where to read on: smtp/connection.ts (the conversation), smtp/message.ts (headers, dot-stuffing), smtp/errors.ts.
//
// How to run: npx tsx samples/smtp.ts smtp://user:password@mail.example:587 me@example.org you@example.org    (the text comes from stdin)
//   smtps:// speaks TLS from the first byte; ?security=none sends in plain text, without a password

import { main, type Op, rethrowKilled, shield, stdio } from 'tendril';
import { type Delivery, SmtpConnection, type SmtpOptions } from './smtp/connection.ts';
import { compose, type Mail } from './smtp/message.ts';

export { type Delivery, SmtpConnection, type SmtpOptions } from './smtp/connection.ts';
export { SmtpError, SmtpInDoubtError, SmtpProtocolError } from './smtp/errors.ts';
export { compose, dotStuffed, type Mail } from './smtp/message.ts';

/** Send one mail over a connection of its own. */
export function* sendMail(options: SmtpOptions, mail: Mail): Op<Delivery> {
  const message = compose(mail);
  const connection = yield* SmtpConnection.open(options);
  try {
    const delivery = yield* connection.send(mail.from, mail.to, message);
    // It is delivered: whatever comes between must not make us say otherwise.
    yield* shield(1000, politely(connection));
    return delivery;
  } finally {
    connection.close();
  }
}

function* politely(connection: SmtpConnection): Op<void> {
  try {
    yield* connection.quit();
  } catch (error) {
    rethrowKilled(error);
    // The server has gone without a word.
  }
}

/** Options from a URL such as `smtp://user:password@host:587` or `smtps://host`. */
export function optionsOf(url: string): SmtpOptions {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  if (protocol !== 'smtp:' && protocol !== 'smtps:')
    throw new TypeError(`an SMTP server has an smtp: or smtps: URL, not ${url}`);
  const security = protocol === 'smtps:' ? 'implicit' : (searchParams.get('security') ?? 'starttls');
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? undefined : Number(port),
    security: security as SmtpOptions['security'],
    ...(username === '' ? {} : { user: decodeURIComponent(username), password: decodeURIComponent(password) }),
  };
}

if (process.argv[1] === import.meta.filename) {
  main(function* () {
    const [url, from, ...to] = process.argv.slice(2);
    if (url === undefined || from === undefined || to.length === 0) {
      console.error(
        'usage: npx tsx samples/smtp.ts smtp://user:password@host:587 FROM TO...    (the text comes from stdin)',
      );
      process.exitCode = 2;
      return;
    }
    let text = '';
    for (const lines = stdio.lines(); ; ) {
      const line = yield* lines.next();
      if (line.done === true) break;
      text += `${line.value}\n`;
    }
    try {
      const { accepted, rejected, reply } = yield* sendMail(optionsOf(url), {
        from,
        to,
        subject: 'A mail from a greenlet',
        text,
      });
      console.log(`sent to ${accepted.join(', ')}: ${reply}`);
      for (const error of rejected.values()) console.log(`not sent: ${error.message}`);
    } catch (error) {
      rethrowKilled(error);
      console.error(`not sent: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  });
}
