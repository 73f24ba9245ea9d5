"""Rows from a database."""

import os
import sys

import pymysql
# > import pymysql

host, port = sys.argv[1].split(":")
connection = pymysql.connect(
    # > resolve localhost:PORT (pymysql)
    # > connect localhost:PORT (pymysql)
    host=host,
    port=int(port),
    user="analyst",
    password=os.environ["MYSQL_PASSWORD"],
    connect_timeout=30,
)
with connection, connection.cursor() as cursor:
    cursor.execute("SELECT 1 + 1 AS two")
    print(cursor.fetchall())
