"""Writes on a TLS connection within this process: `tls_write.py WHAT COUNT`.

WHAT is "body" (pieces of one large request) or "request" (one small request each).
"""

import ssl
import sys

import timing

what, count = sys.argv[1], int(sys.argv[2])


def connected():
    """Both ends, without certificates, which nothing here is about."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = []
    for side, incoming, outgoing in (
        (ssl.PROTOCOL_TLS_CLIENT, to_client, to_server),
        (ssl.PROTOCOL_TLS_SERVER, to_server, to_client),
    ):
        context = ssl.SSLContext(side)
        is_server = side == ssl.PROTOCOL_TLS_SERVER
        if not is_server:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")
        name = None if is_server else "api.example.com"
        ends.append(context.wrap_bio(incoming, outgoing, server_side=is_server, server_hostname=name))
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    return ends[0], to_server


client, encrypted = connected()
HEAD = b"POST /v1/items HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: %d\r\n\r\n"
if what == "body":
    client.write(HEAD % (1 << 40))
    data = b"x" * 1024
else:
    data = HEAD % 0


def work():
    for _ in range(count):
        client.write(data)
        encrypted.read()


timing.best(count, work, passes=5, records=1)
