//! What a device of a load says: inspections with a temperature, 12 members and some 760 bytes each,
//! as an agent writes them.

use schemas::time::Instant;

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// When it happened.
    pub time: Instant,
    /// Number of the item.
    pub item: u64,
    /// Number of the event, which tells it from others.
    pub number: u64,
    /// Where.
    pub place: &'a str,
    /// Business step.
    pub step: &'a str,
}

/// The key of an item, as it is signed and stored.
#[must_use]
pub fn item(number: u64) -> String {
    format!("https://id.gs1.org/01/09521001000017/21/L{number}")
}

/// Bytes of an event.
#[must_use]
pub fn bytes(words: Words<'_>) -> Vec<u8> {
    let Words { place, step, .. } = words;
    let time = words.time.to_rfc3339();
    let item = item(words.item);
    let (whole, tenth) = (words.number % 8, words.number % 10);
    let text = format!(
        "{{\"@context\":[\"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld\",\
         {{\"tb\":\"https://ns.tracebond.example/epcis/\"}}],\
         \"type\":\"ObjectEvent\",\"eventTime\":\"{time}\",\"eventTimeZoneOffset\":\"+08:00\",\
         \"action\":\"OBSERVE\",\"bizStep\":\"{step}\",\"disposition\":\"conformant\",\
         \"readPoint\":{{\"id\":\"{place}\"}},\"bizLocation\":{{\"id\":\"{place}\"}},\
         \"epcList\":[\"{item}\"],\
         \"sensorElementList\":[{{\"sensorMetadata\":{{\"time\":\"{time}\",\
         \"deviceID\":\"https://id.gs1.org/8004/9521001PROBE{tenth}\"}},\
         \"sensorReport\":[{{\"type\":\"Temperature\",\"value\":{whole}.{tenth},\"uom\":\"CEL\"}}]}}],\
         \"tb:load\":{{\"number\":\"{number}\",\
         \"words\":\"an event of a load, said by one of many devices of one organisation\"}}}}",
        number = words.number,
    );
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::epcis;
    use schemas::event::Event;

    #[test]
    fn an_event_is_one_that_ingest_accepts() {
        let words = Words {
            time: Instant::from_micros(1_783_720_800_123_456),
            item: 17,
            number: 4_711,
            place: crate::fleet::PLACE,
            step: crate::fleet::STEP,
        };
        let bytes = bytes(words);
        let value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(epcis::first_violation(&value), None);
        let facts = epcis::EventFacts::read(&value).unwrap();
        let keys: Vec<&str> = facts.items.iter().map(|one| one.key.as_str()).collect();
        assert_eq!((facts.event_time, keys), (words.time, vec![&*item(17)]));
        let event = Event::parse(bytes).unwrap();
        let length = event.bytes().len();
        assert!((700..800).contains(&length), "{length} bytes");
        assert_eq!(event.members().count(), 12);
    }
}
