"""The CBOR profile of statement.md section 1.1, and typed access to maps.

Items become Python values: unsigned and negative integers `int`, byte strings
`bytes`, text strings `str`, arrays `list`, maps `dict`. Tag 18 occurs only
around a COSE_Sign1 and is read by `cose.py`; here every tag is refused.
"""

from errors import Bad, need

MAX_UINT = 2**53 - 1
MAX_DEPTH = 8


class Reader:
    """Reads items one after the other from a byte string."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        """The next `count` bytes."""
        end = self.at + count
        need(end <= len(self.data), "CBOR item is cut short")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def head(self):
        """The next major type and argument, the argument in its shortest form."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            raise Bad("CBOR float or simple value")
        if info < 24:
            return major, info
        need(info <= 27, "CBOR indefinite length or reserved head")
        size = 1 << (info - 24)
        value = int.from_bytes(self.take(size), "big")
        smallest = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[size]
        need(value >= smallest, "CBOR head is not in its shortest form")
        return major, value

    def item(self, depth=1):
        """The next item. `depth` is that of an array or map standing here."""
        major, value = self.head()
        need(value <= MAX_UINT, "CBOR integer above 2^53 - 1")
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major == 2:
            return self.take(value)
        if major == 3:
            return self.text(value)
        need(major != 6, "CBOR tag")
        need(depth <= MAX_DEPTH, "CBOR nested deeper than 8")
        if major == 4:
            return self.array(value, depth)
        return self.map(value, depth)

    def text(self, length):
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise Bad("CBOR text is not UTF-8") from None

    def array(self, length, depth):
        need(length <= len(self.data) - self.at, "CBOR array is cut short")
        return [self.item(depth + 1) for _ in range(length)]

    def map(self, length, depth):
        need(length <= len(self.data) - self.at, "CBOR map is cut short")
        result, before = {}, -1
        for _ in range(length):
            key = self.item(depth + 1)
            need(type(key) is int and 0 <= key <= 23, "CBOR map key is not 0 to 23")
            need(key > before, "CBOR map keys are not strictly increasing")
            before = key
            result[key] = self.item(depth + 1)
        return result

    def end(self):
        """Nothing may be left over."""
        need(self.at == len(self.data), "bytes left over after the CBOR item")


def decode(data):
    """The one item that makes up all of `data`."""
    reader = Reader(data)
    value = reader.item()
    reader.end()
    return value


def keys(value, required, optional=()):
    """`value` is a map with exactly the named keys."""
    need(type(value) is dict, "not a CBOR map")
    for key in required:
        need(key in value, f"key {key} is missing")
    for key in value:
        need(key in required or key in optional, f"key {key} is unknown")
    return value


def uint(value, what, low=0, high=MAX_UINT):
    """An unsigned integer between two bounds."""
    need(type(value) is int and low <= value <= high, f"{what} is not an integer from {low} to {high}")
    return value


def bstr(value, what, *lengths):
    """A byte string of one of the lengths (of any, if none is given)."""
    need(type(value) is bytes, f"{what} is not a byte string")
    need(not lengths or len(value) in lengths, f"{what} has {len(value)} bytes")
    return value


def hash32(value, what):
    """A byte string of 32 bytes."""
    return bstr(value, what, 32)


def tstr(value, what, low=0, high=None):
    """A text string of `low` to `high` bytes of UTF-8."""
    need(type(value) is str, f"{what} is not a text string")
    size = len(value.encode("utf-8"))
    need(size >= low and (high is None or size <= high), f"{what} has {size} bytes")
    return value


def array(value, what, low=0, high=None):
    """An array of `low` to `high` items."""
    need(type(value) is list, f"{what} is not an array")
    need(len(value) >= low and (high is None or len(value) <= high), f"{what} has {len(value)} items")
    return value
