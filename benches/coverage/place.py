"""Makes the files that the operations read, with the libraries themselves: `python place.py FOLDER`.

Runs in the environment of the watched libraries, not in gnomon's.
"""

# mypy: ignore-errors

from __future__ import annotations

import datetime
import gzip
import ipaddress
import json
import shutil
import sys
from pathlib import Path

CSV = "id,region,amount\n1,north,3.5\n2,south,4.5\n3,north,5.0\n"


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tables(folder)
    arrays(folder)
    documents(folder)
    models(folder)
    databases(folder)
    certificates(folder)


def tables(folder: Path) -> None:
    import deltalake
    import pandas
    import polars
    import pyarrow
    import pyarrow.dataset

    (folder / "orders.csv").write_text(CSV)
    (folder / "orders.ndjson").write_text('{"id":1,"amount":3.5}\n{"id":2,"amount":4.5}\n')
    with gzip.open(folder / "orders.csv.gz", "wt") as file:
        file.write(CSV)
    table = polars.read_csv(folder / "orders.csv")
    table.write_parquet(folder / "orders.parquet")
    table.write_ipc(folder / "orders.arrow")
    pandas.read_csv(folder / "orders.csv").to_excel(folder / "orders.xlsx", index=False)
    arrow = pyarrow.table({"region": ["north", "south", "north"], "amount": [3.5, 4.5, 5.0]})
    pyarrow.dataset.write_dataset(arrow, folder / "parts", format="parquet", partitioning=["region"])
    deltalake.write_deltalake(str(folder / "delta"), arrow)


def arrays(folder: Path) -> None:
    import h5py
    import netCDF4
    import numpy

    numpy.save(folder / "figures.npy", numpy.arange(12.0))
    with h5py.File(folder / "figures.h5", "w") as file:
        file["figures"] = numpy.arange(12.0)
    with netCDF4.Dataset(folder / "figures.nc", "w") as file:
        file.createDimension("x", 12)
        file.createVariable("figures", "f8", ("x",))[:] = numpy.arange(12.0)


def documents(folder: Path) -> None:
    import matplotlib
    import pymupdf
    from PIL import Image

    (folder / "note.txt").write_text("note\n")
    (folder / "feed.xml").write_text("<feed><entry>1</entry></feed>")
    (folder / "style.xsl").write_text(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        '<xsl:template match="/"><out><xsl:copy-of select="document(\'feed.xml\')"/></out></xsl:template>'
        "</xsl:stylesheet>"
    )
    Image.new("RGB", (40, 40), "red").save(folder / "photo.png")
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    shutil.copyfile(fonts / "DejaVuSans.ttf", folder / "letters.ttf")
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), "report")
    document.save(folder / "report.pdf")


def models(folder: Path) -> None:
    import numpy
    import tokenizers
    from safetensors.numpy import save_file

    save_file({"weight": numpy.zeros(4)}, folder / "model.safetensors")
    words = tokenizers.models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")
    tokenizers.Tokenizer(words).save(str(folder / "tokenizer.json"))


def databases(folder: Path) -> None:
    import dbm.dumb
    import sqlite3

    import duckdb

    for name in ("main.db", "other.db"):
        connection = sqlite3.connect(folder / name)
        connection.execute("create table t (x)")
        connection.commit()
        connection.close()
    connection = duckdb.connect(str(folder / "shop.duckdb"))
    connection.execute("create table t as select 1 as x")
    connection.close()
    dbm.dumb.open(str(folder / "keys"), "c").close()
    (folder / "history").write_text("one\ntwo\n")
    (folder / "settings.json").write_text(json.dumps({"a": 1}))


def certificates(folder: Path) -> None:
    """An authority of its own, and what it says of 127.0.0.1 and localhost."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    start = datetime.datetime(2020, 1, 1)
    end = datetime.datetime(2090, 1, 1)
    authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority for one test")])
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )

    def signed(name: x509.Name, public: object, extension: x509.ExtensionType) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(authority).public_key(public)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(start).not_valid_after(end)
        return builder.add_extension(extension, critical=False).sign(authority_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    own = signed(authority, authority_key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    server = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    (folder / "ca.pem").write_bytes(own.public_bytes(pem))
    (folder / "server.pem").write_bytes(signed(server, key.public_key(), names).public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "server.key").write_bytes(key.private_bytes(pem, *plain))


if __name__ == "__main__":
    main()
