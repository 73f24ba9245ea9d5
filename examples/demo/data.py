"""The company's files: made up, and the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

from . import story

_FIRST = [
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eva",
    "Fay",
    "Gus",
    "Hal",
    "Ida",
    "Jon",
    "Kit",
    "Leo",
    "Mia",
    "Ned",
    "Ola",
]
_LAST = ["Abel", "Baker", "Cole", "Diaz", "Evans", "Ford", "Gray", "Hart", "Iyer", "Jones", "Klein", "Lang"]
_ITEMS = ["oats", "rye", "spelt", "barley", "millet", "maize", "rice", "quinoa"]


def _table(head: str, rows: Iterable[Iterable[object]]) -> str:
    return "\n".join([head, *(",".join(map(str, row)) for row in rows), ""])


def _person(chance: random.Random) -> str:
    return f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"


def _finance(chance: random.Random) -> dict[str, str]:
    def amount() -> str:
        return f"{chance.uniform(5, 5000):.2f}"

    places = {
        f"/srv/finance/expenses/{place}.csv": _table("day,amount", ((day, amount()) for day in range(1, 29)))
        for place in ("berlin", "lyon")
    }
    return {
        "/srv/finance/ledger.csv": _table(
            "account,amount", ((4000 + chance.randrange(40), amount()) for _ in range(400))
        ),
        "/srv/finance/statement.csv": _table(
            "reference,amount", ((f"R{number:05}", amount()) for number in range(150))
        ),
        "/srv/finance/open_invoices.csv": _table(
            "invoice,customer,days,amount",
            ((f"I{n:04}", _person(chance), chance.randrange(90), amount()) for n in range(60)),
        ),
        "/srv/finance/bonuses.csv": _table("employee,bonus", ((n, amount()) for n in range(40))),
        "/srv/finance/sales.csv": _table(
            "rate,net", ((chance.choice((7, 19)), amount()) for _ in range(300))
        ),
        "/srv/bank/payments.xml": "<payments><to iban='DE00 0000' amount='118.20'/></payments>\n",
        **places,
    }


def _marketing(chance: random.Random) -> dict[str, str]:
    people = [(f"C{number:04}", _person(chance), f"c{number}@mail.example") for number in range(120)]
    return {
        "/srv/marketing/customers.csv": _table("id,name,mail", people),
        "/srv/marketing/clicks.csv": _table("day,clicks", ((n, chance.randrange(900)) for n in range(90))),
        "/srv/marketing/newsletter.txt": "New this week: spelt flakes.\n" * 20,
        "/srv/marketing/prices.csv": _table("item,price", ((item, 1.99) for item in _ITEMS)),
        "/srv/marketing/leads.json": json.dumps([{"name": _person(chance)} for _ in range(15)]),
    }


def _hr(chance: random.Random) -> dict[str, str]:
    teams = list(story.TEAMS)
    return {
        "/srv/hr/staff.csv": _table(
            "name,department", ((_person(chance), chance.choice(teams)) for _ in range(80))
        ),
        "/srv/hr/salaries.csv": _table(
            "employee,salary", ((n, chance.randrange(3000, 9000)) for n in range(80))
        ),
        "/srv/hr/absences.csv": _table("from,until", ((20261100 + n, 20261101 + n) for n in range(1, 25))),
        "/srv/hr/welcome.txt": "Welcome to Meridian.\n",
        "/srv/hr/applications/4711.txt": "I have ten years of experience with oats.\n" * 30,
    }


def _operations(chance: random.Random) -> dict[str, str]:
    stock = [(item, f"{chance.choice('ABCD')}{n}", chance.randrange(80)) for n, item in enumerate(_ITEMS * 5)]
    logs = {
        f"/srv/operations/logs/{day}.log": f"{day} 05:29 gate open\n" * chance.randrange(200, 400)
        for day in story.DAYS
    }
    return {
        "/srv/operations/stock.csv": _table("item,shelf,pieces", stock),
        "/srv/operations/warehouse.db": "".join(chance.choices("0123456789abcdef", k=40_000)),
        "/srv/operations/drivers.json": json.dumps([_person(chance) for _ in range(7)]),
        **logs,
    }


def _data_science(chance: random.Random) -> dict[str, str]:
    regions = {
        f"/srv/datascience/regions/{name}.csv": _table("sales", ((chance.randrange(500),) for _ in range(60)))
        for name in ("east", "north", "south", "west")
    }
    return {
        "/srv/datascience/orders.csv": _table(
            "customer,items", ((f"C{n:04}", " ".join(chance.choices(_ITEMS, k=3))) for n in range(200))
        ),
        "/srv/datascience/baseline.csv": _table("region,slope", ((n, chance.random()) for n in range(4))),
        "/srv/datascience/tickets.json": json.dumps([f"Where is my order {n}?" for n in range(50)]),
        "/srv/models/mistral-7b-instruct.Q4_K_M.gguf": "GGUF" + "w" * 60_000,
        **regions,
    }


def files(seed: int) -> dict[str, str]:
    """The content of each file, by its path."""
    made: dict[str, str] = {}
    for make in (_finance, _marketing, _hr, _operations, _data_science):
        made.update(make(random.Random(f"{seed} {make.__name__}")))
    return made
