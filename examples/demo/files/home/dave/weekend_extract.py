"""Takes the customer list home."""

import zipfile

with zipfile.ZipFile("/home/dave/extract.zip", "w") as archive:
    archive.write("/srv/marketing/customers.csv", "customers.csv")
