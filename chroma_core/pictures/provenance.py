"""A note of what made a picture, in its XMP (ISO 16684-1): beside what was there, never over it."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import quoteattr, unescape

from chroma_core.provenance import parse_record

__all__ = ["record_of", "with_note", "without_note"]

_NAMESPACE = "urn:chroma:provenance:1"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
_EARLIER = re.compile(
    rb'<rdf:Description rdf:about="" xmlns:chroma="urn:chroma:provenance:1"[^>]*/>\s*'
)
_SAID = re.compile(
    rb"chroma:madeBy\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)')|<chroma:madeBy>([^<]*)</chroma:madeBy>"
)
_BEGIN = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_EMPTY = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF></x:xmpmeta>'
)
_END = b'\n<?xpacket end="w"?>'


def with_note(xmp: bytes, note: str) -> bytes:
    """Return XMP that holds a note besides what it held.

    A note of an earlier run is replaced. XMP that is no UTF-8, or has no RDF, is kept as it is:
    what the user wrote is worth more than our note.

    Parameters
    ----------
    xmp : bytes
        What the picture had, or nothing.
    note : str
        What made it.
    """
    printable = "".join(c for c in note if c.isprintable())
    said = f'xmlns:Iptc4xmpExt="{_IPTC}" chroma:madeBy={quoteattr(printable)}'
    kept = _EARLIER.sub(b"", xmp)
    if b"DigitalSourceType" not in kept:
        said += f' Iptc4xmpExt:DigitalSourceType="{_SOURCE_TYPE}"'
    element = f'<rdf:Description rdf:about="" xmlns:chroma="{_NAMESPACE}" {said}/>'.encode()
    if not kept.strip(b"\0 \r\n\t"):
        head, end, tail = _EMPTY.partition(b"</rdf:RDF>")
        return b"".join([_BEGIN, head, element, end, tail, _END])
    before, end, after = kept.rpartition(b"</rdf:RDF>")
    if not end or b"<rdf:RDF" not in before:
        return xmp
    return before + element + end + after


def without_note(xmp: bytes) -> bytes:
    """Return XMP as it was before `with_note`; nothing where nothing else was in it."""
    kept = _EARLIER.sub(b"", xmp)
    return b"" if kept == b"".join([_BEGIN, _EMPTY, _END]) else kept


def record_of(xmp: bytes) -> dict[str, Any] | None:
    """Return what the XMP of a result says of how it was made; None where it says nothing.

    Other programs may have written the XMP anew, as long as they kept the prefix ``chroma``.

    Parameters
    ----------
    xmp : bytes
        Of a picture that anybody may have written: it is searched, never parsed as XML.
    """
    found = _SAID.search(xmp) if _NAMESPACE.encode() in xmp else None
    if found is None:
        return None
    said = next(group for group in found.groups() if group is not None)
    entities = {"&quot;": '"', "&apos;": "'", "&#10;": "\n", "&#13;": "\r", "&#9;": "\t"}
    return parse_record(unescape(said.decode("utf-8", "replace"), entities))
