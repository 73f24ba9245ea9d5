"""Reads records into Arrow on one core: a spool of gnomon's, or a file of JSON lines by pyarrow itself.

Prints the CPU time of all its threads for one record. Runs in the card's own interpreter, unwatched.
"""

import os
import sys
from time import process_time_ns

import pyarrow
import timing
from pyarrow import json as arrow_json

import gnomon._native as gnomon

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
pyarrow.set_cpu_count(1)


def rows_of_spool(path):
    return sum(batch.num_rows for batch in pyarrow.RecordBatchReader.from_stream(gnomon.Spool(path)))


def rows_of_lines(path):
    return arrow_json.read_json(path, read_options=arrow_json.ReadOptions(use_threads=False)).num_rows


rows = rows_of_lines if sys.argv[1].endswith(".jsonl") else rows_of_spool
times = []
for _ in range(5):
    begin = process_time_ns()
    count = rows(sys.argv[1])
    times.append((process_time_ns() - begin) / count)
timing.report(min(times))
