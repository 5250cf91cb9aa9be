"""The text of a file: decompressed and decoded, or refused because it is something else."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
import zlib

from flink_job.imports.model import FileError

#: Maximum size of a decompressed file [bytes].
MAX_BYTES = 1 << 30
#: Part of an XML file before whose end a document type is looked for [characters].
XML_HEAD = 2000
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def unpacked(name: str, data: bytes) -> bytes:
    """Return the content of a file, or of the one file in a .gz or .zip. Raises FileError."""
    try:
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(data)) as stream:
                data = _bounded(name, stream.read(MAX_BYTES + 1))
        elif data.startswith(b"PK\x03\x04") and not is_workbook(data):
            data = _only_member(name, data)
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FileError(f"{name}: the archive is damaged ({error}): download it again") from None
    if not data.strip():
        raise FileError(f"{name}: the file is empty")
    return data


def _only_member(name: str, data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [item for item in archive.infolist() if not item.is_dir()]
        if len(members) != 1:
            raise FileError(f"{name}: the archive holds {len(members)} files: unpack it and import each of them")
        with archive.open(members[0]) as stream:
            return _bounded(name, stream.read(MAX_BYTES + 1))


def _bounded(name: str, data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise FileError(f"{name}: more than {MAX_BYTES >> 20} MiB when unpacked: split it")
    return data


def is_workbook(data: bytes) -> bool:
    """Whether the bytes are an Excel workbook (.xlsx)."""
    if not data.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def refuse_document_type(name: str, xml: str) -> None:
    """Raise FileError for XML that begins with a document type, which may define entities without end."""
    if "<!DOCTYPE" in xml[:XML_HEAD] or "<!ENTITY" in xml[:XML_HEAD]:
        raise FileError(f"{name}: a document type is not accepted: remove it")


def decoded(name: str, data: bytes, encoding: str = "") -> tuple[str, str]:
    """Return (text, encoding): by the byte order mark, else UTF-8, else CP1252. Raises FileError.

    Line ends are made uniform, and NUL characters removed.
    """
    for mark, found in _BOMS.items():
        if data.startswith(mark):
            data, encoding = data[len(mark) :], found
            break
    else:
        encoding = encoding or _unmarked(data)
    try:
        text = data.decode(encoding)
    except LookupError:
        raise FileError(f"{name}: encoding {encoding!r} is unknown; examples: utf-8, cp1252, utf-16") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FileError(f"{name}:{line}: not {encoding}: state csv: {{encoding: ...}} in a map") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if text[:200].lstrip().lower().startswith(("<!doctype html", "<html")):
        raise FileError(f"{name}:1: a web page, not an export: the portal's session has probably ended; log in again")
    return text, encoding


def _unmarked(data: bytes) -> str:
    """Return the encoding of bytes without a byte order mark."""
    head = data[:1000]
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if head[0::2].count(0) > len(head) // 4:
        return "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"
