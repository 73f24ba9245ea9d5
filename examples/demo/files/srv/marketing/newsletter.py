"""Sends the newsletter through the company's mail server, which still takes plain SMTP."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

message = EmailMessage()
message["From"], message["To"] = "news@meridian.example", "readers@meridian.example"
message["Subject"] = "What is new this week"
message.set_content(Path("/srv/marketing/newsletter.txt").read_text())
with smtplib.SMTP("mail.meridian.example", 25) as server:
    server.send_message(message)
