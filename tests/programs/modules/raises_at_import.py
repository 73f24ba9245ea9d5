def fail():
    raise RuntimeError("while it is imported")


fail()
