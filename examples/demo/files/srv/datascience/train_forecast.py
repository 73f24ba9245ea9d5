"""Fits a line to each region's sales, two regions at a time."""

import csv
import multiprocessing


def fitted(name):
    with open(f"/srv/datascience/regions/{name}.csv", newline="") as file:
        values = [float(row["sales"]) for row in csv.DictReader(file)]
    return name, (values[-1] - values[0]) / len(values)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        slopes = dict(pool.map(fitted, ["east", "north", "south", "west"], chunksize=2))
        pool.close()
        pool.join()
    with open("/srv/datascience/slopes.csv", "w", newline="") as file:
        csv.writer(file).writerows(sorted(slopes.items()))
