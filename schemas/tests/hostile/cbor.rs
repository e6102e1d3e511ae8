//! A walk over CBOR, to spell the same or the like in every other way.

/// An item of a CBOR text.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where its head begins.
    pub at: usize,
    /// Where what it holds begins.
    pub body: usize,
    /// Where it ends.
    pub end: usize,
    /// Major type.
    pub major: u8,
    /// Value or length of the head.
    pub value: u64,
    /// Items directly in it; keys and values of a map by turns.
    pub children: Vec<Item>,
}

/// Reads the item at a place of well-formed CBOR.
pub fn item(bytes: &[u8], at: usize) -> Item {
    let (major, short) = (bytes[at] >> 5, bytes[at] & 31);
    let width = match short {
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => 0,
    };
    let body = at + 1 + width;
    let wide = bytes[at + 1..body]
        .iter()
        .fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
    let value = if width == 0 { u64::from(short) } else { wide };
    let count = match major {
        4 => value,
        5 => value * 2,
        6 => 1,
        _ => 0,
    };
    let mut end = body;
    if major == 2 || major == 3 {
        end += usize::try_from(value).unwrap();
    }
    let mut children = Vec::new();
    for _ in 0..count {
        let child = item(bytes, end);
        end = child.end;
        children.push(child);
    }
    Item {
        at,
        body,
        end,
        major,
        value,
        children,
    }
}

/// The item and everything in it.
pub fn all(item: &Item) -> Vec<Item> {
    let mut found = vec![item.clone()];
    for child in &item.children {
        found.extend(all(child));
    }
    found
}

/// A head of this width in bytes, shortest or not.
pub fn head(major: u8, value: u64, width: usize) -> Vec<u8> {
    let first = match width {
        0 => u8::try_from(value).unwrap(),
        1 => 24,
        2 => 25,
        4 => 26,
        _ => 27,
    };
    let mut bytes = vec![major << 5 | first];
    bytes.extend(&value.to_be_bytes()[8 - width..]);
    bytes
}

fn replaced(bytes: &[u8], from: usize, to: usize, with: &[u8]) -> Vec<u8> {
    [&bytes[..from], with, &bytes[to..]].concat()
}

/// Every breach of RFC 8949 section 4.2.1, and of what the formats narrow it to, at every item of
/// `bytes` from `start` on.
pub fn breaches(bytes: &[u8], start: usize) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for item in all(&item(bytes, start)) {
        longer_heads(bytes, &item, &mut found);
        indefinite(bytes, &item, &mut found);
        other_types(bytes, &item, &mut found);
        if item.major == 5 {
            keys(bytes, &item, &mut found);
        }
    }
    found
}

type Found = Vec<(String, Vec<u8>)>;

fn longer_heads(bytes: &[u8], item: &Item, found: &mut Found) {
    for width in [1, 2, 4, 8] {
        if width > item.body - item.at - 1 {
            let with = head(item.major, item.value, width);
            let how = format!("a head of {width} bytes at {}", item.at);
            found.push((how, replaced(bytes, item.at, item.body, &with)));
        }
    }
    // Additional information 28 to 30 is reserved.
    for short in 28..31 {
        let with = [item.major << 5 | short];
        found.push((
            format!("a reserved head at {}", item.at),
            replaced(bytes, item.at, item.body, &with),
        ));
    }
}

fn indefinite(bytes: &[u8], item: &Item, found: &mut Found) {
    let body = &bytes[item.body..item.end];
    let chunks = match item.major {
        // A string of indefinite length holds strings.
        2 | 3 => replaced(
            body,
            0,
            0,
            &head(
                item.major,
                body.len() as u64,
                if body.len() > 255 { 2 } else { 1 },
            ),
        ),
        4 | 5 => body.to_vec(),
        _ => return,
    };
    let with = [&[item.major << 5 | 31], &*chunks, &[0xff]].concat();
    found.push((
        format!("an indefinite length at {}", item.at),
        replaced(bytes, item.at, item.end, &with),
    ));
}

fn other_types(bytes: &[u8], item: &Item, found: &mut Found) {
    let original = &bytes[item.at..item.end];
    let tagged = [&[0xc1], original].concat();
    for (how, with) in [
        ("null", &[0xf6][..]),
        ("undefined", &[0xf7]),
        ("true", &[0xf5]),
        ("a simple value", &[0xf8, 0xff]),
        ("a half float", &[0xf9, 0x3c, 0]),
        ("a float", &[0xfa, 0x3f, 0x80, 0, 0]),
        ("a double", &[0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
        ("a break", &[0xff]),
        ("a bignum", &[0xc2, 0x41, 1]),
        (
            "a negative",
            &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        (
            "the largest integer",
            &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        ("2^53", &[0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0]),
        ("a tag", &tagged),
        ("nothing", &[]),
    ] {
        found.push((
            format!("{how} at {}", item.at),
            replaced(bytes, item.at, item.end, with),
        ));
    }
}

fn keys(bytes: &[u8], map: &Item, found: &mut Found) {
    let pairs: Vec<&[u8]> = map
        .children
        .chunks(2)
        .map(|pair| &bytes[pair[0].at..pair[1].end])
        .collect();
    let mut put = |how: &str, at: usize, pairs: Vec<&[u8]>| {
        let head = head(5, pairs.len() as u64, usize::from(pairs.len() > 23));
        let with = [head, pairs.concat()].concat();
        let how = format!("{how} at pair {at} of the map at {}", map.at);
        found.push((how, replaced(bytes, map.at, map.end, &with)));
    };
    for at in 0..pairs.len() {
        let mut twice = pairs.clone();
        twice.insert(at, pairs[at]);
        put("a key twice", at, twice);
        if at > 0 {
            let mut swapped = pairs.clone();
            swapped.swap(at - 1, at);
            put("keys not in order", at, swapped);
        }
        // A text for a key that is a number.
        let text = [&[0x61, b'0'], &pairs[at][1..]].concat();
        let mut named = pairs.clone();
        named[at] = &text;
        put("a text for a key", at, named);
    }
    for unknown in [&[0x17, 0][..], &[0x18, 0x18, 0], &[0x20, 0]] {
        put(
            "an unknown key",
            pairs.len(),
            [&pairs[..], &[unknown]].concat(),
        );
    }
}
