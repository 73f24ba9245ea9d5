"""Makes the one request that its argument names, to a server of its own on loopback. Prints the port."""

import os
import socket
import sys
import threading

SECRET = "hunter2hunter2"


def serve(converse, times=1):
    """The port of a server that holds `times` conversations, one after the other."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()

    def work():
        for _ in range(times):
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as stream:
                converse(stream)

    threading.Thread(target=work, daemon=True).start()
    port = server.getsockname()[1]
    print(port, flush=True)
    return port


def http(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", closes=False):
    """Answers requests until the client closes, or one."""

    def converse(stream):
        while stream.readline():
            length = 0
            for line in iter(stream.readline, b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            stream.read(length)
            stream.write(answer)
            stream.flush()
            if closes:
                return

    return converse


def lines(*answers):
    """Says the first answer, then one more for each line that comes."""

    def converse(stream):
        for at, answer in enumerate(answers):
            if at and not stream.readline():
                return
            stream.write(answer + b"\r\n")
            stream.flush()
        stream.readline()

    return converse


# HTTP


def urllib_get():
    import urllib.request

    port = serve(http())
    urllib.request.urlopen(f"http://127.0.0.1:{port}/a?b=c#d").close()


def urllib_post():
    import urllib.request

    port = serve(http())
    headers = {"Authorization": f"Bearer {SECRET}"}
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}", b"x" * 10, headers)).close()


def urllib_repeats():
    import urllib.request

    port = serve(http(), times=10)
    for _ in range(10):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/again").close()


def urllib_redirect():
    import urllib.request

    end = serve(http())
    there = f"HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:{end}/there\r\nContent-Length: 0\r\n\r\n"
    port = serve(http(there.encode()))
    urllib.request.urlopen(f"http://127.0.0.1:{port}/here").close()


def urllib_proxy():
    import urllib.request

    port = serve(http())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"}))
    opener.open(f"http://user:{SECRET}@name.invalid/a#b").close()


def urllib_tunnel():
    import urllib.request

    port = serve(http(closes=True))
    proxies = {"https": f"http://user:{SECRET}@127.0.0.1:{port}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        opener.open("https://name.invalid/a")  # the proxy agrees, and cannot speak TLS
    except OSError:
        pass


def urllib_file():
    import urllib.request

    with open("data", "w"):
        pass
    print(0)
    urllib.request.urlopen("file://" + os.path.abspath("data")).close()
    urllib.request.urlopen("data:text/plain,x").close()


def urllib_refused_then_client():
    """A request that urllib told and never made hides none of http.client's."""
    import urllib.request

    connection = client(serve(http()))
    try:
        urllib.request.urlopen("http://127.0.0.1:1/a")
    except OSError:
        pass
    get(connection, "/a")


def client(port):
    from http.client import HTTPConnection

    return HTTPConnection("127.0.0.1", port)


def get(connection, path, **headers):
    connection.request("GET", path, headers={"Authorization": f"Bearer {SECRET}", **headers})
    connection.getresponse().read()


def client_get():
    get(client(serve(http())), "/a?b=c")


def client_other_host():
    get(client(serve(http())), "/a", Host="other.invalid")


def client_repeats():
    connection = client(serve(http()))
    for _ in range(10):
        get(connection, "/again")


def client_post_of_a_request():
    """A body that looks like a request is none."""
    connection = client(serve(http()))
    connection.request("POST", "/a", b"GET /no HTTP/1.1\r\nHost: no\r\n\r\n")
    connection.getresponse().read()
    get(connection, "/b")


def client_post_file():
    with open("body", "wb") as body:
        body.write(b"GET /no HTTP/1.1\r\n\r\n" * 1000)
    connection = client(serve(http()))
    connection.request("PUT", "/a", open("body", "rb"), headers={"Content-Length": "20000"})
    connection.getresponse().read()


def client_post_iterable():
    connection = client(serve(http()))
    connection.request("PUT", "/a", iter([b"x" * 10]), headers={"Content-Length": "10"})
    connection.getresponse().read()


def client_tunnel():
    connection = client(serve(http()))
    connection.set_tunnel("name.invalid", 8443, {"Proxy-Authorization": f"Basic {SECRET}"})
    get(connection, "/a")


def client_encrypted():
    """As far as http.client knows."""
    from http.client import HTTPConnection, HTTPSConnection

    class Plain(HTTPSConnection):
        connect = HTTPConnection.connect

    get(Plain("127.0.0.1", serve(http())), "/a")


def client_with_properties():
    """A class that runs code for whatever it is asked is not asked."""
    from http.client import HTTPConnection

    class Curious(HTTPConnection):
        @property
        def host(self):
            print("asked")
            return self.__dict__["_dns_host"]

        @host.setter
        def host(self, value):
            self.__dict__["_dns_host"] = value

    port = serve(http())
    sys.stdout = open("asked", "w")
    connection = Curious("127.0.0.1", port)
    connection.connect()
    connection.auto_open = 0
    before = sys.stdout.tell()
    sys.audit("http.client.send", connection, b"GET /audited HTTP/1.1\r\n\r\n")
    assert sys.stdout.tell() == before


def client_unknown():
    print(0)
    sys.audit("http.client.send", object(), b"GET /a HTTP/1.1\r\nHost: name.invalid:81\r\n\r\n")
    sys.audit("http.client.send", dict, b"GET /b HTTP/1.1\r\nHost: name.invalid\r\n\r\n")


# mail, files, news, the browser


def smtp():
    import smtplib

    good = b"250 good"
    port = serve(
        lines(
            b"220 hello",
            b"250-hello\r\n250 AUTH LOGIN",
            b"334 user",
            b"334 password",
            b"235 in",
            *[good] * 3,
            b"354 go",
        )
    )
    with open("started too", "w"):
        pass
    client = smtplib.SMTP("127.0.0.1", port, local_hostname="me")
    client.login("ann", SECRET)
    try:
        client.sendmail("a@a.invalid", ["b@b.invalid", "c@c.invalid"], f"mail me\r\n{SECRET}")
    except (smtplib.SMTPException, OSError):
        pass  # the server goes after the message


def smtp_connected_later():
    import smtplib

    port = serve(lines(b"220 hello"))
    smtplib.SMTP(local_hostname="me").connect("127.0.0.1", port)


def ftp():
    import ftplib

    port = serve(lines(b"220 hello", b"331 password", b"230 in", b"250 gone", b"250 there", b"250 gone"))
    client = ftplib.FTP()
    client.connect("127.0.0.1", port)
    client.login("ann", SECRET)
    client.delete("/pub/a b.csv")
    client.cwd("pub")
    client.delete("/pub/a b.csv")


def imap():
    import imaplib

    def converse(stream):
        stream.write(b"* OK hello\r\n")
        stream.flush()
        for line in iter(stream.readline, b""):
            tag, verb = line.split()[:2]
            if verb == b"CAPABILITY":
                stream.write(b"* CAPABILITY IMAP4REV1\r\n")
            stream.write(tag + b" OK done\r\n")
            stream.flush()

    client = imaplib.IMAP4("127.0.0.1", serve(converse))
    client.login("ann", SECRET)
    client.select()
    for _ in range(10):
        client.fetch("1", "BODY")


def pop():
    import poplib

    port = serve(
        lines(b"+OK hello", b"+OK user", b"+OK in", b"+OK mail\r\n\r\nx\r\n.", b"+OK mail\r\n\r\nx\r\n.")
    )
    client = poplib.POP3("127.0.0.1", port)
    client.user("ann")
    client.pass_(SECRET)
    client.retr(1)
    client.retr(2)


def nntp():
    import nntplib

    port = serve(lines(b"200 hello", b"101 can\r\nVERSION 2\r\n.", b"211 2 1 2 comp.lang"))
    client = nntplib.NNTP("127.0.0.1", port)
    client.group("comp.lang")


def telnet():
    import telnetlib

    port = serve(lines(b"hello"))
    telnetlib.Telnet("127.0.0.1", port).write(SECRET.encode() + b"\r\n")


def browser():
    import webbrowser

    print(0)
    webbrowser.GenericBrowser("true").open(f"https://user:{SECRET}@name.invalid/a")


# datagrams


def datagrams():
    receiver = socket.socket(type=socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    address = receiver.getsockname()
    print(address[1])
    sender = socket.socket(type=socket.SOCK_DGRAM)
    for _ in range(10):
        sender.sendto(b"x", address)
    sender.sendmsg([b"x"], [], 0, address)
    sender.connect(address)
    sender.sendmsg([b"x"])


def datagram_by_name():
    receiver = socket.socket(type=socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    port = receiver.getsockname()[1]
    print(port)
    address = socket.getaddrinfo("localhost", port, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
    socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", address)


def datagram_unix():
    print(0)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind("socket")
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", "socket")


def reverse():
    print(0)
    for host in ("name.invalid", socket.gethostname(), "127.0.0.1"):
        try:
            socket.gethostbyaddr(host)
        except OSError:
            pass


globals()[sys.argv[1]]()
