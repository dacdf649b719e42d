"""What Dataiku's Python client does on the wire: one session, one request after the other, blocking."""

import json
import sys
import time

from requests import Session
from requests.auth import HTTPBasicAuth

url, action, count, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
records = json.load(sys.stdin)[:count]
session = Session()
auth = HTTPBasicAuth("demo-key", "")
started = time.perf_counter()
for i in range(0, count, batch):
    items = [{"features": record} for record in records[i : i + batch]]
    body = items[0] if batch == 1 else {"items": items}
    answer = session.post(f"{url}/public/api/v1/demo/fraud/{action}", data=json.dumps(body), auth=auth)
    answer.raise_for_status()
    answer.json()
print((time.perf_counter() - started) * 1000)
