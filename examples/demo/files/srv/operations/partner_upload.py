"""Puts the stock list where the partner fetches it: on an FTP server."""

import ftplib

with ftplib.FTP("ftp.partner.example") as server, open("/srv/operations/stock.csv", "rb") as file:
    server.login("meridian", "welcome-to-the-demonstration")
    server.storbinary("STOR stock.csv", file)
