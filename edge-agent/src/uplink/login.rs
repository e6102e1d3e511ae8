//! How this device introduces itself to a broker, at any of its addresses.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::MqttOptions;
use rumqttc::{TlsConfiguration, Transport};
use schemas::statement::MESSAGE_MAX;

use crate::clock::Floor;
use crate::config::BrokerAddress;
use crate::head::Credentials;
use crate::tls::{self, TlsError};
use crate::trust::{Enrolment, Trust};

/// Room for a packet's header and topic beside the largest message.
const PACKET_MAX: u32 = MESSAGE_MAX as u32 + 4_096;
/// How long the broker keeps receipts for a device that is away: a week.
const SESSION_EXPIRY_S: u32 = 7 * 86_400;
/// Replies that the broker may send before they are acknowledged.
pub(super) const RECEIVE_MAX: u16 = 64;
/// Packet ids beside twice the window, so that an id is free again long before its turn comes.
/// rumqttc fills a table of all ids at each connection: 14 MB of memory for its 65,535.
const IDS_BESIDE: u16 = 64;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// From the first packet to the CONNACK: a line with two seconds of latency needs a dozen for TCP,
/// TLS and log-in.
const CONNECT_MAX_S: u64 = 30;

/// Client id, credentials and whom to believe.
pub(crate) struct Login {
    client_id: String,
    username: String,
    password: String,
    tls: Option<TlsConfiguration>,
}

impl Login {
    /// Of an enrolled device, for these addresses. Certificates are judged by the device's clock, or
    /// by `floor` where that is later.
    ///
    /// # Errors
    /// [`TlsError`] if one of them speaks TLS and enrolment brought no usable CA.
    pub fn new<'a>(
        (enrolment, trust): (&Enrolment, &Trust),
        floor: Floor,
        mut addresses: impl Iterator<Item = &'a BrokerAddress>,
    ) -> Result<Self, TlsError> {
        let tls = if addresses.any(|address| address.tls) {
            let client = tls::under_ca_since(&enrolment.ca, floor)?;
            Some(TlsConfiguration::Rustls(Arc::new(client)))
        } else {
            None
        };
        Ok(Self {
            client_id: trust.device.to_string(),
            username: enrolment.username.clone(),
            password: enrolment.password.clone(),
            tls,
        })
    }

    /// Name and password of the key that the device has now.
    pub fn renew(&mut self, credentials: &Credentials) {
        self.username.clone_from(&credentials.username);
        self.password.clone_from(&credentials.password);
    }

    /// What rumqttc needs for a connection there, with so many statements on their way at once.
    pub fn options(&self, address: &BrokerAddress, in_flight: u16) -> MqttOptions {
        // rumqttc wants the whole URL where it speaks WebSocket.
        let host = match &address.path {
            Some(_) => address.to_string(),
            None => address.host.clone(),
        };
        let mut options = MqttOptions::new(self.client_id.clone(), host, address.port);
        options.set_transport(self.transport(address));
        options.set_credentials(self.username.clone(), self.password.clone());
        options.set_keep_alive(KEEP_ALIVE);
        options.set_connection_timeout(CONNECT_MAX_S);
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(SESSION_EXPIRY_S));
        options.set_max_packet_size(Some(PACKET_MAX));
        options.set_receive_maximum(Some(RECEIVE_MAX));
        options.set_outgoing_inflight_upper_limit(2 * in_flight + IDS_BESIDE);
        // A reply is acknowledged when the outbox has stored what it says.
        options.set_manual_acks(true);
        options
    }

    fn transport(&self, address: &BrokerAddress) -> Transport {
        match (address.tls, &address.path, &self.tls) {
            (true, None, Some(tls)) => Transport::tls_with_config(tls.clone()),
            (true, Some(_), Some(tls)) => Transport::wss_with_config(tls.clone()),
            (_, Some(_), _) => Transport::ws(),
            (_, None, _) => Transport::tcp(),
        }
    }
}
