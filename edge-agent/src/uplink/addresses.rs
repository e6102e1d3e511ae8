//! Several addresses of one platform: the first one as long as it answers, the next one after a few
//! failures, and back to the first when that answers again.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::config::BrokerAddress;

/// Failures in a row after which the next address is tried.
pub(super) const FAILURES_MAX: u32 = 3;
/// How long the first address has to answer when it is tried beside a connection that works.
const PROBE: Duration = Duration::from_secs(5);

/// Where to connect next. Never empty.
#[derive(Debug)]
pub(super) struct Addresses {
    list: Vec<BrokerAddress>,
    current: usize,
    failures: u32,
}

impl Addresses {
    pub fn new(first: BrokerAddress, further: &[BrokerAddress]) -> Self {
        let mut list = vec![first];
        list.extend_from_slice(further);
        Self {
            list,
            current: 0,
            failures: 0,
        }
    }

    pub fn current(&self) -> &BrokerAddress {
        // `current` is always a remainder of the list's length.
        self.list.get(self.current).unwrap_or(&self.list[0])
    }

    pub const fn is_second(&self) -> bool {
        self.current != 0
    }

    /// A connection works.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// An attempt has failed or a connection has ended; true if another address is next.
    pub const fn failed(&mut self, elsewhere: bool) -> bool {
        self.failures += 1;
        if self.list.len() < 2 || (self.failures < FAILURES_MAX && !elsewhere) {
            return false;
        }
        self.failures = 0;
        self.current = (self.current + 1) % self.list.len();
        true
    }

    pub fn first(&self) -> &BrokerAddress {
        &self.list[0]
    }

    /// The next connection is to the first address.
    pub const fn go_home(&mut self) {
        self.current = 0;
        self.failures = 0;
    }
}

/// Whether something listens there.
pub(super) async fn answers(address: BrokerAddress) -> bool {
    let connect = TcpStream::connect((address.host.as_str(), address.port));
    matches!(tokio::time::timeout(PROBE, connect).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let of = |text: &str| text.parse().expect("address");
        Addresses::new(of("mqtts://a:8883"), &[of("wss://b/v1/mqtt")])
    }

    #[test]
    fn the_next_address_comes_after_failures_in_a_row_only() {
        let mut list = addresses();
        for _ in 0..10 {
            assert!(!list.failed(false));
            assert!(!list.failed(false));
            list.succeeded();
        }
        assert!(!list.is_second());
        assert!(!list.failed(false) && !list.failed(false) && list.failed(false));
        assert_eq!(list.current().to_string(), "wss://b:443/v1/mqtt");
        assert!(list.failed(true), "a broker that sends us on is obeyed");
        assert!(!list.is_second());
        list.failed(true);
        list.go_home();
        assert_eq!(list.current(), list.first());
    }

    #[test]
    fn one_address_is_never_left() {
        let only = "mqtt://a:1".parse().expect("address");
        let mut list = Addresses::new(only, &[]);
        for _ in 0..10 {
            assert!(!list.failed(true));
        }
    }
}
