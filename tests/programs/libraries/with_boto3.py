"""A file goes to a bucket and comes back; the keys are in the environment."""

import sys

import boto3

# > import boto3
# > import botocore (boto3)
# > import urllib3 (botocore via boto3)
# ? bind [::1]:0 (urllib3 via boto3) -- whether the machine has IPv6
from botocore.config import Config

s3 = boto3.client("s3", endpoint_url=sys.argv[1], config=Config(s3={"addressing_style": "path"}))
s3.upload_file("orders.csv", "reports", "2026/orders.csv")
s3.put_object(Bucket="reports", Key="note.txt", Body=b"a note")
# > http PUT http://localhost:PORT/reports/note.txt (botocore)
print(s3.get_object(Bucket="reports", Key="note.txt")["Body"].read())
# > http GET http://localhost:PORT/reports/note.txt (botocore)
print([entry["Key"] for entry in s3.list_objects_v2(Bucket="reports")["Contents"]])
# > http GET http://localhost:PORT/reports?list-type=2&encoding-type=url (botocore)
s3.download_file("reports", "2026/orders.csv", "downloaded.csv")
print(open("downloaded.csv").read())
# > open read downloaded.csv
# ~ open read orders.csv (s3transfer)
# ~ resolve localhost:PORT (urllib3 via s3transfer)
# ~ connect localhost:PORT (urllib3 via s3transfer)
# ~ http PUT http://localhost:PORT/reports/2026/orders.csv (botocore via s3transfer)
# ~ http HEAD http://localhost:PORT/reports/2026/orders.csv (botocore via s3transfer)
# ~ http GET http://localhost:PORT/reports/2026/orders.csv (botocore via s3transfer)
# ~ open write+create downloaded.csv.* (s3transfer)
# ~ rename downloaded.csv.* -> downloaded.csv (s3transfer)
