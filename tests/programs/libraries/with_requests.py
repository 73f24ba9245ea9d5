"""A report is fetched and an order is posted, with a session, a password, a redirect and a file."""

import sys

import requests
# > import requests
# > import urllib3 (requests)
# ? bind [::1]:0 (urllib3 via requests) -- whether the machine has IPv6

server = sys.argv[1]

answer = requests.get(f"{server}/reports", params={"year": "2026", "api_key": "query-key-8471"}, timeout=30)
# > resolve localhost:PORT (urllib3 via requests)
# > connect localhost:PORT (urllib3 via requests)
# > http GET http://localhost:PORT/reports?year=2026&api_key=*** (urllib3 via requests)
print(answer.status_code, answer.json())

with requests.Session() as session:
    session.auth = ("ann", "basic-password-5512")
    session.headers["X-Api-Key"] = "header-key-9923"
    answer = session.post(f"{server}/orders", json={"card": "body-secret-1177"})
    # > resolve localhost:PORT (urllib3 via requests)
    # > connect localhost:PORT (urllib3 via requests)
    # > http POST http://localhost:PORT/orders (urllib3 via requests)
    print(answer.status_code, answer.json()["path"])
    answer = session.get(f"{server}/redirect")
    # > http GET http://localhost:PORT/redirect (urllib3 via requests)
    # > http GET http://localhost:PORT/reports (urllib3 via requests)
    print(answer.status_code, len(answer.history))
    with open("orders.csv", "rb") as orders:
        # > open read orders.csv
        answer = session.put(f"{server}/upload", files={"file": orders})
        # > http PUT http://localhost:PORT/upload (urllib3 via requests)
    print(answer.status_code, answer.json()["path"])

try:
    requests.get("http://localhost:1/closed", timeout=5)
    # > resolve localhost:1 (urllib3 via requests)
    # > connect localhost:1 (urllib3 via requests)
except requests.ConnectionError as error:
    print(type(error).__name__)
