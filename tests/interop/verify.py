"""Verifies QR texts from a trust list alone: other people's CBOR and cryptography, nothing of thexanh.

usage: verify.py TRUST_LIST.json < TEXTS        one JSON object a line, in order
"""

import base64
import json
import sys
import zlib

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def base45(text):
    """The bytes of a Base45 text (RFC 9285)."""
    out = bytearray()
    for at in range(0, len(text), 3):
        digits = [ALPHABET.index(character) for character in text[at : at + 3]]
        value = sum(digit * 45**place for place, digit in enumerate(digits))
        out += value.to_bytes(2 if len(digits) == 3 else 1, "big")
    return bytes(out)


def check(key, signature, tbs):
    """Raises InvalidSignature unless `signature` over `tbs` is the key's."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key.verify(signature, tbs)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return key.verify(encode_dss_signature(r, s), tbs, ec.ECDSA(SHA256()))


def verify(text, keys):
    """The claims of a QR text that one of `keys` (kid -> public keys) signed."""
    identifier, body = text[:4], text[4:]
    cose = base45(body)
    if identifier == "HC1:":
        cose = zlib.decompress(cose)
    sign1 = cbor2.loads(cose)
    assert sign1.tag == 18, "not a COSE_Sign1"
    protected, unprotected, payload, signature = sign1.value
    kid = cbor2.loads(protected).get(4) or unprotected[4]
    tbs = cbor2.dumps(["Signature1", protected, b"", payload])
    for key in keys[kid]:
        check(key, signature, tbs)
    claims = cbor2.loads(payload)
    hcert = claims[-260]
    if identifier == "HC1:":
        dcc = hcert[1]
        dose = dcc["v"][0]
        facts = {"uvci": dose["ci"], "name": dcc["nam"]["fn"] + " " + dcc["nam"]["gn"], "dose": dose["dn"], "series": dose["sd"], "product": dose["mp"], "given_on": dose["dt"]}
    else:
        uvci, name, _birth, dose, series, _product, given_on = hcert[-1]
        facts = {"uvci": "URN:UVCI:01:VN:" + uvci.hex().upper(), "name": name, "dose": dose, "series": series, "given_on_day": given_on}
    return {"iss": claims[1], "exp": claims[4], "iat": claims[6], **facts}


def main():
    keys = {}
    with open(sys.argv[1], encoding="utf-8") as file:
        for key in json.load(file)["keys"]:
            spki = base64.b64decode(key["public_key"])
            keys.setdefault(base64.b64decode(key["kid"]), []).append(load_der_public_key(spki))
    for line in sys.stdin.read().splitlines():
        try:
            answer = {"accepted": True, "claims": verify(line, keys)}
        except InvalidSignature:
            answer = {"accepted": False}
        print(json.dumps(answer, ensure_ascii=False))


main()
