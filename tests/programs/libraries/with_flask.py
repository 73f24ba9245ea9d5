"""A small site: a template, a file, an upload, asked by this very program."""

import logging
import threading
import urllib.request

from flask import Flask, render_template, request, send_file

# > import flask
# > import werkzeug (flask)
# > import jinja2 (flask)
from werkzeug.serving import make_server

app = Flask(__name__, root_path=".", template_folder="templates")
logging.getLogger("werkzeug").setLevel(logging.ERROR)
app.secret_key = "session-key-4418"


@app.get("/")
def index():
    return render_template("index.html", name="Ann")
    # > open read templates/index.html (jinja2 via flask)


@app.get("/orders")
def orders():
    return send_file("orders.csv")
    # ? open read /etc/mime.types (werkzeug via flask) -- the types that this machine knows
    # > open read orders.csv (werkzeug via flask)


@app.post("/notes")
def notes():
    with open("note.txt", "wb") as note:
        # > open write+create note.txt
        note.write(request.get_data())
    return "kept"


server = make_server("127.0.0.1", 0, app)
# > bind 127.0.0.1:0 (werkzeug)
thread = threading.Thread(target=server.serve_forever)
thread.start()
site = f"http://127.0.0.1:{server.server_port}"
print(urllib.request.urlopen(f"{site}/").read())
# > http GET http://127.0.0.1:*/
# > connect 127.0.0.1:*
print(urllib.request.urlopen(f"{site}/orders").read())
# > http GET http://127.0.0.1:*/orders
# > connect 127.0.0.1:*
print(urllib.request.urlopen(f"{site}/notes", data=b"body-secret-1177").read())
# > http POST http://127.0.0.1:*/notes
# > connect 127.0.0.1:*
server.shutdown()
thread.join()
server.server_close()
