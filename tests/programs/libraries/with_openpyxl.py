"""A workbook is written, read again and changed."""

import openpyxl
# > import openpyxl
# ? import et_xmlfile (openpyxl) -- where lxml is not installed, which it writes by otherwise
# ? open read /etc/mime.types (openpyxl) -- the types that this machine knows

book = openpyxl.Workbook()
sheet = book.active
sheet.append(["day", "sum"])
sheet.append(["monday", 3])
book.save("sums.xlsx")
# > open write+create sums.xlsx (openpyxl)
# > open write+create $TMP/* (openpyxl)
# > delete $TMP/* (openpyxl)
# > open write+create $TMP/openpyxl.* (openpyxl)
# > open write+create $TMP/openpyxl.* (* via openpyxl)
# > open read $TMP/openpyxl.* (openpyxl)
# > delete $TMP/openpyxl.* (openpyxl)
book = openpyxl.load_workbook("sums.xlsx")
# > open read sums.xlsx (openpyxl)
print([cell.value for cell in book.active[2]])
book = openpyxl.load_workbook("sums.xlsx", read_only=True)
# > open read sums.xlsx (openpyxl)
print(sum(1 for _ in book.active.rows))
book.close()
