"""Asks the customer database for those who may leave; the environment is years old."""

import csv

import requests

answer = requests.get("https://crm.meridian.example/api/churn", timeout=10)
answer.raise_for_status()
with open("/srv/datascience/churn.csv", "w", newline="") as file:
    csv.writer(file).writerows(answer.json())
