"""Takes texts on standard input, as JSON, and hands each to what its argument names."""

import json
import os
import subprocess
import sys


def spawn(text):
    subprocess.run(["true", text])


def run(argv):
    try:
        subprocess.run([f"/nonexistent/{argv[0]}", *argv[1:]])
    except OSError:
        pass


def url(text):
    sys.audit("urllib.Request", text, None, {"Authorization": text}, "GET")


def browser(text):
    sys.audit("webbrowser.open", text)


def http(text):
    host, _, target = text[8:].partition("/") if text.startswith("https://") else ("h", "", str(len(text)))
    host = host.rpartition("@")[2]
    head = f"GET /{target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {text}\r\nX-Other: {text}\r\n\r\n"
    sys.audit("http.client.send", None, head.encode())


def file(text):
    try:
        open(os.path.join("/nonexistent", text))
    except (OSError, ValueError):
        pass


def rename(text):
    try:
        os.rename(text, text + ".new")
    except OSError:
        pass


def code(text):
    """As the name of a source file and of a function, in which something happens."""
    exec(compile("open('/nonexistent/x')", text, "exec"))


for each in json.load(sys.stdin):
    try:
        globals()[sys.argv[1]](each)
    except FileNotFoundError:
        pass
