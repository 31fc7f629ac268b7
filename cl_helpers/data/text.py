"""English and Python, both from what every Python has: texts to learn character by character.

English is the language reference (`pydoc_data.topics`) and the docstrings of the standard library;
Python is its source without docstrings and comments. Nothing is downloaded. Each version of Python
has its own text, so a number measured in one is only about comparable with that of another.
"""

from __future__ import annotations

import re
import sysconfig
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Literal, get_args
from zlib import crc32

import torch
from torch import Tensor

from ..checks import at_least_one, one_of
from .tasks import SequenceTask, Task
from .views import DatasetView

N_CHARACTERS = 128  # ASCII
Language = Literal["English", "Python"]
Part = Literal["train", "held out", "test"]
_SPELLED = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "×": "x"}
)


def encode(text: str) -> Tensor:
    """Turn `text` into its characters' numbers, (n,) long, 0 to 127.

    Quotation marks and dashes become those of ASCII; any other character becomes "?".
    """
    plain = text.translate(_SPELLED).encode("ascii", "replace")
    return torch.frombuffer(bytearray(plain), dtype=torch.uint8).long()


def decode(characters: Tensor) -> str:
    """Turn the numbers of `characters`, (n,), back into text."""
    return bytes(characters.tolist()).decode("ascii")


@cache
def read(language: Language, part: Part = "train") -> str:
    """Read one of three parts of the text in a language.

    The parts are "train" (80 %), "held out" (10 %, to choose settings by) and "test" (10 %). They
    have no paragraph of English in common, and no module of Python. A digest of the paragraph, or
    the module's name, decides where it belongs, in every version of Python alike.

    Args:
        language: "English" or "Python".
        part: "train", "held out" or "test". Default "train".

    Raises:
        ValueError: there is no such language or part.
    """
    one_of("language", language, "English", "Python")
    one_of("part", part, "train", "held out", "test")
    return "\n\n".join(piece for piece, where in _pieces(language) if where == part)


def digest(language: Language) -> str:
    """Compute the SHA-256 of all text in a `language`, its three parts: the first 12 hex digits."""
    whole = "\0".join(read(language, part) for part in get_args(Part))
    return sha256(whole.encode()).hexdigest()[:12]


@cache
def _pieces(language: Language) -> list[tuple[str, Part]]:
    """Paragraphs of English, or modules of Python, each with the part that it belongs to."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    modules = {p.name: p.read_text("utf-8", "replace") for p in sorted(folder.glob("*.py"))}
    if language == "Python":
        return [(code_of(source), _part(name)) for name, source in modules.items()]
    topics = import_module("pydoc_data.topics").topics.values()
    docstrings = (text for source in modules.values() for text in docstrings_of(source))
    paragraphs = (p for text in (*topics, *docstrings) for p in text.split("\n\n"))
    prose = (dedent(p).strip("\n") for p in paragraphs)
    return [(p, _part(p)) for p in dict.fromkeys(filter(_is_prose, prose))]


def _part(name: str) -> Part:
    digit = crc32(name.encode()) % 10
    return "test" if digit == 0 else "held out" if digit == 1 else "train"


def _is_prose(paragraph: str) -> bool:
    """Whether a paragraph has eight words or more, ends a sentence, and is mostly letters."""
    letters = sum(c.isalpha() or c.isspace() for c in paragraph)
    sentence = len(paragraph.split()) >= 8 and paragraph.rstrip().endswith((".", ":"))
    return sentence and letters > 0.85 * len(paragraph) and ">>>" not in paragraph


# Strings in three quotation marks; one that begins a line is a docstring.
_STRINGS = re.compile(
    r'(^[ \t]*)?[rRbBfFuU]{0,2}("""|\'\'\')(.*?)(?<!\\)\2', re.DOTALL | re.MULTILINE
)
_OR_COMMENTS = re.compile(rf"^[ \t]*#[^\n]*\n|{_STRINGS.pattern}", _STRINGS.flags)
_EMPTY = re.compile(r"\n([ \t]*\n){2,}")


def docstrings_of(source: str) -> list[str]:
    """List the docstrings in the `source` of a module."""
    return [string[3] for string in _STRINGS.finditer(source) if string[1] is not None]


def code_of(source: str) -> str:
    """Return the `source` of a module without docstrings and without lines that are comments."""

    def kept(part: re.Match[str]) -> str:
        return part[0] if part[2] and part[1] is None else ""

    code = _OR_COMMENTS.sub(kept, source)
    return _EMPTY.sub("\n\n", code).strip("\n")


@dataclass(frozen=True, eq=False)
class Windows(DatasetView):
    """Windows of one long text: each position is asked which character comes next.

    Args:
        characters: (n,) long, the text.
        length: T, characters of a window.
        stride: from the start of one window to that of the next.
    """

    characters: Tensor
    length: int = 128
    stride: int = 128

    def __len__(self) -> int:
        return max(0, (len(self.characters) - 1 - self.length) // self.stride + 1)

    @property
    def device(self) -> torch.device:
        return self.characters.device

    @property
    def x(self) -> Tensor:
        return self.batch(torch.arange(len(self)))[0]

    @property
    def y(self) -> Tensor:
        return self.batch(torch.arange(len(self)))[1]

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Read windows (B, T) long, and the character that follows each position, (B, T) long."""
        steps = torch.arange(self.length + 1, device=self.device)
        window = self.characters[self.stride * index.to(self.device)[:, None] + steps]
        return window[:, :-1], window[:, 1:]

    def to(self, device: torch.device) -> Windows:
        return replace(self, characters=self.characters.to(device))


def text_task(
    language: Language,
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    part: Part = "test",
    length: int = 128,
    stride: int = 128,
) -> Task:
    """Make a task of a text: say at each position which character comes next.

    Args:
        language: "English" or "Python".
        n_train, n_test: characters to train on and to test with, the first of their part. None, the
            default, is all of them.
        part: what it is tested with: "test", the default, or "held out", to choose settings by.
        length: T, characters of a window. Default 128.
        stride: from one window of the training text to the next. Default 128: they do not overlap.

    Returns:
        The task; `task.train.x` and `.y` are (N, T) long. Its score is the accuracy at a position.

    Raises:
        ValueError: an argument makes no sense.
    """
    for what, n in {"n_train": n_train, "n_test": n_test}.items():
        if n is not None:
            at_least_one(what, n)
    train, test = encode(read(language)[:n_train]), encode(read(language, part)[:n_test])
    return sequence_task(language, train, test, N_CHARACTERS, length=length, stride=stride)


def sequence_task(
    name: str, train: Tensor, test: Tensor, n_outputs: int, *, length: int = 128, stride: int = 128
) -> Task:
    """Make a task of two long sequences: say at each position which number comes next.

    Args:
        name: of the task.
        train, test: (n,) long, numbers of characters or tokens, 0 to n_outputs − 1.
        n_outputs: K, how many there are.
        length, stride: as in `text_task`.

    Raises:
        ValueError: a length is below 1.
    """
    for what, n in {"length": length, "stride": stride}.items():
        at_least_one(what, n)
    views = Windows(train, length, stride), Windows(test, length, length)
    return SequenceTask(name, "text", *views, tuple(range(n_outputs)))
