"""Looks whether the company's pages answer, and reports to a service that a colleague found."""

import urllib.request

PAGES = ["https://www.meridian.example/", "https://collect.pagescore.example.net/v2/report"]
for page in PAGES:
    with urllib.request.urlopen(page) as answer:
        print(page, answer.status, len(answer.read()))
