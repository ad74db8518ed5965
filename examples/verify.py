"""Says off line whether a QR text is accepted. usage: verify.py DIR TEXT; README, "For verifier apps", says what is in DIR."""
import base64, hashlib, json, pathlib, sys, time
import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

DIR, TEXT, DIGITS = pathlib.Path(sys.argv[1]), sys.argv[2], "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

def base45(text):
    parts = [text[at : at + 3] for at in range(0, len(text), 3)]
    number = lambda part: sum(DIGITS.index(c) * 45**i for i, c in enumerate(part))
    return b"".join(number(part).to_bytes(len(part) - 1, "big") for part in parts)

def proved(cose, keys, typ=None):
    protected, _, payload, signature = cbor2.loads(cose).value
    header = cbor2.loads(protected)
    for key in keys(header[4]) if header.get(16) == typ else []:
        try:
            key.verify(signature, cbor2.dumps(["Signature1", protected, b"", payload]))
            return payload
        except InvalidSignature:
            pass
    sys.exit("rejected: no key that may sign this has signed it")

key = lambda row: load_der_public_key(base64.b64decode(row["public_key"]))
anchor = load_pem_public_key((DIR / "anchor.pem").read_bytes())
trust = json.loads(proved((DIR / "trust-list.cose").read_bytes(), lambda kid: [anchor], "thexanh/trust-list"))
publishers = [key(row) for row in trust["publishers"]]
index = json.loads(proved((DIR / "revocations.cose").read_bytes(), lambda kid: publishers, "thexanh/revocations"))
national = [row for row in trust["keys"] if row["national"] and row["algorithm"] == "EdDSA" and "withdrawn_at" not in row]
signers = lambda kid: [key(row) for row in national if base64.b64decode(row["kid"]) == kid]
claims = cbor2.loads(proved(base45(TEXT.removeprefix("VN1:")), signers))
uvci, name, _, dose, series, *_ = claims[-260][-1]
entry = hashlib.sha256(f"URN:UVCI:01:VN:{uvci.hex().upper()}".encode()).digest()[:16]
pieces = [piece for layer in index["layers"] for piece in layer["full"] if entry.hex().startswith(piece["prefix"])]
slices = [(DIR / "slices" / piece["id"]).read_bytes() for piece in pieces]
held = any(entry in {data[at : at + 16] for at in range(0, len(data), 16)} for data in slices)
revoked = held and base64.b64encode(entry).decode() not in index["removed"]
in_time = claims[6] - 60 <= time.time() <= claims[4]
sys.exit("rejected: revoked" if revoked else "rejected: expired" if not in_time else print("accepted:", name, f"{dose}/{series}"))
