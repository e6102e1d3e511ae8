"""The COSE profile of statement.md section 1.2: COSE_Sign1 and nothing else."""

from dataclasses import dataclass

import cbor
import signing
from errors import need


def encode_head(major, length):
    """A CBOR head in its shortest form, for lengths below 2^32."""
    if length < 24:
        return bytes([major << 5 | length])
    if length < 1 << 8:
        return bytes([major << 5 | 24, length])
    if length < 1 << 16:
        return bytes([major << 5 | 25]) + length.to_bytes(2, "big")
    return bytes([major << 5 | 26]) + length.to_bytes(4, "big")


def encode_bytes(data):
    """A CBOR byte string."""
    return encode_head(2, len(data)) + data


@dataclass(frozen=True)
class Signed:
    """A COSE_Sign1 that has been read; its signature is not yet verified."""

    raw: bytes
    alg: int
    kid: bytes
    typ: str
    protected: bytes
    payload: bytes
    signature: bytes

    def verifies(self, alg, key):
        """Whether the object is signed by this key, which it must also name."""
        if self.alg != alg or self.kid != signing.kid(key):
            return False
        message = b"\x84\x6aSignature1" + encode_bytes(self.protected) + b"\x40" + encode_bytes(self.payload)
        return signing.verifies(alg, key, message, self.signature)


def parse(raw, limit, *types):
    """Reads a signed object of at most `limit` bytes and one of the types."""
    need(len(raw) <= limit, f"longer than {limit} bytes")
    need(raw[:2] == b"\xd2\x84", "not a tagged COSE_Sign1")
    reader = cbor.Reader(raw)
    reader.at = 2
    protected = cbor.bstr(reader.item(), "protected header")
    unprotected = reader.item()
    need(unprotected == {} and type(unprotected) is dict, "the unprotected header is not the empty map")
    payload = cbor.bstr(reader.item(), "payload")
    signature = cbor.bstr(reader.item(), "signature", 64)
    reader.end()
    header = cbor.keys(cbor.decode(protected), (1, 4, 16))
    need(type(header[1]) is int and header[1] in signing.KEY_LENGTH, "alg is neither -19 nor -9")
    kid = cbor.hash32(header[4], "kid")
    need(header[16] in types, "typ is that of another kind of object")
    return Signed(raw, header[1], kid, header[16], protected, payload, signature)
