"""What quiet_job.py starts."""

print(open("/srv/operations/drivers.json").read())
