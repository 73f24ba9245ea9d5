"""Has a server on loopback called by two libraries, and by itself."""

import socket

import caller_library
import outcomes
import outer_library

server = socket.create_server(("127.0.0.1", 0))
ADDRESS = server.getsockname()


def itself():
    socket.create_connection(ADDRESS).close()


def library():
    caller_library.call(ADDRESS)


def via():
    outer_library.call(ADDRESS)


outcomes.ATTEMPTS.update(itself=itself, library=library, via=via)
outcomes.print_all()
