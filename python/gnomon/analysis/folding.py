"""What records come to, counted natively in one pass: tables that take SQL minutes for millions of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..catalog import patterns

if TYPE_CHECKING:
    from .. import Fold
    from ..catalog import Catalog
    from .questions import Analysis

PARTS = (
    "files", "file_counts", "classes", "reads", "imports", "contacts", "acts", "verdicts", "all_files",
)  # fmt: skip
# How many files of a script the report can name at most, those that it used most.
HEAVY_FILES = 100
# Files that are models, which `report/queries/ai_weights.sql` asks for.
_MODELS = [
    ".gguf", ".ggml", ".safetensors", ".onnx", ".tflite", ".GGUF", ".llamafile", ".pth", ".ckpt",
]  # fmt: skip


def fold(analysis: Analysis) -> Fold:
    """Folds all records of `analysis`, whose `base.runs` there is."""
    from .. import Fold

    runs = analysis.connection.execute("select process, actor, script, script_path from base.runs").fetchall()
    places, words = classes(analysis.catalog)
    counted = analysis.catalog.words
    return Fold(
        analysis.spools(),
        runs,
        places=places,
        words=words,
        word_types=counted.types_regex,
        word_exceptions=counted.except_regex,
        endings=_MODELS,
        top=HEAVY_FILES,
    )


_Class = tuple[str, str, "str | None"]


def classes(catalog: Catalog) -> tuple[list[_Class], list[_Class]]:
    """What finds sensitive files, as the macro `sensitivities_of` has it: by places, and by words."""
    places = [
        (one.id, patterns.of_paths(one.paths), one.except_regex) for one in catalog.sensitivities if one.paths
    ]
    words = [
        (one.id, patterns.of_words(one.words), one.except_regex) for one in catalog.sensitivities if one.words
    ]
    return places, words
