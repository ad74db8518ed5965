"""Looks entries up in a filter of the list of revocations: what src/revocation/filter.rs says, and nothing else.

usage: may_be_revoked.py FILTER < entries    (an entry a line, in hexadecimal; answers a line each: true or false)
"""

import struct
import sys

MASK = (1 << 64) - 1


def may_contain(filter_bytes: bytes, entry: bytes) -> bool:
    magic, layout, bits, zero, seed, segments = struct.unpack_from("<4sBBHQI", filter_bytes)
    assert (magic, layout, zero) == (b"BF16", 1, 0)
    if segments == 0:
        return False
    h = int.from_bytes(entry[:8], "big") + seed & MASK
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & MASK
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    h ^= h >> 33
    length, low = 1 << bits, (1 << bits) - 1
    p0 = h * (segments << bits) >> 64
    p1 = (p0 + length) ^ (h >> 18 & low)
    p2 = (p0 + 2 * length) ^ (h & low)
    a, b, c = (struct.unpack_from("<H", filter_bytes, 20 + 2 * place)[0] for place in (p0, p1, p2))
    return a ^ b ^ c == (h ^ h >> 32) & 0xFFFF


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        content = file.read()
    for line in sys.stdin:
        print("true" if may_contain(content, bytes.fromhex(line)) else "false")
