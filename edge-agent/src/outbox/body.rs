//! How an event's bytes stand in the outbox: packed, since an SD card wears out by what is written,
//! and two thirds of an event are words that every event has.
//!
//! The first byte tells the form. `{` is where an event begins: it stands there as it is. 1 is
//! followed by the length of the event (unsigned LEB128) and by sequences as in the LZ4 block format
//! (`lz4_Block_format.md`, lz4/lz4): they copy from what they have made already, before which the
//! list of words of that number stands (`body_words_1.txt`). Each event is packed by itself, so that
//! a damaged one costs no other and one that is thinned needs no other. What is signed is the event
//! as it was before and is again after.
//!
//! Another list of words is another number; that of a number never changes.

use std::sync::LazyLock;

use schemas::event::EVENT_MAX;

/// First byte of what is packed with [`WORDS_1`].
const PACKED_1: u8 = 1;
/// What events of this program are made of.
const WORDS_1: &[u8] = include_bytes!("body_words_1.txt");
/// Shortest copy that a sequence can say.
const COPY_MIN: usize = 4;
/// A length that does not fit into its half of a token goes on in further bytes.
const HALF_MAX: usize = 15;
/// Places that the packer remembers, by what is there.
const PLACES: usize = 4_096;
/// Longest event that is packed: a place is told in 16 bits.
const PACK_MAX: usize = 48 * 1024;

/// Where four bytes were seen last, by their hash: one more than their place, 0 for never.
type Places = [u16; PLACES];

/// The places of the words.
static WORD_PLACES: LazyLock<Box<Places>> = LazyLock::new(|| {
    let mut places = Box::new([0; PLACES]);
    for at in 0..WORDS_1.len().saturating_sub(COPY_MIN - 1) {
        note(&mut places, WORDS_1, at);
    }
    places
});

/// The form in which the outbox stores an event's bytes; never longer than they are.
#[must_use]
pub fn pack(event: &[u8]) -> Vec<u8> {
    if event.len() <= PACK_MAX && event.first() == Some(&b'{') {
        let packed = sequences(event);
        if packed.len() < event.len() {
            return packed;
        }
    }
    event.to_vec()
}

/// An event's bytes as they were; `None` where a disk has changed what was stored so that it is no
/// form of an event. At most [`EVENT_MAX`] bytes are made of a packed one.
#[must_use]
pub fn unpack(stored: Vec<u8>) -> Option<Vec<u8>> {
    match stored.first() {
        Some(&PACKED_1) => expand(&stored[1..]),
        Some(b'{') => Some(stored),
        _ => None,
    }
}

fn hash(four: [u8; COPY_MIN]) -> usize {
    // Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
    let mixed = u32::from_le_bytes(four).wrapping_mul(2_654_435_769);
    (mixed >> (u32::BITS - PLACES.trailing_zeros())) as usize
}

fn four(text: &[u8], at: usize) -> Option<[u8; COPY_MIN]> {
    text.get(at..at + COPY_MIN)?.try_into().ok()
}

/// Remembers a place; where there was one like it before.
fn note(places: &mut Places, text: &[u8], at: usize) -> Option<usize> {
    let four = four(text, at)?;
    let place = &mut places[hash(four)];
    let before = usize::from(*place).checked_sub(1);
    *place = u16::try_from(at + 1).unwrap_or(0);
    before.filter(|before| self::four(text, *before) == Some(four))
}

fn sequences(event: &[u8]) -> Vec<u8> {
    let text = [WORDS_1, event].concat();
    let mut places = **WORD_PLACES;
    let mut packed = Vec::with_capacity(event.len() / 2);
    packed.push(PACKED_1);
    put_number(&mut packed, event.len());
    let (mut at, mut said) = (WORDS_1.len(), WORDS_1.len());
    while at < text.len() {
        let Some(from) = note(&mut places, &text, at) else {
            at += 1;
            continue;
        };
        let alike = |(one, other): &(&u8, &u8)| one == other;
        let length = text[from..].iter().zip(&text[at..]).take_while(alike);
        let length = length.count();
        put_sequence(&mut packed, &text[said..at], Some((at - from, length)));
        for within in at + 1..at + length {
            note(&mut places, &text, within);
        }
        at += length;
        said = at;
    }
    put_sequence(&mut packed, &text[said..], None);
    packed
}

/// Bytes as they are, and then a copy of so many bytes from so far back.
fn put_sequence(packed: &mut Vec<u8>, plain: &[u8], copy: Option<(usize, usize)>) {
    let beyond = copy.map_or(0, |(_, length)| length - COPY_MIN);
    let halves = (plain.len().min(HALF_MAX), beyond.min(HALF_MAX));
    // Both are at most 15.
    packed.push((halves.0 << 4 | halves.1) as u8);
    put_rest(packed, plain.len());
    packed.extend_from_slice(plain);
    if let Some((back, _)) = copy {
        packed.extend_from_slice(&u16::try_from(back).unwrap_or(0).to_le_bytes());
        put_rest(packed, beyond);
    }
}

fn put_rest(packed: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(HALF_MAX) else {
        return;
    };
    while rest >= 255 {
        packed.push(255);
        rest -= 255;
    }
    packed.push(rest as u8);
}

fn put_number(packed: &mut Vec<u8>, mut number: usize) {
    while number >= 128 {
        packed.push(128 | (number & 127) as u8);
        number >>= 7;
    }
    packed.push(number as u8);
}

/// What is left of something packed.
struct Rest<'p>(&'p [u8]);

impl<'p> Rest<'p> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, count: usize) -> Option<&'p [u8]> {
        let (first, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(first)
    }

    /// At most three bytes: more than any event has.
    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for place in 0..3 {
            let byte = self.byte()?;
            number |= usize::from(byte & 127) << (7 * place);
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }

    /// A length that began in half a token.
    fn length(&mut self, half: u8) -> Option<usize> {
        let mut length = usize::from(half);
        if length < HALF_MAX {
            return Some(length);
        }
        loop {
            let byte = self.byte()?;
            length += usize::from(byte);
            if byte < 255 {
                return (length <= EVENT_MAX).then_some(length);
            }
        }
    }
}

fn expand(packed: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Rest(packed);
    let length = rest.number().filter(|length| *length <= EVENT_MAX)?;
    let end = WORDS_1.len() + length;
    let mut text = Vec::with_capacity(end);
    text.extend_from_slice(WORDS_1);
    while !rest.0.is_empty() {
        let token = rest.byte()?;
        let plain = rest.length(token >> 4)?;
        text.extend_from_slice(rest.bytes(plain)?);
        if rest.0.is_empty() {
            break;
        }
        let back = rest.bytes(2)?.try_into().ok().map(u16::from_le_bytes)?;
        let count = rest.length(token & 15)? + COPY_MIN;
        let from = text
            .len()
            .checked_sub(usize::from(back))
            .filter(|_| back > 0)?;
        if text.len() + count > end {
            return None;
        }
        // Byte by byte: a copy may reach into itself.
        for at in from..from + count {
            text.push(text[at]);
        }
    }
    (text.len() == end).then(|| text.split_off(WORDS_1.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCAN: &str = r#"{"@context":["https://ref.gs1.org/standards/epcis/epcis-context.jsonld",{"tb":"https://ns.tracebond.example/epcis/"}],"type":"ObjectEvent","eventTime":"2026-11-23T06:20:30.086819Z","eventTimeZoneOffset":"+00:00","action":"OBSERVE","bizStep":"inspecting","disposition":"conformant","readPoint":{"id":"https://id.gs1.org/414/9521001000000/254/COLD"},"epcList":["https://id.gs1.org/01/09521001000017/21/L63030-0","https://id.gs1.org/01/09521001000017/21/L63030-1","https://id.gs1.org/01/09521001000017/21/L63030-2","https://id.gs1.org/01/09521001000017/21/L63030-3"]}"#;

    fn again(event: &[u8]) -> Option<Vec<u8>> {
        unpack(pack(event))
    }

    #[test]
    fn an_event_of_this_program_takes_a_quarter() {
        let packed = pack(SCAN.as_bytes());
        assert_eq!(packed[0], PACKED_1);
        assert!(packed.len() * 4 <= SCAN.len(), "{} bytes", packed.len());
        assert_eq!(again(SCAN.as_bytes()).as_deref(), Some(SCAN.as_bytes()));
    }

    #[test]
    fn the_words_of_a_number_never_change() {
        let hash = schemas::hash::sha256(WORDS_1).to_string();
        assert_eq!(
            hash,
            "86fc8edb2bd9a89a00290ff7dbaab4fc87fd72e6be481079d351200b13fe6d82"
        );
    }

    #[test]
    fn what_an_outbox_of_before_holds_is_read_as_it_is() {
        assert_eq!(unpack(b"{}".to_vec()).as_deref(), Some(&b"{}"[..]));
        assert_eq!(unpack(Vec::new()), None);
        assert_eq!(unpack(vec![0; 9]), None);
    }

    #[test]
    fn the_longest_events_come_back() {
        let long = |byte: &str, count| format!("{{\"x\":\"{}\"}}", byte.repeat(count));
        for count in [14, 15, 16, 269, 270, 271, PACK_MAX - 8, EVENT_MAX - 8] {
            for event in [
                long("a", count),
                long("", 0) + &SCAN.repeat(count / SCAN.len()),
            ] {
                assert_eq!(again(event.as_bytes()), Some(event.into_bytes()), "{count}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_event_comes_back_and_is_never_longer(text in "\\{[a-c\":]{0,400}\\}") {
            let packed = pack(text.as_bytes());
            prop_assert!(packed.len() <= text.len());
            prop_assert_eq!(unpack(packed), Some(text.into_bytes()));
        }

        #[test]
        fn no_bytes_of_a_damaged_disk_are_a_panic_or_too_much(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let stored = [&[PACKED_1][..], &bytes].concat();
            prop_assert!(unpack(stored).is_none_or(|event| event.len() <= EVENT_MAX));
        }

        #[test]
        fn a_flipped_bit_is_a_panic_nowhere(at in 0_usize..4_000) {
            let mut packed = pack(SCAN.as_bytes());
            let bit = at % (packed.len() * 8);
            packed[bit / 8] ^= 1 << (bit % 8);
            let _ = unpack(packed);
        }
    }
}
