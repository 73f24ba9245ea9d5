"""Children that gnomon cannot get into, among others that it can, and some that are no Python."""

import multiprocessing
import os
import subprocess
import sys


def nothing():
    pass


def main():
    python = sys.executable
    with open("job.sh", "w") as job:
        job.write('"%s" -c "job = 1"\n' % python)
    subprocess.run([python, "-S", "-c", "no_site = 1"], check=True)
    subprocess.run([python, "-I", "-c", "isolated = 1"], check=True)
    subprocess.run([python, "-c", "cleared = 1"], env={}, check=True)
    subprocess.run(["env", "-i", python, "-c", "emptied = 1"], check=True)
    subprocess.run([python, "-V"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sh", "job.sh"], check=True)
    subprocess.run(["true"], check=True)
    for _ in range(3):
        subprocess.run([python, "-c", "heard = 1"], check=True)
    os.system('"%s" -c "raise SystemExit(3)"' % python)
    os.spawnv(os.P_WAIT, python, [python, "-c", "spawned = 1"])
    child = multiprocessing.get_context("spawn").Process(target=nothing)
    child.start()
    child.join()
    try:
        os.execv("/no/such/python", ["python", "-c", "nowhere = 1"])
    except OSError:
        pass
    os.execv(python, [python, "-c", "replaced = 1"])


if __name__ == "__main__":
    main()
