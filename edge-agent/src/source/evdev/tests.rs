//! Bytes as a scanner of the USB HID keyboard kind leaves them in `/dev/input/event*`: for each key
//! its scan code (`EV_MSC`), the key, a synchronisation; down and up.

use super::*;

const EV_MSC: u16 = 4;

/// What a scanner plays, event by event.
struct Player {
    bytes: Vec<u8>,
    micros: u64,
}

impl Player {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            micros: 1_795_000_000_000_000,
        }
    }

    fn event(&mut self, kind: u16, code: u16, value: i32) {
        let seconds = usize::try_from(self.micros / 1_000_000).expect("fits");
        let micros = usize::try_from(self.micros % 1_000_000).expect("fits");
        self.bytes.extend(seconds.to_ne_bytes());
        self.bytes.extend(micros.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(code.to_ne_bytes());
        self.bytes.extend(value.to_ne_bytes());
    }

    fn key(&mut self, code: u16, value: i32) {
        self.event(EV_MSC, 4, 0x0007_0000 + i32::from(code));
        self.event(EV_KEY, code, value);
        self.event(EV_SYN, 0, 0);
        self.micros += 2_000;
    }

    fn press(&mut self, code: u16) {
        self.key(code, 1);
        self.key(code, 0);
    }

    fn with(&mut self, modifier: u16, codes: &[u16]) {
        self.key(modifier, 1);
        codes.iter().for_each(|&code| self.press(code));
        self.key(modifier, 0);
    }

    fn text(&mut self, text: &str) {
        for byte in text.bytes() {
            let found = ROWS.iter().find_map(|(first, plain, shifted)| {
                let at = |row: &[u8]| row.iter().position(|&one| one == byte);
                let code = |index: usize| first + u16::try_from(index).expect("small");
                at(plain)
                    .map(|index| (code(index), false))
                    .or_else(|| at(shifted).map(|index| (code(index), true)))
            });
            match found.expect("a key") {
                (code, false) => self.press(code),
                (code, true) => self.with(42, &[code]),
            }
        }
    }
}

fn codes(keys: &mut Keys, bytes: &[u8]) -> Vec<Result<String, String>> {
    keys.push(bytes)
        .into_iter()
        .map(|typed| match typed.code {
            Ok(bytes) => Ok(String::from_utf8(bytes).expect("text")),
            Err((reason, _)) => Err(reason),
        })
        .collect()
}

#[test]
fn what_a_scanner_types_is_read_with_its_group_separators() {
    let mut player = Player::new();
    player.text("]C1010952100100001710Lot-1");
    player.with(29, &[27]); // Ctrl+]
    player.text("21S1");
    player.press(ENTER);
    player.text("https://id.gs1.org/01/09521001000017/21/S%2F1?17=271231");
    player.press(PAD_ENTER);
    player.text("1");
    player.with(56, &[82, 80, 73]); // Alt+029
    player.text("2");
    player.press(TAB);
    let expected = [
        "]C1010952100100001710Lot-1\u{1d}21S1",
        "https://id.gs1.org/01/09521001000017/21/S%2F1?17=271231",
        "1\u{1d}2",
    ];
    let mut keys = Keys::default();
    assert_eq!(
        codes(&mut keys, &player.bytes),
        expected.map(|one| Ok(one.to_owned()))
    );
    // However the bytes are cut.
    for size in [1, 7, 23, 25, 1000] {
        let mut keys = Keys::default();
        let (mut found, mut used) = (Vec::new(), 0);
        for part in player.bytes.chunks(size) {
            for typed in keys.push(part) {
                used += typed.used;
                found.push(String::from_utf8(typed.code.expect("good")).expect("text"));
            }
        }
        assert_eq!(found, expected, "{size}");
        // What follows the last Enter: its own synchronisation and its release.
        assert_eq!(player.bytes.len() as u64 - used, 4 * EVENT_SIZE as u64);
    }
}

#[test]
fn a_code_that_lost_keys_is_none_and_the_next_is_whole() {
    let mut player = Player::new();
    player.text("9521001");
    player.event(EV_SYN, SYN_DROPPED, 0);
    player.text("000017");
    player.press(ENTER);
    player.text("95210");
    player.micros += 5_000_000;
    player.text("9521001000017");
    player.press(ENTER);
    player.press(59); // F1
    player.press(ENTER);
    player.with(56, &[80, 80, 80, 80]);
    player.press(ENTER);
    let mut keys = Keys::default();
    assert_eq!(
        codes(&mut keys, &player.bytes),
        [
            Err("the kernel has dropped keys of it".to_owned()),
            Err("has no end".to_owned()),
            Ok("9521001000017".to_owned()),
            Err("key 59 has no character".to_owned()),
            Err("Alt+2222 is no character".to_owned()),
        ]
    );
}

#[test]
fn held_keys_and_locks_are_understood() {
    let mut player = Player::new();
    player.press(CAPS_LOCK);
    player.press(30);
    player.with(54, &[30]);
    player.press(CAPS_LOCK);
    player.key(31, 1);
    player.key(31, 2);
    player.key(31, 0);
    player.press(ENTER);
    assert_eq!(
        codes(&mut Keys::default(), &player.bytes),
        [Ok("Aas".to_owned())]
    );
}

proptest::proptest! {
    #[test]
    fn whatever_bytes_come_nothing_breaks_and_memory_is_bounded(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..4096),
    ) {
        let mut keys = Keys::default();
        for typed in keys.push(&bytes) {
            assert!(typed.bytes().len() <= super::super::scanner::split::CODE_MAX);
        }
        assert!(keys.partial.len() < EVENT_SIZE);
    }
}
