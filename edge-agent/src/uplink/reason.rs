//! What a broker's or a network's no means: one [`Trouble`] for each MQTT 5 reason code and each way
//! in which a connection can fail, the words of the other side, and how soon to come again.

use std::error::Error;

use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode, PubAckReason};
use rumqttc::v5::{ConnectionError, StateError};

use crate::status::Trouble;

/// Longest word of the other side that is kept, in characters.
const DETAIL_MAX: usize = 200;

/// How soon to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// By the usual back-off.
    Usual,
    /// After the longest wait: coming soon does harm.
    Late,
    /// At another address, if there is one.
    Elsewhere,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objection {
    pub trouble: Trouble,
    pub detail: String,
    pub again: Again,
}

impl Objection {
    pub fn new(trouble: Trouble, again: Again, detail: impl std::fmt::Display) -> Self {
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let detail = detail.to_string();
        let detail = detail.chars().take(DETAIL_MAX).map(clean).collect();
        Self {
            trouble,
            detail,
            again,
        }
    }
}

/// CONNACK (MQTT 5 section 3.2.2.2).
pub(crate) fn of_connack(code: ConnectReturnCode) -> Objection {
    use ConnectReturnCode as Code;
    let (trouble, again) = match code {
        Code::BadUserNamePassword
        | Code::NotAuthorized
        | Code::Banned
        | Code::BadClientId
        | Code::ClientIdentifierNotValid
        | Code::BadAuthenticationMethod => (Trouble::LogIn, Again::Usual),
        Code::ServerUnavailable
        | Code::ServiceUnavailable
        | Code::ServerBusy
        | Code::ConnectionRateExceeded => (Trouble::Busy, Again::Usual),
        Code::UseAnotherServer | Code::ServerMoved => (Trouble::Busy, Again::Elsewhere),
        Code::QuotaExceeded | Code::PacketTooLarge | Code::QoSNotSupported => {
            (Trouble::Limit, Again::Usual)
        }
        Code::TopicNameInvalid => (Trouble::Topic, Again::Usual),
        _ => (Trouble::Network, Again::Usual),
    };
    Objection::new(trouble, again, format_args!("CONNACK {code:?}"))
}

/// DISCONNECT (MQTT 5 section 3.14.2.1) with the broker's own words, if it has any.
pub(crate) fn of_disconnect(code: DisconnectReasonCode, words: Option<&str>) -> Objection {
    use DisconnectReasonCode as Code;
    let (trouble, again) = match code {
        Code::SessionTakenOver => (Trouble::TakenOver, Again::Late),
        Code::NotAuthorized | Code::AdministrativeAction => (Trouble::LogIn, Again::Usual),
        Code::UseAnotherServer | Code::ServerMoved => (Trouble::Busy, Again::Elsewhere),
        Code::ServerBusy | Code::ConnectionRateExceeded | Code::MessageRateTooHigh => {
            (Trouble::Busy, Again::Late)
        }
        Code::QuotaExceeded
        | Code::PacketTooLarge
        | Code::ReceiveMaximumExceeded
        | Code::QoSNotSupported => (Trouble::Limit, Again::Late),
        Code::TopicFilterInvalid | Code::TopicNameInvalid => (Trouble::Topic, Again::Usual),
        _ => (Trouble::Network, Again::Usual),
    };
    let words = words.unwrap_or_default();
    Objection::new(trouble, again, format_args!("DISCONNECT {code:?} {words}"))
}

/// PUBACK (MQTT 5 section 3.4.2.1): none where the broker has the message. `NoMatchingSubscribers`
/// is no failure of this device's: the platform's ingest is away, and the receipt timeout sends the
/// statement again.
pub(crate) fn of_puback(reason: PubAckReason) -> Option<Trouble> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => None,
        PubAckReason::NotAuthorized | PubAckReason::TopicNameInvalid => Some(Trouble::Topic),
        PubAckReason::QuotaExceeded | PubAckReason::PayloadFormatInvalid => Some(Trouble::Limit),
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::PacketIdentifierInUse => Some(Trouble::Busy),
    }
}

/// Everything that a poll of the connection can end with.
pub(crate) fn of_error(error: &ConnectionError) -> Objection {
    match error {
        ConnectionError::ConnectionRefused(code) => of_connack(*code),
        ConnectionError::MqttState(StateError::ConnFail { reason }) => of_connack(*reason),
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code,
            reason_string,
        }) => of_disconnect(*reason_code, reason_string.as_deref()),
        ConnectionError::MqttState(StateError::OutgoingPacketTooLarge { .. }) => {
            Objection::new(Trouble::Limit, Again::Late, error)
        }
        _ => match tls_error(error) {
            Some(tls) => Objection::new(Trouble::Certificate, Again::Usual, tls),
            None => {
                let words = schemas::causes::causes(error);
                Objection::new(Trouble::Network, Again::Usual, words)
            }
        },
    }
}

/// What TLS objects to in the other side's certificate, wherever it hides in the error.
fn tls_error(error: &ConnectionError) -> Option<&rustls::Error> {
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        let io = error.downcast_ref::<std::io::Error>();
        let inner = io.and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = inner.or_else(|| error.downcast_ref()) {
            return is_of_certificate(tls).then_some(tls);
        }
        at = error.source();
    }
    None
}

const fn is_of_certificate(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::UnsupportedNameType
            | rustls::Error::InvalidCertRevocationList(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_no_leads_to_a_state_of_its_own() {
        use ConnectReturnCode as Code;
        for (code, trouble) in [
            (Code::BadUserNamePassword, Trouble::LogIn),
            (Code::NotAuthorized, Trouble::LogIn),
            (Code::ClientIdentifierNotValid, Trouble::LogIn),
            (Code::ServerBusy, Trouble::Busy),
            (Code::QuotaExceeded, Trouble::Limit),
            (Code::UnsupportedProtocolVersion, Trouble::Network),
        ] {
            assert_eq!(of_connack(code).trouble, trouble, "{code:?}");
        }
        assert_eq!(of_connack(Code::ServerMoved).again, Again::Elsewhere);
        let taken = of_disconnect(DisconnectReasonCode::SessionTakenOver, None);
        assert_eq!(
            (taken.trouble, taken.again),
            (Trouble::TakenOver, Again::Late)
        );
        let shut = of_disconnect(DisconnectReasonCode::ServerShuttingDown, Some("update"));
        assert_eq!(shut.trouble, Trouble::Network);
        assert!(shut.detail.contains("update"));
    }

    #[test]
    fn only_failures_of_a_puback_are_troubles() {
        assert_eq!(of_puback(PubAckReason::Success), None);
        assert_eq!(of_puback(PubAckReason::NoMatchingSubscribers), None);
        assert_eq!(of_puback(PubAckReason::NotAuthorized), Some(Trouble::Topic));
        assert_eq!(of_puback(PubAckReason::QuotaExceeded), Some(Trouble::Limit));
    }

    #[test]
    fn a_certificate_is_told_from_a_network_that_fails() {
        use rustls::CertificateError;
        let bad = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let io = std::io::Error::new(std::io::ErrorKind::InvalidData, bad);
        let objection = of_error(&ConnectionError::Io(io));
        assert_eq!(objection.trouble, Trouble::Certificate);
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(of_error(&ConnectionError::Io(io)).trouble, Trouble::Network);
    }

    #[test]
    fn words_of_the_other_side_are_cut_and_clean() {
        let long = format!("line\nline{}", "x".repeat(1_000));
        let objection = of_disconnect(DisconnectReasonCode::ServerBusy, Some(&long));
        assert!(objection.detail.chars().count() <= DETAIL_MAX);
        assert!(!objection.detail.contains('\n'));
    }
}
