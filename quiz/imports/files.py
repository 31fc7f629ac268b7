"""The XML in a file, whatever the file is called; nothing that could blow up is followed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

import defusedxml.ElementTree as safe  # type: ignore[import-untyped]
from defusedxml import DefusedXmlException

from cl_helpers.formats import format_printable

LARGEST = 50 * 2**20  # bytes of a file, and of all XML that is packed in one
EXPORT = "export the questions as Moodle XML, or as QTI 1.2"


def read_roots(content: bytes, name: str) -> list[Element]:
    """A <quiz> of Moodle's, or the <questestinterop> of one or several assessments.

    Raises:
        ValueError: it is neither, or too large.
    """
    if len(content) > LARGEST:
        raise ValueError(f"{name}: has more than {LARGEST >> 20} MB: export fewer questions")
    if not content.startswith(b"PK"):
        root = _parse(content, name)
        if root.tag not in {"quiz", "questestinterop"}:
            raise ValueError(_unknown(name, {root.tag}))
        return [root]
    found: dict[str, Element] = {}
    others = set()
    for member, inside in _members(content, name):
        root = _parse(inside, f"{name}, {member}")
        if root.tag != "questestinterop":
            others.add(root.tag)
            continue
        outer = root.find("*[@ident]")
        ident = member if outer is None else outer.get("ident", "")
        # A common cartridge of Canvas has each twice, with less in one of them.
        if ident not in found or _size(root) > _size(found[ident]):
            found[ident] = root
    if not found:
        raise ValueError(_unknown(name, others))
    return list(found.values())


def _parse(content: bytes, name: str) -> Element:
    """XML without its namespaces."""
    try:
        root: Element = safe.fromstring(content.lstrip())  # some begin with an empty line
    except DefusedXmlException:
        raise ValueError(f"{name}: declares entities, which are not read: {EXPORT}") from None
    except (safe.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{name}: is no XML ({error}): {EXPORT}") from None
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root


def _members(content: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    left = LARGEST
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            for info in package.infolist():
                path = PurePosixPath(info.filename)
                if path.suffix not in {".xml", ".qti"} or path.name.startswith("._"):
                    continue  # the latter are of macOS
                with package.open(info) as file:
                    inside = file.read(left + 1)  # whatever size the package states
                left -= len(inside)
                if left < 0:
                    most = f"{LARGEST >> 20} MB of XML"
                    raise ValueError(f"{name}: unpacks to more than {most}: export fewer questions")
                yield format_printable(info.filename), inside
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{name}: cannot be unpacked ({error}): export it again") from None


def _size(root: Element) -> int:
    return sum(1 for _ in root.iter())


def _unknown(name: str, tags: set[str]) -> str:
    if tags & {"assessmentItem", "assessmentTest"}:
        return f"{name}: is QTI 2, which is not read: {EXPORT}"
    some = ", ".join(f"<{format_printable(tag, 30)}>" for tag in sorted(tags)[:4])
    return f"{name}: is neither Moodle XML nor QTI 1.2 (it has {some or 'no XML'}): {EXPORT}"
