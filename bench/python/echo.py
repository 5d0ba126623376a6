# echo.py: the echo server and client of ../gevent-echo.ts, line by line.
#
# A greenlet for each connection on either side; a reply is read within a limit of time. Memory is the growth of the resident set.

import gc
import resource
import time

import gevent
from gevent import socket
from gevent.server import StreamServer

SIZE = 64
MESSAGE = b"x" * SIZE
HOST = "127.0.0.1"
LIMIT_SECONDS = 5
WARM_CONNECTIONS = 1000


def resident_bytes():
    gc.collect()
    with open("/proc/self/statm") as status:
        return int(status.read().split()[1]) * resource.getpagesize()


def echo(connection, _address):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        chunk = connection.recv(65536)
        if not chunk:
            return
        connection.sendall(chunk)


def read_exactly(client, size):
    reply = client.recv(size)
    while len(reply) < size:
        more = client.recv(size - len(reply))
        if not more:
            raise EOFError("the server has ended")
        reply += more
    return reply


def open_all(connections):
    server = StreamServer((HOST, 0), echo, backlog=1024)
    server.start()
    clients = [socket.create_connection((HOST, server.server_port)) for _ in range(connections)]
    for client in clients:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server, clients


def exchange_one(client, count, latencies):
    replies = 0
    for _ in range(count):
        start = 0 if latencies is None else time.perf_counter_ns()
        client.sendall(MESSAGE)
        with gevent.Timeout(LIMIT_SECONDS):
            reply = read_exactly(client, SIZE)
        if latencies is not None:
            latencies.append(time.perf_counter_ns() - start)
        replies += len(reply) // SIZE
    return replies


def exchange(clients, count, latencies=None):
    each = count // len(clients)
    return sum(one.get() for one in [gevent.spawn(exchange_one, client, each, latencies) for client in clients])


def replies(connections):
    _server, clients = open_all(connections)
    return lambda count: {"answer": exchange(clients, count)}


def slowest(connections):
    _server, clients = open_all(connections)

    def play(count):
        latencies = []
        answer = exchange(clients, count, latencies)
        latencies.sort()
        return {"answer": answer, "total": latencies[int(len(latencies) * 0.99)] / 1000}

    return play


def memory(connections):
    def play(count):
        _first_server, first = open_all(WARM_CONNECTIONS)
        exchange(first, WARM_CONNECTIONS)
        before = resident_bytes()
        _server, clients = open_all(connections)
        answer = exchange(clients, count)
        return {"answer": answer, "total": resident_bytes() - before}

    return play


PROGRAMS = {"echo": replies, "echo-p99": slowest, "echo-bytes": memory}
