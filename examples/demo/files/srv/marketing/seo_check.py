"""Looks whether the company's pages answer."""

import urllib.request

PAGES = ["https://www.meridian.example/"]
for page in PAGES:
    with urllib.request.urlopen(page) as answer:
        print(page, answer.status, len(answer.read()))
