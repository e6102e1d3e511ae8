//! How many sessions a device has: with names of its own choice after its address it could else
//! fill the broker by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmqtt::types::Id;
use schemas::ids::DeviceAddress;

use super::Limits;
use super::access::Principal;

/// Sessions by device and client id. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sessions {
    most: usize,
    known: Arc<Mutex<BTreeMap<DeviceAddress, BTreeMap<String, Id>>>>,
}

impl Sessions {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            most: limits.device_sessions,
            known: Arc::default(),
        }
    }

    /// May there be a session of this name? Log-ins at the same moment may exceed the limit by
    /// their number, which the listener bounds.
    pub(super) fn have_room(&self, principal: &Principal, client_id: &str) -> bool {
        let Principal::Device(device) = principal else {
            return true;
        };
        let known = self.known();
        let theirs = known.get(device);
        theirs.is_none_or(|ids| ids.len() < self.most || ids.contains_key(client_id))
    }

    /// A client has connected, to a session new or old.
    pub(super) fn connected(&self, id: &Id) {
        if let Some(Principal::Device(device)) = Principal::of_client_id(&id.client_id) {
            let mut known = self.known();
            let theirs = known.entry(device).or_default();
            theirs.insert(id.client_id.to_string(), id.clone());
        }
    }

    /// A session has ended for good; not where another connection has its name by now, whose
    /// beginning may be reported before this end.
    pub(super) fn ended(&self, id: &Id) {
        if let Some(Principal::Device(device)) = Principal::of_client_id(&id.client_id) {
            let mut known = self.known();
            if let Some(theirs) = known.get_mut(&device) {
                if theirs.get(&*id.client_id) == Some(id) {
                    theirs.remove(&*id.client_id);
                }
                if theirs.is_empty() {
                    known.remove(&device);
                }
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<DeviceAddress, BTreeMap<String, Id>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(client: &'static str, listener: u16) -> Id {
        Id::new(1, listener, None, None, client.into(), None)
    }

    #[test]
    fn a_device_has_so_many_sessions_and_may_always_come_back_to_one() {
        let sessions = Sessions::new(&Limits {
            device_sessions: 2,
            ..Limits::default()
        });
        let device = Principal::Device("maker/a".parse().unwrap());
        let ids = [id("maker/a", 1), id("maker/a/2", 1)];
        for id in &ids {
            assert!(sessions.have_room(&device, &id.client_id));
            sessions.connected(id);
        }
        assert!(!sessions.have_room(&device, "maker/a/3"));
        assert!(sessions.have_room(&device, "maker/a/2"));
        let other = Principal::Device("maker/b".parse().unwrap());
        assert!(sessions.have_room(&other, "maker/b"));
        // Taken over: the end of the first is none of the second.
        let second = id("maker/a/2", 2);
        sessions.connected(&second);
        sessions.ended(&ids[1]);
        assert!(!sessions.have_room(&device, "maker/a/3"));
        sessions.ended(&second);
        assert!(sessions.have_room(&device, "maker/a/3"));
        sessions.ended(&ids[0]);
        assert!(sessions.known().is_empty());
    }
}
