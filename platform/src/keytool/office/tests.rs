use schemas::key::PublicKey;

use super::*;

fn settings(log_key: &PublicKey) -> Settings {
    let origin: schemas::ids::Origin = "log.example/t".parse().unwrap();
    let key = log_key.ed25519_bytes().unwrap();
    Settings {
        organisation: "qinghe".parse().unwrap(),
        address: "http://127.0.0.1:1".to_owned(),
        ca: String::new(),
        log: origin.log_id(&key),
        log_key: Hash(key),
        origin,
    }
}

#[test]
fn whoever_revokes_a_device_means_the_key_that_it_uses() {
    let keys = [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]));
    for (old, new) in [(&keys[0], &keys[1]), (&keys[1], &keys[0])] {
        let place = tempfile::tempdir().unwrap();
        let settings = settings(&keys[0].public());
        let folder = Folder::make(place.path(), &settings).unwrap();
        let office = Office::open(folder).unwrap();
        let device: Slug = "line-1".parse().unwrap();
        let position = Position { epoch: 0, seq: 7 };
        let last = Some((position, Hash([7; 32])));
        for (key, state) in [(old, State::Retired { last }), (new, State::Active)] {
            let organisation = settings.organisation.clone();
            let first = Record {
                device: Some(device.clone()),
                ..Record::first(settings.log, organisation, Role::Capture, key.public())
            };
            let first = SignedRecord::sign(&office.key, first.consented(key));
            let next = SignedRecord::sign(&office.key, first.next(state));
            office.folder.keep_record(&next).unwrap();
        }
        let not_revoked = |state: &State| !matches!(state, State::Revoked { .. });
        let found = office.newest(&device, not_revoked).unwrap();
        assert_eq!(found.record.kid(), new.kid());
    }
}
