"""Records with several values, and such whose framing is broken: for Python and for the dataflow alike."""

from __future__ import annotations

BROKEN = [
    b"", b" \n", b"5", b"[", b"[]", b"[1,2]", b"[{},", b"[{},{}", b"[{},{]}", b"[{},,{}]", b"[{},]",
    b"[{}] x", b"[{}}]",
    b'[{"a]', b"{}\n{", b"{}\n{]", b"{} {}\n{}", b"{}\n{}x", b"{}\n{},", b'{"a\n{}', b"{}\n5\n{}", b'{"a":\n{}}',
    b'{"a": [\n{},\n{}\n]}', b"{}{}", b"\xef\xbb\xbf[{},{}]", b'{"a":"\\\n{}', b"\x1d[{},{}]", b"{}\r{}",
]  # fmt: skip
SEVERAL = [
    b"[{},{}]", b' [ {"a":[1,{}]} ,\t5 ]\r\n', b'[{"a":"]},\\"[{\\\\"},{}]', b"[5{},{}]", b"[{} x,{}]", b"{}\n{}",
    b'{"a":1}\r\n\n {"b":2}\n', b'{\n"a": [\n{}]}\n{}', '{"ä":"}"}\n{}'.encode(), b"\t{}\n\t{}", b'[{"a":"\\\n"},{}]',
    b'["]",{"\xff":1}]',
]  # fmt: skip
