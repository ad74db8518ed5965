"""Asks status lists as draft-ietf-oauth-status-list §8.3 says, with other people's CBOR and cryptography, nothing of thexanh.

usage: status_list.py TRUST_LIST.json < lines    (TOKEN_IN_HEX URI INDEX NOW; answers a line each: a status, or why there is none)
"""

import base64
import json
import sys
import zlib

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key

MOST = 8 << 20


class Refused(Exception):
    """Why no statement about the status can be made."""


def status(token, uri, index, now, publishers):
    """The status at `index` in the token of the list at `uri`."""
    try:
        sign1 = cbor2.loads(token)
        assert sign1.tag == 18
        protected, _, payload, signature = sign1.value
        header, claims = cbor2.loads(protected), cbor2.loads(payload)
        assert isinstance(header, dict) and isinstance(claims, dict)
    except Exception:
        raise Refused("malformed")
    if header.get(16) != "application/statuslist+cwt":
        raise Refused("type")
    key = publishers.get(header.get(4))
    if header.get(1) != -8 or key is None:
        raise Refused("signer")
    try:
        key.verify(signature, cbor2.dumps(["Signature1", protected, b"", payload]))
    except InvalidSignature:
        raise Refused("signature")
    if claims[2] != uri:
        raise Refused("subject")
    if claims[6] > now or claims[65534] <= 0:
        raise Refused("time")
    if claims[4] <= now:
        raise Refused("expired")
    bits, inflate = claims[65533]["bits"], zlib.decompressobj()
    statuses = inflate.decompress(claims[65533]["lst"], MOST)
    if not inflate.eof:
        raise Refused("too long")
    if index >= len(statuses) * 8 // bits:
        raise Refused("out of bounds")
    return statuses[index * bits // 8] >> (index * bits % 8) & ((1 << bits) - 1)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        listed = json.load(file)["publishers"]
    publishers = {base64.b64decode(key["kid"]): load_der_public_key(base64.b64decode(key["public_key"])) for key in listed}
    for line in sys.stdin.read().splitlines():
        token, uri, index, now = line.split(" ")
        try:
            print(status(bytes.fromhex(token), uri, int(index), int(now), publishers))
        except Refused as refused:
            print(json.dumps(str(refused)))


main()
