"""A pool of connections: one for many requests, a retry, a streamed answer."""

import sys

import urllib3
# > import urllib3
# ? bind [::1]:0 (urllib3) -- whether the machine has IPv6

server = sys.argv[1]

pool = urllib3.PoolManager(retries=urllib3.Retry(2, status_forcelist=[503], backoff_factor=0))
for page in range(3):
    answer = pool.request("GET", f"{server}/pages", fields={"page": str(page)})
    # > resolve localhost:PORT (urllib3)
    # > connect localhost:PORT (urllib3)
    # > http GET http://localhost:PORT/pages?page=0 (urllib3)
    # > http GET http://localhost:PORT/pages?page=1 (urllib3)
    # > http GET http://localhost:PORT/pages?page=2 (urllib3)
    print(answer.status, answer.json()["path"])
answer = pool.request("POST", f"{server}/orders", json={"card": "body-secret-1177"})
# > http POST http://localhost:PORT/orders (urllib3)
print(answer.status, answer.json()["path"])
answer = pool.request("GET", f"{server}/unavailable", retries=False)
# > http GET http://localhost:PORT/unavailable (urllib3)
print(answer.status)
streamed = pool.request("GET", f"{server}/reports", preload_content=False)
# > http GET http://localhost:PORT/reports (urllib3)
print(sum(len(part) for part in streamed.stream(16)) > 0)
streamed.release_conn()
pool.clear()
