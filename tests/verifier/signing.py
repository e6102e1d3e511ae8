"""Keys and signatures (statement.md section 1.3).

Everything that a lenient library could let pass is checked here first:
canonical y coordinates, small order, S < L, low S, the point on the curve.
"""

from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from errors import need

ED25519 = -19
ESP256 = -9
KEY_LENGTH = {ED25519: 32, ESP256: 33}

P25519 = 2**255 - 19
L25519 = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)

P256_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def kid(key):
    """The name of a key: the hash of its bytes."""
    return sha256(key).digest()


def sound_point(point):
    """Whether 32 bytes are a canonical y and not one of the small order."""
    cleared = point[:31] + bytes([point[31] & 0x7F])
    return int.from_bytes(cleared, "little") < P25519 and cleared not in SMALL_ORDER


def check_key(alg, key):
    """Refuses a public key that no signature may be verified under."""
    need(alg in KEY_LENGTH, f"algorithm {alg} is unknown")
    need(len(key) == KEY_LENGTH[alg], "the key's length does not fit its algorithm")
    if alg == ED25519:
        need(sound_point(key), "the Ed25519 key is not canonical or of small order")
    else:
        need(on_p256(key), "the P-256 key is not a compressed point of the curve")
    return key


def on_p256(key):
    """Whether 33 bytes are a compressed point of P-256 (never infinity)."""
    x = int.from_bytes(key[1:], "big")
    if key[0] not in (2, 3) or x >= P256_P:
        return False
    square = (x * x * x - 3 * x + P256_B) % P256_P
    # The group has prime order, so no point has y = 0 and square is never 0.
    return pow(square, (P256_P - 1) // 2, P256_P) == 1


@lru_cache(maxsize=8192)
def verifies(alg, key, message, signature):
    """Whether the signature of 64 bytes over the message is one of the key."""
    if len(signature) != 64 or len(key) != KEY_LENGTH.get(alg):
        return False
    if alg == ED25519:
        return verifies_ed25519(key, message, signature)
    return verifies_p256(key, message, signature)


def verifies_ed25519(key, message, signature):
    if not sound_point(key) or not sound_point(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= L25519:
        return False
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verifies_p256(key, message, signature):
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not on_p256(key) or not 1 <= r < P256_N or not 1 <= s <= (P256_N - 1) // 2:
        return False
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
