"""How bad a vulnerability is: CVSS 3 base scores from their vectors, and words where there is no score.

Formulas and constants: CVSS 3.1 specification, sections 7.1 and 7.4 (first.org). Scores of CVSS 4 come from
a table of 270 measured values and are not computed here; the word of the database stands in for them.
"""

from __future__ import annotations

from collections.abc import Mapping

_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "PR": {"N": 0.85, "L": 0.62, "H": 0.27},
    "UI": {"N": 0.85, "R": 0.62},
    "S": {"U": 0.0, "C": 1.0},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES_ACROSS = {"N": 0.85, "L": 0.68, "H": 0.5}  # where the scope changes
_WORDS = {"critical": "high", "high": "high", "moderate": "medium", "medium": "medium", "low": "low"}
UNRATED = "medium"  # what nobody rated is neither hidden at the bottom nor shouted about


def base_score(vector: str) -> float | None:
    """The base score of a vector of CVSS 3.0 or 3.1; `None` for anything else."""
    metrics = _metrics(vector)
    if metrics is None:
        return None
    weight = {name: _WEIGHTS[name][value] for name, value in metrics.items()}
    is_across = metrics["S"] == "C"
    if is_across:
        weight["PR"] = _PRIVILEGES_ACROSS[metrics["PR"]]
    loss = 1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    impact = 7.52 * (loss - 0.029) - 3.25 * (loss - 0.02) ** 15 if is_across else 6.42 * loss
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * weight["AV"] * weight["AC"] * weight["PR"] * weight["UI"]
    return _round_up(min((1.08 if is_across else 1.0) * (impact + exploitability), 10.0))


def _metrics(vector: str) -> dict[str, str] | None:
    """The eight base metrics; other metrics (temporal, environmental) do not change the base score."""
    version, *pairs = vector.strip().split("/")
    if version not in ("CVSS:3.0", "CVSS:3.1"):
        return None
    metrics: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition(":")
        if name not in _WEIGHTS:
            continue
        if name in metrics or value not in _WEIGHTS[name]:
            return None
        metrics[name] = value
    return metrics if len(metrics) == len(_WEIGHTS) else None


def _round_up(score: float) -> float:
    """To the next tenth, in whole numbers, as appendix A of CVSS 3.1 has it: 4.02 is 4.1, 4.00 is 4.0."""
    number = round(score * 100_000)
    return number / 100_000 if number % 10_000 == 0 else (number // 10_000 + 1) / 10


def word_of(score: float) -> str:
    """`high` from 7.0 on (what CVSS calls critical, too), `medium` from 4.0 on, else `low`."""
    if score >= 7.0:
        return "high"
    return "medium" if score >= 4.0 else "low"


def known_word(word: str) -> str | None:
    """A database's own word as ours; `None` where it is none."""
    return _WORDS.get(word.strip().lower())
