"""Prints which of the events that its arguments name are raised by an HTTP request, a spawn, a C call."""

import ctypes
import http.client
import http.server
import multiprocessing
import sys
import threading

seen = set()


def nothing():
    pass


def main():
    sys.addaudithook(lambda event, args: seen.add(event))
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.RequestHandlerClass.log_message = lambda *args: None
    threading.Thread(target=server.handle_request).start()
    connection = http.client.HTTPConnection(*server.server_address)
    connection.request("GET", "/")
    connection.getresponse()
    child = multiprocessing.get_context("spawn").Process(target=nothing)
    child.start()
    child.join()
    ctypes.CDLL(None).getpid()
    print(*sorted(seen & set(sys.argv[1:])))


if __name__ == "__main__":
    main()
