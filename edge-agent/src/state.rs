//! What may be going on, in one list: every state that the agent can be in, how bad it is, what it
//! is called, what to do about it and how a light shows it. Status page, `doctor`, logs, metrics and
//! the light all speak from here, so that they cannot contradict each other.
//!
//! [`states`] reads them from a [`Status`]; the worst one comes first. What only a check from outside
//! can see (no DNS, a certificate near its end) is `doctor`'s to say.

mod words;

use schemas::statement::ClockState;
use serde::{Serialize, Serializer};

use crate::status::{Status, Trouble};

/// A share of the outbox's quota, in per cent, from which it counts as filling.
pub const FILLING_PERCENT: u64 = 80;
/// Statements that wait for a receipt while connected, from which the agent is catching up.
pub const CATCHING_UP: u64 = 64;

/// What is going on. The order is that of urgency: what a person should look at first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Another agent speaks with this device's key.
    CopiedKey,
    /// A witnessed checkpoint contradicts what another gateway has seen.
    OtherLog,
    /// The outbox takes nothing more.
    OutboxFull,
    /// The outbox cannot write for another reason.
    OutboxFails,
    /// The disk has changed what it kept; what was whole was said again.
    OutboxDamaged,
    /// The broker refuses this device's log-in.
    RefusedByBroker,
    /// The server's certificate is not of the platform's CA, or out of its time.
    CertificateRefused,
    /// The broker refuses this device's topics.
    TopicRefused,
    /// The broker takes smaller messages, or fewer, than a device may send.
    BrokerLimit,
    /// A statement is not anchored by the deadline that the platform signed.
    AnchorLate,
    /// Something that came as the platform's word does not verify.
    Unverified,
    /// A source gives no usable readings.
    SensorFault,
    /// Much of the outbox's room is taken.
    OutboxFilling,
    /// Connected, and no receipt comes.
    PlatformSilent,
    /// The next key has been asked for, and nobody says yes or no: nothing is signed meanwhile.
    KeyChangeWaits,
    /// The device does not know the time.
    ClockUnknown,
    /// The broker asks to come later.
    BrokerBusy,
    /// Nothing answers at the platform's address.
    WaitingForNetwork,
    /// Connected by another address than the first one.
    OtherAddress,
    /// Sending what was kept while there was no connection.
    CatchingUp,
    /// The agent begins.
    Starting,
    /// The agent ends: what is open is closed and stored.
    Stopping,
    /// All is well.
    Running,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to do.
    Fine,
    /// It heals by itself, or costs nothing yet.
    Warning,
    /// A person must act.
    Bad,
}

/// A language that the agent speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// zh-CN.
    Chinese,
    /// English.
    English,
}

/// A sentence in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// zh-CN.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

impl Text {
    /// In one of them.
    #[must_use]
    pub const fn get(self, language: Language) -> &'static str {
        match language {
            Language::Chinese => self.zh,
            Language::English => self.en,
        }
    }
}

impl State {
    /// Every state, the most urgent first.
    pub const ALL: [Self; 23] = [
        Self::CopiedKey,
        Self::OtherLog,
        Self::OutboxFull,
        Self::OutboxFails,
        Self::OutboxDamaged,
        Self::RefusedByBroker,
        Self::CertificateRefused,
        Self::TopicRefused,
        Self::BrokerLimit,
        Self::AnchorLate,
        Self::Unverified,
        Self::SensorFault,
        Self::OutboxFilling,
        Self::PlatformSilent,
        Self::KeyChangeWaits,
        Self::ClockUnknown,
        Self::BrokerBusy,
        Self::WaitingForNetwork,
        Self::OtherAddress,
        Self::CatchingUp,
        Self::Starting,
        Self::Stopping,
        Self::Running,
    ];

    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::CopiedKey
            | Self::OtherLog
            | Self::OutboxFull
            | Self::OutboxFails
            | Self::OutboxDamaged
            | Self::RefusedByBroker
            | Self::CertificateRefused
            | Self::TopicRefused
            | Self::BrokerLimit
            | Self::AnchorLate
            | Self::Unverified => Severity::Bad,
            Self::SensorFault
            | Self::OutboxFilling
            | Self::PlatformSilent
            | Self::KeyChangeWaits
            | Self::ClockUnknown
            | Self::BrokerBusy
            | Self::WaitingForNetwork
            | Self::OtherAddress => Severity::Warning,
            Self::CatchingUp | Self::Starting | Self::Stopping | Self::Running => Severity::Fine,
        }
    }

    /// Name in JSON, metrics and logs: `clock-unknown`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::CopiedKey => "copied-key",
            Self::OtherLog => "other-log",
            Self::OutboxFull => "outbox-full",
            Self::OutboxFails => "outbox-fails",
            Self::OutboxDamaged => "outbox-damaged",
            Self::RefusedByBroker => "refused-by-broker",
            Self::CertificateRefused => "certificate-refused",
            Self::TopicRefused => "topic-refused",
            Self::BrokerLimit => "broker-limit",
            Self::AnchorLate => "anchor-late",
            Self::Unverified => "unverified",
            Self::SensorFault => "sensor-fault",
            Self::OutboxFilling => "outbox-filling",
            Self::PlatformSilent => "platform-silent",
            Self::KeyChangeWaits => "key-change-waits",
            Self::ClockUnknown => "clock-unknown",
            Self::BrokerBusy => "broker-busy",
            Self::WaitingForNetwork => "waiting-for-network",
            Self::OtherAddress => "other-address",
            Self::CatchingUp => "catching-up",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Running => "running",
        }
    }

    /// One sentence that says what is going on.
    #[must_use]
    pub const fn sentence(self) -> Text {
        words::sentence(self)
    }

    /// What to do about it, or why nothing needs to be done.
    #[must_use]
    pub const fn remedy(self) -> Text {
        words::remedy(self)
    }

    /// How a light shows it: milliseconds on and off in turn, repeated. An empty off is steady.
    #[must_use]
    pub const fn blink(self) -> &'static [u64] {
        match self {
            Self::Running => &[100, 2_900],
            Self::Starting | Self::Stopping => &[1_000, 1_000],
            Self::CatchingUp => &[100, 100, 100, 1_700],
            _ => match self.severity() {
                Severity::Bad => &[100, 100],
                Severity::Warning => &[500, 500],
                Severity::Fine => &[100, 2_900],
            },
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl From<Trouble> for State {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Network => Self::WaitingForNetwork,
            Trouble::Certificate => Self::CertificateRefused,
            Trouble::LogIn => Self::RefusedByBroker,
            Trouble::Topic => Self::TopicRefused,
            Trouble::Limit => Self::BrokerLimit,
            Trouble::Busy => Self::BrokerBusy,
            Trouble::TakenOver => Self::CopiedKey,
        }
    }
}

/// The states that a picture of the agent shows, the most urgent first; never empty.
#[must_use]
pub fn states(status: &Status) -> Vec<State> {
    let is_full = status.trouble.contains("full");
    let held = [
        (status.copied_key, State::CopiedKey),
        (status.other_logs > 0, State::OtherLog),
        (is_full, State::OutboxFull),
        (!is_full && !status.trouble.is_empty(), State::OutboxFails),
        (status.damages > 0, State::OutboxDamaged),
        (status.late > 0, State::AnchorLate),
        (status.unverified > 0, State::Unverified),
        (status.faulty_sources > 0, State::SensorFault),
        (status.fills(), State::OutboxFilling),
        (status.platform_silent, State::PlatformSilent),
        (status.rotation_waits, State::KeyChangeWaits),
        (status.clock == ClockState::Unknown, State::ClockUnknown),
        (status.link.is_second, State::OtherAddress),
        (
            status.connected && status.receipts_waiting >= CATCHING_UP,
            State::CatchingUp,
        ),
        (status.stopping, State::Stopping),
    ];
    let link = status.link.trouble.map(State::from);
    let begins = !status.connected && link.is_none();
    let held = held.into_iter().filter(|(holds, _)| *holds);
    let mut states: Vec<State> = held.map(|(_, state)| state).chain(link).collect();
    if begins && !status.stopping {
        states.push(State::Starting);
    }
    if states.is_empty() {
        states.push(State::Running);
    }
    states.sort_unstable();
    states.dedup();
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Link;

    #[test]
    fn every_state_has_its_name_and_its_words() {
        let words: std::collections::BTreeSet<_> = State::ALL.iter().map(|s| s.word()).collect();
        assert_eq!(words.len(), State::ALL.len());
        assert!(State::ALL.is_sorted(), "ALL is in order of urgency");
        for state in State::ALL {
            for text in [state.sentence(), state.remedy()] {
                assert!(text.en.ends_with('.') && !text.en.contains('!'), "{text:?}");
                assert!(
                    text.zh.ends_with('。') && !text.zh.contains('！'),
                    "{text:?}"
                );
                assert!(!text.zh.is_ascii() && text.en.is_ascii(), "{text:?}");
            }
            assert!(!state.blink().is_empty());
        }
    }

    #[test]
    fn the_worst_comes_first_and_nothing_is_hidden() {
        let well = Status {
            connected: true,
            ..Status::default()
        };
        assert_eq!(states(&well), [State::Running]);
        assert_eq!(states(&Status::default()), [State::Starting]);
        let ill = Status {
            trouble: "the outbox cannot write: database or disk is full".to_owned(),
            late: 2,
            alarms: 3,
            unverified: 1,
            clock: ClockState::Unknown,
            link: Link {
                trouble: Some(Trouble::LogIn),
                ..Link::default()
            },
            ..Status::default()
        };
        assert_eq!(
            states(&ill),
            [
                State::OutboxFull,
                State::RefusedByBroker,
                State::AnchorLate,
                State::Unverified,
                State::ClockUnknown,
            ]
        );
    }

    #[test]
    fn an_alarm_about_something_else_is_no_false_word_of_the_platform() {
        // Readings that make no valid event are an alarm too.
        let alarmed = Status {
            connected: true,
            alarms: 1,
            ..Status::default()
        };
        assert_eq!(states(&alarmed), [State::Running]);
        let lied_to = Status {
            unverified: 1,
            ..alarmed
        };
        assert_eq!(states(&lied_to), [State::Unverified]);
    }

    #[test]
    fn a_filling_outbox_is_seen_before_it_is_full() {
        let filled = |bytes| Status {
            connected: true,
            outbox_bytes: bytes,
            outbox_quota: Some(1_000),
            ..Status::default()
        };
        assert_eq!(states(&filled(799)), [State::Running]);
        assert_eq!(states(&filled(800)), [State::OutboxFilling]);
    }
}
