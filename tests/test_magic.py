"""`%%gnomon` in a real Jupyter kernel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gnomon.policy import compiled, write

pytest.importorskip("ipykernel", reason="ipykernel is not installed: the Jupyter magic was not tried")
nbclient = pytest.importorskip(
    "nbclient", reason="nbclient is not installed: the Jupyter magic was not tried"
)
nbformat = pytest.importorskip(
    "nbformat", reason="nbformat is not installed: the Jupyter magic was not tried"
)


def _executed(folder: Path, *cells: str) -> list[str]:
    """What each cell printed; the last entry is the error that ended it, if one did."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    failed: list[str] = []
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        failed.append(str(error))
    return [_printed(cell) for cell in notebook.cells] + failed


def _printed(cell: Any) -> str:
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "".join(texts)


@pytest.fixture
def spool_of_kernel(spool: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Neither the kernel nor its children are armed: the magic does it.
    for name in list(os.environ):
        if name.startswith("GNOMON_"):
            monkeypatch.delenv(name)
    return spool


def test_a_cell_says_what_it_did(spool_of_kernel: Path, tmp_path: Path) -> None:
    line = f"%%gnomon --spool {spool_of_kernel}"
    _, alone, first, second, _ = _executed(
        tmp_path,
        "%load_ext gnomon",
        "open('alone.csv', 'w').close()",
        f"{line}\nfigure = 6\nfor _ in range(2): open('first.csv', 'a').close()\nfigure * 7",
        f"{line}\nopen('first.csv', 'a').close()\nprint(figure)",
        "figure",
    )
    assert alone == ""
    assert "42" in first and "gnomon: what this cell did" in first
    assert "first.csv  ×2  notebook[3]:3" in " ".join(first.split(" ")).replace("   ", "  ")
    assert "alone.csv" not in first
    assert second.startswith("6\n") and "first.csv  notebook[4]:2" in second


def test_an_error_in_a_cell_is_an_error_and_shown_once(spool_of_kernel: Path, tmp_path: Path) -> None:
    *_, printed, error = _executed(
        tmp_path,
        "%load_ext gnomon",
        f"%%gnomon --spool {spool_of_kernel}\nopen('made.csv', 'w').close()\n1 / 0",
    )
    assert "made.csv" in printed
    assert "ZeroDivisionError" in error and "magic.py" not in error


def test_a_wrong_option_is_said_with_a_hint(spool_of_kernel: Path, tmp_path: Path) -> None:
    _, said = _executed(tmp_path, "%load_ext gnomon", "%%gnomon --colour\n1")
    assert said.startswith("error: ") and "hint: " in said


def test_a_cell_says_what_policy_said(
    spool_of_kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "cells.toml"
    policy.write_text(
        '[[rule]]\nid = "hr"\npath = "./hr/"\naction = "deny"\nmessage = "Salaries are for HR only."\n'
    )
    write(compiled([policy]), tmp_path / "cells.gnomon-policy")
    monkeypatch.setenv("GNOMON_POLICY", str(tmp_path / "cells.gnomon-policy"))
    line = f"%%gnomon --spool {spool_of_kernel}"
    tries = "try: open('hr/x', 'w')\nexcept PermissionError: print('caught')"
    _, first, second = _executed(tmp_path, "%load_ext gnomon", f"{line}\n{tries}", f"{line}\nprint(1)")
    assert first.startswith("caught\n") and "cells: 1 denied" in first
    assert "denied  writing hr/x" in first and "cells/hr: Salaries are for HR only." in first
    assert "Policy" not in second


def test_a_cell_runs_under_a_policy(spool_of_kernel: Path, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[[rule]]\nid = "hr"\npath = "**/hr.csv"\naction = "deny"\n')
    (tmp_path / "hr.csv").touch()
    read = "try: open('hr.csv'); print('read')\nexcept PermissionError as error: print(error.rule)"
    line = f"%%gnomon --quiet --spool {spool_of_kernel}"
    _, under, observed, wrong, alone = _executed(
        tmp_path,
        "%load_ext gnomon",
        f"{line} --policy p.toml\n{read}",
        f"{line} --policy p.toml --observe\n{read}",
        f"{line} --policy missing.toml\n{read}",
        read,
    )
    assert (under, observed, alone) == ("p/hr\n", "read\n", "read\n")
    assert "missing.toml" in wrong and "hint: the cell did not run" in wrong
