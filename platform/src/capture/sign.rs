//! Statements of a capture device over what it may declare.

use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::merkle;
use schemas::statement::{
    CLOSE_BYTES, CLOSE_EVENTS, ClockState, Message, Payload, Position, Statement, WireEvent,
};

use super::judge::Fit;
use super::{CaptureError, Ground};
use crate::ingest::check;
use crate::store::NewStatement;
use crate::store::captures::{CapturedEvent, ChainMove};

/// What a capture adds to its device's chain.
#[derive(Debug, Default)]
pub(super) struct Signed {
    pub(super) chain: Option<ChainMove>,
    pub(super) statements: Vec<NewStatement>,
    pub(super) places: Vec<CapturedEvent>,
}

/// Program and caller, as every statement of a capture names them.
fn agent(organisation: &Slug) -> String {
    format!("platform/{} for {organisation}", env!("CARGO_PKG_VERSION"))
}

/// Signs events into statements that go on from `chain`, and checks them as ingest does.
pub(super) fn sign(
    ground: &Ground<'_>,
    chain: Option<(Position, Hash)>,
    fit: &[Fit<'_>],
) -> Result<Signed, CaptureError> {
    let mut signed = Signed::default();
    let mut last = chain;
    for group in groups(fit) {
        let statement = one(ground, last, group)?;
        let (id, position) = (statement.id, statement.position);
        let place = |(at, (place, _)): (usize, &Fit<'_>)| CapturedEvent {
            place: *place,
            statement: id,
            position: at as u64,
        };
        signed.places.extend(group.iter().enumerate().map(place));
        signed.statements.push(statement);
        signed.chain = Some(ChainMove {
            device: ground.caller.address.clone(),
            before: chain.map(|(_, id)| id),
            position,
            id,
        });
        last = Some((position, id));
    }
    Ok(signed)
}

/// At most 64 events and 48 KiB each; a longer event alone.
fn groups<'f, 'd>(fit: &'f [Fit<'d>]) -> Vec<&'f [Fit<'d>]> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, (_, event)) in fit.iter().enumerate() {
        let length = event.bytes().len();
        if at > start && (at - start == CLOSE_EVENTS || bytes + length > CLOSE_BYTES) {
            groups.push(&fit[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += length;
    }
    if start < fit.len() {
        groups.push(&fit[start..]);
    }
    groups
}

fn one(
    ground: &Ground<'_>,
    last: Option<(Position, Hash)>,
    group: &[Fit<'_>],
) -> Result<NewStatement, CaptureError> {
    let events = group
        .iter()
        .map(|(_, event)| wire(event))
        .collect::<Result<Vec<_>, _>>()?;
    let leaves: Vec<Hash> = events.iter().map(WireEvent::leaf).collect();
    let first = Position { epoch: 0, seq: 0 };
    let next = |(at, id): (Position, Hash)| {
        let seq = at.seq + 1;
        (Position { seq, ..at }, id)
    };
    let (position, prev) = last.map_or((first, Hash::ZERO), next);
    let payload = Payload {
        log: ground.log,
        device: ground.caller.address.clone(),
        position,
        prev,
        made: ground.now,
        clock: ClockState::Synced,
        seen: None,
        agent: agent(&ground.caller.section.organisation),
        count: leaves.len() as u64,
        root: merkle::root(&leaves).unwrap_or(Hash::ZERO),
        note: None,
    };
    let statement = Statement::sign(&ground.caller.device.key, payload);
    let bytes = Message { statement, events }.encode();
    checked(ground, &bytes)
}

fn wire(event: &Event) -> Result<WireEvent, CaptureError> {
    Ok(WireEvent {
        source: Source::Declared,
        salt: Salt::random()?,
        event: event.clone(),
    })
}

/// The checks of every statement. What was judged fit passes them; if not, nothing is kept.
fn checked(ground: &Ground<'_>, bytes: &[u8]) -> Result<NewStatement, CaptureError> {
    let sender = Some(&ground.caller.address);
    let statement = check::check(bytes, sender, &ground.log, ground.snapshot, ground.now)
        .map_err(|rejection| CaptureError::Inconsistent(rejection.detail))?;
    match statement
        .events
        .iter()
        .find_map(|event| event.refused.clone())
    {
        None => Ok(statement),
        Some(code) => Err(CaptureError::Inconsistent(code)),
    }
}
