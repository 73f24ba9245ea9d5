"""Asks for a host, or goes to an address, that is denied: by all spellings but the plain one."""

import http.client
import os
import socket
import urllib.request

import outcomes
from outcomes import attempt

PORT = int(os.environ["PORT"])  # somebody listens there, on 127.0.0.1 and ::1


def resolving(host):
    return lambda: socket.getaddrinfo(host, 443)


def connecting(host, family=socket.AF_INET):
    return lambda: socket.socket(family).connect((host, PORT))


def opening(url):
    return lambda: urllib.request.urlopen(url, timeout=5).status


HOSTS = {
    "plain": "api.denied.example",
    "bytes": b"api.denied.example",
    "upper case": "API.Denied.EXAMPLE",
    "final dot": "api.denied.example.",
    "full width": "api.ｄｅｎｉｅｄ.example",
    "ideographic stop": "api。denied。example",
    "mathematical": "api.𝐝𝐞𝐧𝐢𝐞𝐝.example",
    "ligature": "aﬁ.denied.example",
    "soft hyphen": "api.den\u00adied.example",
    "idna": "bücher.example",
    "idna written out": "xn--bcher-kva.example",
    "idna in upper case": "BÜCHER.example",
    "idna decomposed": "bu\u0308cher.example",
}
for name, host in HOSTS.items():
    outcomes.ATTEMPTS["host: " + name] = resolving(host)

ADDRESSES = {
    "plain": "127.0.0.1",
    "bytes": b"127.0.0.1",
    "bytearray": bytearray(b"127.0.0.1"),
    "short": "127.1",
    "hexadecimal": "0x7f.1",
    "hexadecimal whole": "0x7f000001",
    "octal": "0177.0.0.1",
    "decimal": "2130706433",
    "any": "0.0.0.0",
    "empty": "",
    "name": "localhost",
}
for name, host in ADDRESSES.items():
    outcomes.ATTEMPTS["address: " + name] = connecting(host)
for name, host in {
    "loopback": "::1",
    "mapped": "::ffff:127.0.0.1",
    "mapped, as words": "::ffff:7f00:1",
}.items():
    outcomes.ATTEMPTS["address, version 6: " + name] = connecting(host, socket.AF_INET6)


@attempt
def scope():
    socket.socket(socket.AF_INET6).connect(("::1", PORT, 0, 1))


@attempt
def connect_ex():
    return socket.socket().connect_ex(("127.0.0.1", PORT))


@attempt
def port_that_only_counts_as_a_number():
    class Port:
        def __index__(self):
            return PORT

    socket.socket().connect(("127.0.0.1", Port()))


@attempt
def no_name():
    """The machine itself: nothing is looked up."""
    return bool(socket.getaddrinfo(None, 443))


@attempt
def resolved_address():
    for *_, address in socket.getaddrinfo("localhost", PORT, socket.AF_INET, socket.SOCK_STREAM):
        socket.socket().connect(address)


URLS = {
    "plain": "http://{site}/denied",
    "query": "http://{site}/denied?x=1",
    "fragment": "http://{site}/denied#x",
    "user": "http://somebody@{site}/denied",
    "dots": "http://{site}/x/../denied",
    "dots with escapes": "http://{site}/x/%2e%2e/denied",
    "escapes": "http://{site}/%64enied",
    "escapes in upper case": "http://{site}/d%65nied",
    "upper case of the scheme": "HTTP://{site}/denied",
}
for name, url in URLS.items():
    outcomes.ATTEMPTS["url: " + name] = opening(url.format(site=f"127.0.0.9:{PORT}"))


@attempt
def host_of_the_header():
    """The header says another host than the one that is connected to."""
    connection = http.client.HTTPConnection("127.0.0.9", PORT, timeout=5)
    connection.request("GET", "/denied", headers={"Host": "allowed.example"})
    return connection.getresponse().status


@attempt
def host_of_the_header_alone():
    connection = http.client.HTTPConnection("127.0.0.9", PORT, timeout=5)
    connection.putrequest("GET", "/denied", skip_host=True)
    connection.putheader("Host", "allowed.example")
    connection.endheaders()
    return connection.getresponse().status


@attempt
def absolute_in_the_request():
    connection = http.client.HTTPConnection("127.0.0.9", PORT, timeout=5)
    connection.request("GET", f"http://127.0.0.9:{PORT}/denied")
    return connection.getresponse().status


@attempt
def again_after_a_denial():
    """What urllib tells is not told again by what it uses; but not where the first was denied."""
    url = f"http://127.0.0.9:{PORT}/denied"
    assert outcomes.outcome(opening(url)) == "denied as PermissionError"
    connection = http.client.HTTPConnection("127.0.0.9", PORT, timeout=5)
    connection.request("GET", "/denied")
    return connection.getresponse().status


@attempt
def no_body_of_what_was_denied():
    connection = http.client.HTTPConnection("127.0.0.9", PORT, timeout=5)
    post = lambda: connection.request("POST", "/denied", headers={"Content-Length": "1000"})
    assert outcomes.outcome(post) == "denied as PermissionError"
    connection._HTTPConnection__state = "Idle"
    connection.request("GET", "/denied")
    return connection.getresponse().status


@attempt
def request_written_by_hand():
    with socket.create_connection(("127.0.0.9", PORT)) as connection:
        connection.sendall(b"GET /denied HTTP/1.0\r\n\r\n")
        return connection.recv(12).decode()


# What a policy does not stop.


@attempt
def address_that_is_known():
    """That of a host which is denied."""
    socket.create_connection(("127.0.0.8", PORT)).close()


@attempt
def request_written_for_another_host():
    with socket.create_connection(("127.0.0.9", PORT)) as connection:
        connection.sendall(b"GET /denied HTTP/1.0\r\nHost: allowed.example\r\n\r\n")
        return connection.recv(12).decode()


if __name__ == "__main__":
    outcomes.print_all()
