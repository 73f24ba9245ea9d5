"""Values in a store, one at a time and together."""

import os
import sys

import redis
# > import redis

host, port = sys.argv[1].split(":")
store = redis.Redis(host=host, port=int(port), password=os.environ["REDIS_PASSWORD"], decode_responses=True)
store.set("report", "value-secret-6620")
# > resolve localhost:PORT (redis)
# > connect localhost:PORT (redis)
print(store.get("report"))
with store.pipeline() as pipeline:
    pipeline.set("visits", 0).incr("visits").incr("visits")
    print(pipeline.execute())
store.close()
