"""Turns the list of absences into a calendar."""

import csv

with open("/srv/hr/absences.csv", newline="") as source, open("/srv/hr/absences.ics", "w") as target:
    print("BEGIN:VCALENDAR", file=target)
    for row in csv.DictReader(source):
        print(f"BEGIN:VEVENT\nDTSTART:{row['from']}\nDTEND:{row['until']}\nEND:VEVENT", file=target)
    print("END:VCALENDAR", file=target)
