//! Nesting: a parser that follows it down falls off its stack, so each stops at a named depth.

use super::{ALL, Read, refused};

/// Deep enough to end a thread of 2 MiB that follows it.
const DEEP: usize = 100_000;

#[test]
fn deep_json_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        for depth in [33, 129, DEEP] {
            let deep = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            for read in ALL {
                let text = match read {
                    Read::Event => format!("{{\"a\":{deep}}}"),
                    Read::Document => {
                        format!("{{\"@context\":[],\"type\":\"ObjectEvent\",\"a\":{deep}}}")
                    }
                    Read::Bundle => format!("{{\"tracebond\":\"bundle/v1\",\"policy\":{deep}}}"),
                    _ => deep.clone(),
                };
                // An event of a document is refused in its place, so the document itself may stand.
                if read != Read::Document || depth > 36 {
                    refused(read, text.as_bytes(), &format!("{depth} times {open}"));
                }
                refused(read, &text.as_bytes()[..text.len() / 2], "the half of it");
            }
        }
    }
}

#[test]
fn deep_cbor_is_refused() {
    for open in [
        &[0x81][..],
        &[0x9f],
        &[0xa1, 0],
        &[0xbf, 0],
        &[0xc1],
        &[0x82, 0x81],
        &[0xd8, 18],
    ] {
        for first in [
            &[][..],
            &[0x82],
            &[0xd2, 0x84],
            &[1],
            &[2],
            &[5],
            &[0xd2, 0x84, 0x41, 0xa1],
        ] {
            let deep = [first, &open.repeat(DEEP / open.len())].concat();
            for read in ALL {
                refused(read, &deep, "deep CBOR");
                refused(read, &deep[..200], "less deep CBOR");
            }
        }
    }
}

#[test]
fn an_event_at_the_allowed_depth_is_taken_and_one_below_it_is_not() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(super::refusal(Read::Event, nested(31).as_bytes()), None);
    let reason = refused(Read::Event, nested(32).as_bytes(), "32 below the event");
    assert!(reason.contains("32"), "{reason}");
}
