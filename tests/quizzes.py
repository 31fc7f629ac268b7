"""A small bank with a known key, papers to go with it, and a course on disk to grade them in."""

from __future__ import annotations

import random
from pathlib import Path

import yaml

from quiz.bank import PROPORTIONS, Bank, Option, Question, Section

TITLES = {section: f"Section {section}" for section in PROPORTIONS}


def toy_bank(seed: int = 0, see: str = "04_ewc") -> Bank:
    """25 questions in the homework's proportions; `seed` decides what is correct."""
    draw, sections = random.Random(seed), []
    for section, n in PROPORTIONS.items():
        questions = []
        for i in range(1, n + 1):
            letters = "abcdef"[: 4 + i % 3]
            key = draw.sample(letters, draw.randint(1, len(letters)))
            options = tuple(
                Option(
                    id=o,
                    text=f"Option {o} of {section} {i}, with `code` & <signs>",
                    correct=o in key,
                    why=f"Because {draw.random()} is a secret of {seed}.",
                )
                for o in letters
            )
            questions.append(
                Question(
                    id=f"{section}-{i}",
                    stem=f"Question {i} of {section}?",
                    topic="a topic",
                    see=see,
                    options=options,
                )
            )
        sections.append(Section(section=section, title=TITLES[section], questions=tuple(questions)))
    return Bank(sections)


def write_bank(bank: Bank, folder: Path) -> Path:
    """As YAML files; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for section in bank.sections:
        text = yaml.safe_dump(section.model_dump(mode="json"), allow_unicode=True)
        (folder / f"{section.section}.yaml").write_text(text, "utf-8")
    return folder
