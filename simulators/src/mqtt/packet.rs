//! Packets of MQTT 5 (OASIS standard, section 3), those that a gateway sends and hears.

use anyhow::{Result, bail, ensure};

/// PINGREQ.
pub(super) const PING: [u8; 2] = [0xc0, 0];
/// Seconds for which the broker keeps what it could not deliver to a connection that was lost.
const SESSION_S: u32 = 3_600;

/// What a broker sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// Reason code.
    ConnAck(u8),
    /// Reason code of the one subscription.
    SubAck(u8),
    /// Reason code.
    PubAck(u8),
    /// A message; the id is there at QoS 1.
    Publish { id: Option<u16>, payload: Vec<u8> },
    /// Reason code.
    Disconnect(u8),
    /// The answer to a ping.
    Pong,
}

/// CONNECT with the user name as client id, going on with a session that is there.
pub(super) fn connect(username: &str, password: &str, keep_alive: u16) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    // Version 5; user name and password.
    body.extend([5, 0xc0]);
    body.extend(keep_alive.to_be_bytes());
    // Property 0x11: session expiry interval.
    body.extend([5, 0x11]);
    body.extend(SESSION_S.to_be_bytes());
    text(&mut body, username);
    text(&mut body, username);
    text(&mut body, password);
    packet(0x10, &body)
}

/// SUBSCRIBE at QoS 1.
pub(super) fn subscribe(id: u16, topic: &str) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.push(0);
    text(&mut body, topic);
    body.push(1);
    packet(0x82, &body)
}

/// A PUBLISH at QoS 1 up to its payload.
pub(super) fn publish(topic: &str, id: u16, payload: usize) -> Vec<u8> {
    let mut head = vec![0x32];
    number(&mut head, 2 + topic.len() + 2 + 1 + payload);
    text(&mut head, topic);
    head.extend(id.to_be_bytes());
    head.push(0);
    head
}

/// PUBACK.
pub(super) fn puback(id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [0x40, 2, high, low]
}

/// The first packet of some bytes and its length; `None` while it is not all there.
///
/// # Errors
/// When it is longer than `most` or none that a broker sends.
pub(super) fn read(bytes: &[u8], most: usize) -> Result<Option<(Incoming, usize)>> {
    let Some((&kind, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some((length, digits)) = read_number(rest)? else {
        return Ok(None);
    };
    ensure!(length <= most, "a packet of {length} bytes");
    let Some(body) = rest.get(digits..digits + length) else {
        return Ok(None);
    };
    Ok(Some((incoming(kind, body)?, 1 + digits + length)))
}

fn incoming(kind: u8, body: &[u8]) -> Result<Incoming> {
    // A reason code that is left out is 0.
    let code = |at: usize| body.get(at).copied().unwrap_or(0);
    Ok(match kind >> 4 {
        2 => Incoming::ConnAck(code(1)),
        3 => message(kind, body)?,
        4 => Incoming::PubAck(code(2)),
        9 => Incoming::SubAck(body.last().copied().unwrap_or(0x80)),
        13 => Incoming::Pong,
        14 => Incoming::Disconnect(code(0)),
        other => bail!("a packet of type {other}"),
    })
}

fn message(kind: u8, body: &[u8]) -> Result<Incoming> {
    let cut = || anyhow::anyhow!("a message is cut");
    let (topic, rest) = body.split_first_chunk::<2>().ok_or_else(cut)?;
    let rest = rest
        .get(usize::from(u16::from_be_bytes(*topic))..)
        .ok_or_else(cut)?;
    let (id, rest) = if kind & 0x06 == 0 {
        (None, rest)
    } else {
        let (id, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        (Some(u16::from_be_bytes(*id)), rest)
    };
    let (properties, digits) = read_number(rest)?.ok_or_else(cut)?;
    let payload = rest.get(digits + properties..).ok_or_else(cut)?.to_vec();
    Ok(Incoming::Publish { id, payload })
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    number(&mut bytes, body.len());
    bytes.extend_from_slice(body);
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
}

/// A variable byte integer (section 1.5.5).
fn number(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let digit = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(digit);
            return;
        }
        bytes.push(digit | 0x80);
    }
}

/// Such an integer and how many bytes it takes; `None` while it is not all there.
fn read_number(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((value, place + 1)));
        }
    }
    ensure!(bytes.len() < 4, "a length of more than four bytes");
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Incoming {
        let (packet, length) = read(bytes, 1_000).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        packet
    }

    #[test]
    fn a_publication_is_read_as_it_was_written_and_not_before_it_is_whole() {
        let payload = [7; 300];
        let bytes = [publish("a/b", 513, payload.len()), payload.to_vec()].concat();
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end], 1_000).unwrap(), None, "{end}");
        }
        let id = Some(513);
        let payload = payload.to_vec();
        assert_eq!(whole(&bytes), Incoming::Publish { id, payload });
        assert!(read(&bytes, 100).is_err());
    }

    #[test]
    fn answers_of_a_broker_are_told_apart() {
        assert_eq!(whole(&[0x20, 3, 0, 0x87, 0]), Incoming::ConnAck(0x87));
        assert_eq!(whole(&[0x90, 4, 0, 1, 0, 1]), Incoming::SubAck(1));
        assert_eq!(whole(&[0x40, 2, 0, 9]), Incoming::PubAck(0));
        assert_eq!(whole(&[0x40, 4, 0, 9, 0x97, 0]), Incoming::PubAck(0x97));
        assert_eq!(whole(&[0xd0, 0]), Incoming::Pong);
        assert_eq!(whole(&[0xe0, 1, 0x8e]), Incoming::Disconnect(0x8e));
        assert!(read(&[0x10, 0], 1_000).is_err());
        assert!(read(&[0x30, 0xff, 0xff, 0xff, 0xff], 1_000).is_err());
    }

    #[test]
    fn a_connect_packet_is_what_the_standard_says() {
        let bytes = connect("o/d", "pw", 60);
        let expected =
            b"\x10\x1e\0\x04MQTT\x05\xc0\0\x3c\x05\x11\0\0\x0e\x10\0\x03o/d\0\x03o/d\0\x02pw";
        assert_eq!(bytes, expected);
    }
}
