"""smtp-server.py: a real SMTP server (aiosmtpd) for a test: STARTTLS or TLS from the first byte, a password, mails printed as JSON.

Usage: python3 smtp-server.py CERT KEY starttls|implicit|none. Prints its port, and then a line for each mail. Ends when stdin does.
"""
import asyncio
import base64
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later@"):
            return "450 4.2.1 try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": "" if envelope.mail_from == "<>" else envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": base64.b64encode(envelope.original_content).decode(),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data,
        }
        print(json.dumps(mail), flush=True)
        return "250 2.0.0 kept"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"alice" and data.password == b"open sesame"
    return AuthResult(success=good, handled=good, auth_data=data.login.decode() if good else None)


async def main(cert, key, security):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    loop = asyncio.get_running_loop()

    def protocol():
        return SMTP(
            Handler(),
            data_size_limit=1_000_000,
            enable_SMTPUTF8=True,
            hostname="mail.test",
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            authenticator=authenticate,
            auth_required=False,
            auth_require_tls=security == "starttls",
            loop=loop,
        )

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if security == "implicit" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
