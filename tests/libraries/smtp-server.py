"""smtp-server.py: a real SMTP server (aiosmtpd) that can hold mails back: it answers `kept SUBJECT`, and a mail with the subject `held` when told to.

Prints its port, and then how many mails it holds whenever that changes. A line on stdin lets all of them go. Ends when stdin does.
"""
import asyncio
import email
import sys
import threading

from aiosmtpd.smtp import SMTP


class Handler:
    def __init__(self):
        self.held = 0
        self.released = asyncio.Event()

    def count(self, change):
        self.held += change
        print(self.held, flush=True)

    async def handle_DATA(self, server, session, envelope):
        subject = email.message_from_bytes(envelope.original_content)["subject"]
        if subject == "held":
            self.count(1)
            try:
                await self.released.wait()
            finally:
                self.count(-1)
        return f"250 2.0.0 kept {subject}"


async def main():
    loop = asyncio.get_running_loop()
    handler = Handler()
    server = await loop.create_server(lambda: SMTP(handler, hostname="mail.test", loop=loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()

    def listen():
        for _ in sys.stdin:
            loop.call_soon_threadsafe(handler.released.set)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=listen, daemon=True).start()
    await ended.wait()


asyncio.run(main())
