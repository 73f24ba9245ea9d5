"""Spreads next week's shifts."""

import itertools
import json

with open("/srv/operations/drivers.json") as file:
    drivers = itertools.cycle(json.load(file))
plan = {day: [next(drivers), next(drivers)] for day in ("Mon", "Tue", "Wed", "Thu", "Fri")}
with open("/srv/operations/shifts.json", "w") as file:
    json.dump(plan, file)
