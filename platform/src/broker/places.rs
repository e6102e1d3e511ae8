//! Places at the TLS listener: for all, for one address, and for those who have not logged in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit::serve::network;

use super::Limits;

/// Why somebody gets no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// There are too many connections.
    All,
    /// There are too many of this address.
    Address,
    /// Too many have not logged in yet.
    Pending,
    /// Too many of this address have not.
    PendingOfAddress,
}

impl Full {
    /// As metrics say it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::All => "connections",
            Self::Address => "connections-of-address",
            Self::Pending => "pending",
            Self::PendingOfAddress => "pending-of-address",
        }
    }
}

/// All places. Cheap to clone.
#[derive(Clone)]
pub(super) struct Places {
    limits: Limits,
    taken: Arc<Mutex<Taken>>,
}

/// Owned by [`Places`], held for single operations.
#[derive(Default)]
struct Taken {
    all: Count,
    by_address: BTreeMap<IpAddr, Count>,
}

#[derive(Default, Clone, Copy)]
struct Count {
    open: usize,
    pending: usize,
}

/// A connection's place; given back when it is dropped.
pub(super) struct Place {
    places: Places,
    address: IpAddr,
    pending: bool,
}

impl Places {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            taken: Arc::default(),
        }
    }

    /// A place for a connection that has not logged in.
    pub(super) fn take(&self, from: IpAddr) -> Result<Place, Full> {
        let address = network(from);
        let mut taken = self.taken();
        let theirs = taken.by_address.get(&address).copied().unwrap_or_default();
        let limits = &self.limits;
        if theirs.open >= limits.connections_per_address {
            return Err(Full::Address);
        }
        if theirs.pending >= limits.pending_per_address {
            return Err(Full::PendingOfAddress);
        }
        if taken.all.open >= limits.connections {
            return Err(Full::All);
        }
        if taken.all.pending >= limits.pending {
            return Err(Full::Pending);
        }
        taken.change(address, |count| {
            count.open += 1;
            count.pending += 1;
        });
        drop(taken);
        Ok(Place {
            places: self.clone(),
            address,
            pending: true,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn change(&mut self, address: IpAddr, change: impl Fn(&mut Count)) {
        change(&mut self.all);
        let theirs = self.by_address.entry(address).or_default();
        change(theirs);
        if theirs.open == 0 {
            self.by_address.remove(&address);
        }
    }
}

impl Place {
    /// It has logged in.
    pub(super) fn settled(&mut self) {
        if std::mem::take(&mut self.pending) {
            let mut taken = self.places.taken();
            taken.change(self.address, |count| count.pending -= 1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.settled();
        let mut taken = self.places.taken();
        taken.change(self.address, |count| count.open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_takes_all_places_and_each_is_given_back() {
        let places = Places::new(&Limits {
            connections: 4,
            connections_per_address: 3,
            pending: 3,
            pending_per_address: 2,
            ..Limits::default()
        });
        let (one, two) = (address("192.0.2.1"), address("::ffff:192.0.2.1"));
        let mut first = places.take(one).ok().unwrap();
        let mut second = places.take(two).ok().unwrap();
        assert_eq!(places.take(one).err(), Some(Full::PendingOfAddress));
        first.settled();
        let third = places.take(one).ok().unwrap();
        second.settled();
        assert_eq!(places.take(one).err(), Some(Full::Address));
        let six = places.take(address("2001:db8::1")).ok().unwrap();
        assert_eq!(places.take(address("192.0.2.9")).err(), Some(Full::All));
        drop((first, third));
        let neighbour = places.take(address("2001:db8::2")).ok().unwrap();
        let network = places.take(address("2001:db8::3")).err();
        assert_eq!(network, Some(Full::PendingOfAddress));
        assert!(places.take(one).is_ok());
        drop((second, six, neighbour));
        let taken = places.taken();
        assert!(taken.by_address.is_empty() && taken.all.open == 0 && taken.all.pending == 0);
    }

    #[test]
    fn all_addresses_together_may_not_keep_too_many_waiting() {
        let places = Places::new(&Limits {
            pending: 2,
            ..Limits::default()
        });
        let waiting: Vec<_> = (1..=2)
            .map(|last| places.take(IpAddr::from([192, 0, 2, last])).ok().unwrap())
            .collect();
        assert_eq!(places.take(address("192.0.2.3")).err(), Some(Full::Pending));
        drop(waiting);
        assert!(places.take(address("192.0.2.3")).is_ok());
    }
}
