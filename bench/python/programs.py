# programs.py: what gevent answers to each question, in the same shape as the JavaScript and Go programs.
#
# gevent has no unbuffered channel but its Channel, in which `put` waits until a `get` takes the item. Memory is the growth of the resident
# set: the stacks of greenlets are copied to the C heap, which cannot be asked.

import resource
import time

import echo as echo_programs
import gevent
from gevent import socket
from gevent.queue import Channel, Queue
from gevent.server import StreamServer

LIMIT_SECONDS = 60
TURNS = 8


def ping_pong(there, back, count):
    def echo():
        for _ in range(count):
            back.put(there.get() + 1)

    gevent.spawn(echo)
    value = 0
    for _ in range(count):
        there.put(value)
        value = back.get()
    return value


def channel_round_trip(count):
    return {"answer": ping_pong(Channel(), Channel(), count)}


def queue_round_trip(count):
    return {"answer": ping_pong(Queue(), Queue(), count)}


def producer_consumer(count):
    channel = Channel()

    def produce():
        for i in range(count):
            channel.put(i)

    gevent.spawn(produce)
    return {"answer": sum(channel.get() for _ in range(count))}


def take_turns(count):
    for _ in range(count):
        gevent.sleep(0)
    return count


def yield_turns(count):
    other = gevent.spawn(take_turns, count // 2)
    mine = take_turns(count // 2)
    return {"answer": mine + other.get()}


def same(i):
    return i


def spawn_join(count):
    return {"answer": sum(gevent.spawn(same, i).get() for i in range(count))}


def skynet_node(parent, number, size):
    if size == 1:
        parent.put(number)
        return
    children = Channel()
    for i in range(10):
        gevent.spawn(skynet_node, children, number + i * size // 10, size // 10)
    parent.put(sum(children.get() for _ in range(10)))


def skynet(count):
    top = Channel()
    gevent.spawn(skynet_node, top, 0, count)
    return {"answer": top.get()}


def resident_bytes():
    with open("/proc/self/statm") as status:
        return int(status.read().split()[1]) * resource.getpagesize()


def parked_bytes(count):
    queue = Queue()
    started = 0

    def parked():
        nonlocal started
        started += 1
        queue.get()

    before = resident_bytes()
    waiters = [gevent.spawn(parked) for _ in range(count)]
    while started < count:
        gevent.sleep(0.05)
    total = resident_bytes() - before
    answer = started if len(waiters) == count else -1
    # Ending tens of thousands of greenlets takes long and is not the question.
    waiters.clear()
    return {"answer": answer, "total": total}


def receives(count, parking, limited):
    queue, credit = Queue(), Queue()

    def produce():
        for _ in range(count):
            credit.get()
            queue.put(1)

    if parking:
        gevent.spawn(produce)
    feed = credit if parking else queue
    total = 0
    for _ in range(count):
        feed.put(1)
        if limited:
            with gevent.Timeout(LIMIT_SECONDS):
                total += queue.get()
        else:
            total += queue.get()
    return total


def timeout_difference(count, parking):
    total, answer = 0, 0
    for _ in range(TURNS):
        start = time.perf_counter_ns()
        receives(count // TURNS, parking, False)
        middle = time.perf_counter_ns()
        answer += receives(count // TURNS, parking, True)
        total += (time.perf_counter_ns() - middle) - (middle - start)
    return {"answer": answer, "total": total}


def interval_ticks(_count):
    ticks = 0

    def tick():
        nonlocal ticks
        while True:
            gevent.sleep(0.001)
            ticks += 1

    ticker = gevent.spawn(tick)
    deadline = time.perf_counter() + 1
    while time.perf_counter() < deadline:
        ping_pong(Channel(), Channel(), 64)
    ticker.kill()
    return {"total": ticks}


def echo(connection, _address):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        chunk = connection.recv(65536)
        if not chunk:
            return
        connection.sendall(chunk)


def tcp_echo(connections):
    size = 64
    message = b"x" * size
    server = StreamServer(("127.0.0.1", 0), echo)
    server.start()
    clients = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(connections)]
    for client in clients:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(client, count):
        received = 0
        for _ in range(count):
            client.sendall(message)
            wanted = received + size
            while received < wanted:
                received += len(client.recv(wanted - received))
        return received // size

    def play(count):
        exchanges = [gevent.spawn(exchange, client, count // connections) for client in clients]
        return {"answer": sum(each.get() for each in exchanges)}

    return play


PROGRAMS = {
    "channel-round-trip": channel_round_trip,
    "queue-round-trip": queue_round_trip,
    "producer-consumer": producer_consumer,
    "yield": yield_turns,
    "spawn-join": spawn_join,
    "skynet": skynet,
    "parked-bytes": parked_bytes,
    "timeout-ready": lambda count: timeout_difference(count, False),
    "timeout-parking": lambda count: timeout_difference(count, True),
    "interval-ticks": interval_ticks,
}


def start(name, argument):
    if name in echo_programs.PROGRAMS:
        return echo_programs.PROGRAMS[name](argument)
    return tcp_echo(argument) if name == "tcp-echo" else PROGRAMS[name]
