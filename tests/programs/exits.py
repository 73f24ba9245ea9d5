import os
import signal
import sys
import threading

way = sys.argv[1]
print(way)


def nested(depth):
    if depth:
        nested(depth - 1)
    elif way == "exception":
        open("/nowhere/to/be/found")
    elif way == "chained":
        try:
            {}["key"]
        except KeyError as error:
            raise ValueError("unhappy") from error
    elif way == "import":
        import no_such_module
    elif way == "bad import":
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "modules"))
        import raises_at_import
    elif way == "syntax":
        exec("def (:")
    elif way == "recursion":
        nested(-1)
    elif way == "group":
        raise (
            BaseException("no group before 3.11")
            if sys.version_info < (3, 11)
            else eval("ExceptionGroup('several', [OSError(1, 'x'), ValueError()])")
        )
    elif way == "interrupt":
        signal.raise_signal(signal.SIGINT)
    elif way == "thread":
        thread = threading.Thread(target=lambda: open("/nowhere/in/a/thread"))
        thread.start()
        thread.join()
    elif way.startswith("signal"):
        os.kill(os.getpid(), getattr(signal, way.split()[1]))
    elif way == "_exit":
        os._exit(9)
    elif way == "text":
        sys.exit("a message")
    elif way == "none":
        sys.exit(None)
    else:
        sys.exit(int(way))


import atexit

atexit.register(lambda: open("/dev/null").close())
atexit.register(print, "at exit")
nested(2)
