"""Corrects an account number in the file of payments."""

with open("/srv/bank/payments.xml") as file:
    payments = file.read()
with open("/srv/bank/payments.xml", "w") as file:
    file.write(payments.replace("DE00 0000", "DE00 0001"))
