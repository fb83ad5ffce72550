#!/usr/bin/python3
"""A mail server for tests: it keeps what it takes, and misbehaves when told to.

    smtp_server.py FOLDER [--port PORT]

Prints its port, then serves until its standard input ends, so that it dies with whoever started
it. Each message that it takes is a line of FOLDER/messages.ndjson, on disk before the answer:
envelope, headers, text, and which connection it came by.

FOLDER/behave says how it answers; it is read anew at each step, so that a test can change it:

    ok           as it should; also when there is no such file
    421-mail     to MAIL: 421; likewise 451-mail, 530-mail, 550-mail
    450-rcpt     to RCPT: 450; likewise 421-rcpt, 530-rcpt
    451-data     to DATA: 451; likewise 554-data
    451-final    to the message: 451; likewise 554-final
    drop         hangs up on the message, which is lost
    keep-drop    keeps the message and hangs up without an answer
    keep-hang    keeps the message and never answers
    delay MS     keeps the message and answers after MS milliseconds

Addresses that begin with "no" are refused for good, whatever stands there, and those that begin
with "busy" are put off. FOLDER/tries has a byte for each MAIL.
"""
import argparse
import asyncio
import email
import email.policy
import json
import os
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, syntax


class Handler:
    def __init__(self, folder):
        self.folder = folder

    def behaviour(self):
        """(word, number)"""
        try:
            words = (self.folder / "behave").read_text().split()
        except FileNotFoundError:
            words = []
        return (words[0] if words else "ok"), (int(words[1]) if len(words) > 1 else 0)

    def keep(self, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        line = {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "peer": session.peer[1],
            "headers": {name: str(value) for name, value in message.items()},
            "text": message.get_content().replace("\r\n", "\n"), "raw": envelope.content.decode("latin-1"),
        }
        with (self.folder / "messages.ndjson").open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    async def handle_MAIL(self, _server, _session, envelope, address, options):
        word, _ = self.behaviour()
        with (self.folder / "tries").open("a") as file:
            file.write(".")
        answers = {"421-mail": "421 4.3.2 not now", "451-mail": "451 4.3.1 no room",
                   "530-mail": "530 5.7.0 who are you", "550-mail": "550 5.7.1 not from you"}
        if word in answers:
            return answers[word]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 ok"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        word, _ = self.behaviour()
        if address.startswith("no"):
            return f"550 5.1.1 <{address}> is nobody here"
        if address.startswith("busy"):
            return f"450 4.1.2 <{address}> is of an unknown domain"
        answers = {"421-rcpt": "421 4.3.2 not now", "450-rcpt": f"450 4.2.1 <{address}> is busy",
                   "530-rcpt": "530 5.7.0 who are you"}
        if word in answers:
            return answers[word]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        word, number = self.behaviour()
        if word in ("451-final", "554-final"):
            return {"451": "451 4.3.0 not now", "554": "554 5.6.0 not that"}[word[:3]]
        if word != "drop":
            self.keep(session, envelope)
        if word in ("drop", "keep-drop"):
            server.transport.abort()
        if word in ("drop", "keep-drop", "keep-hang"):
            await asyncio.Event().wait()
        if word == "delay":
            await asyncio.sleep(number / 1000)
        return "250 2.0.0 taken"


class Server(SMTP):
    """Says no to DATA itself too, which the library's handlers cannot."""

    @syntax("DATA")
    async def smtp_DATA(self, arg):
        answers = {"554-data": "554 5.5.1 no message from you", "451-data": "451 4.7.1 not yet"}
        answer = answers.get(self.event_handler.behaviour()[0])
        if answer is not None:
            await self.push(answer)
            return
        await super().smtp_DATA(arg)


async def serve(folder, port):
    loop = asyncio.get_running_loop()
    handler = Handler(folder)
    server = await loop.create_server(
        lambda: Server(handler, hostname="test.invalid", enable_SMTPUTF8=True), "127.0.0.1", port)
    print(f"{server.sockets[0].getsockname()[1]}\n", end="", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    # At once: what hangs is not waited for.
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description="a mail server for tests")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    options = parser.parse_args()
    asyncio.run(serve(options.folder, options.port))


main()
