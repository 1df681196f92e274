"""The few bytes of a MaxMind database: a search tree over the bits of addresses, then data, then what it is."""

import ipaddress
import struct

BITS = 24
MARK = b"\xab\xcd\xefMaxMind.com"


def _control(kind, size):
    assert size < 285
    head, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (bytes([kind << 5 | head]) if kind <= 7 else bytes([head, kind - 7])) + more


def encoded(value):
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(encoded(k) + encoded(v) for k, v in value.items())
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(encoded, value))
    if isinstance(value, str):
        raw = value.encode()
        return _control(2, len(raw)) + raw
    kind, number = value  # 5: 16 bits, 6: 32, 9: 64
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return _control(kind, len(raw)) + raw


def database(networks, ip_version=6):
    """The file's bytes, for `{network: record}`; IPv4 stands at ::/96, as MaxMind has it."""
    tree = [[None, None]]
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        width = 128 if ip_version == 6 else 32
        shift = 96 if ip_version == 6 and network.version == 4 else 0
        bits = f"{int(network.network_address):0{width}b}"[: network.prefixlen + shift]
        node = 0
        for bit in map(int, bits[:-1]):
            if tree[node][bit] is None:
                tree.append([None, None])
                tree[node][bit] = len(tree) - 1
            node = tree[node][bit]
        tree[node][int(bits[-1])] = ("record", encoded(record))
    data, places = b"", {}
    for pair in tree:
        for entry in pair:
            if isinstance(entry, tuple) and entry[1] not in places:
                places[entry[1]] = len(data)
                data += entry[1]

    def pointer(entry):
        if entry is None:
            return len(tree)
        return entry if isinstance(entry, int) else len(tree) + 16 + places[entry[1]]

    nodes = b"".join(struct.pack(">I", pointer(entry))[1:] for pair in tree for entry in pair)
    about = {
        "node_count": (6, len(tree)), "record_size": (5, BITS), "ip_version": (5, ip_version), "database_type": "Test-Country",
        "languages": ["en"], "binary_format_major_version": (5, 2), "binary_format_minor_version": (5, 0),
        "build_epoch": (9, 1_790_000_000), "description": {"en": "a few networks"},
    }  # fmt: skip
    return nodes + b"\0" * 16 + data + MARK + encoded(about)
