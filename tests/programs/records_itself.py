"""Records parts of what it does, and prints what the records say of each."""

import os
import subprocess
import sys

import gnomon


def touch(name):
    open(name, "a").close()


def said(recording):
    return sorted(
        "%s %s %d" % (one.kind, os.path.basename(one.target or ""), one.count)
        for one in recording.records(kinds=["open", "spawn", "fork"])
    )


def main(spool):
    environment = dict(os.environ)
    touch("before")
    with gnomon.record(spool) as first:
        for _ in range(3):
            touch("first")
        child = [sys.executable, "-c", "open('child', 'w')"]
        subprocess.run(child, check=True)
        subprocess.run(["sh", "-c", '"$@"; true', "sh", *child], check=True)
    touch("between")
    touch("first")
    second = gnomon.start(spool)
    touch("first")
    with gnomon.record(spool + "-other") as inner:
        touch("first")
        touch("inner")
    gnomon.flush()
    stats = gnomon.stats()
    touch("second")
    assert gnomon.stop() is second
    touch("after")
    assert dict(os.environ) == environment
    print(said(first))
    print(said(inner))
    print(said(second))
    print(first.is_shared, inner.is_shared, second.is_shared, first.process == second.process)
    print(stats.kept["open"], stats.lost, len(stats.segments), gnomon.stop(), gnomon.process_id() is None)
    print("first" in str(first.answer()), "after" in str(second.answer()))


if __name__ == "__main__":
    main(*sys.argv[1:])
