"""The two kinds of trees: complete binary trees (statement.md section 1.4) and
that of RFC 6962 (log.md section 2; verified as RFC 9162 sections 2.1.3.2 and
2.1.4.2 say).
"""

from hashlib import sha256

from errors import need


def H(*parts):
    """SHA-256 over the joined parts."""
    state = sha256()
    for part in parts:
        state.update(part)
    return state.digest()


def node_hash(left, right):
    """An inner node of either kind of tree."""
    return H(b"\x01", left, right)


def complete_root(leaves):
    """The root of the complete binary tree over one or more leaves."""
    need(len(leaves) >= 1, "a tree without leaves")
    nodes = [b""] * (len(leaves) - 1) + list(leaves)
    for k in range(len(leaves) - 2, -1, -1):
        nodes[k] = node_hash(nodes[2 * k + 1], nodes[2 * k + 2])
    return nodes[0]


def check_complete_path(leaf, index, count, path, root):
    """The leaf is number `index` of `count` below `root`."""
    need(count >= 1 and index < count, f"index {index} of {count} leaves")
    node = index + count - 1
    need(len(path) == (node + 1).bit_length() - 1, "the path's length does not fit")
    value = leaf
    for sibling in path:
        value = node_hash(value, sibling) if node % 2 else node_hash(sibling, value)
        node = (node - 1) // 2
    need(value == root, "the path does not lead to the root")


def check_log_path(entry, index, size, path, root):
    """The entry is number `index` of the log of `size` entries below `root`."""
    need(index < size, f"index {index} in a log of {size}")
    fn, sn = index, size - 1
    value = H(b"\x00", entry)
    for sibling in path:
        need(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            value = node_hash(sibling, value)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            value = node_hash(value, sibling)
        fn >>= 1
        sn >>= 1
    need(sn == 0, "the path is too short")
    need(value == root, "the path does not lead to the root of the checkpoint")


def check_consistency(first, first_root, second, second_root, path):
    """The log of `second` entries begins with the log of `first` entries."""
    need(1 <= first <= second, f"a log of {first} as the beginning of one of {second}")
    if first == second:
        need(not path and first_root == second_root, "two logs of one size, or a path between them")
        return
    need(path, "the consistency path is empty")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    # The beginning is itself a node of the whole exactly if its size is a power of 2.
    rest = list(path) if first & (first - 1) else [first_root, *path]
    old = new = rest[0]
    for node in rest[1:]:
        need(sn != 0, "the consistency path is too long")
        if fn & 1 or fn == sn:
            old, new = node_hash(node, old), node_hash(node, new)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            new = node_hash(new, node)
        fn >>= 1
        sn >>= 1
    need(sn == 0, "the consistency path is too short")
    need(old == first_root and new == second_root, "the log does not begin with the earlier one")
