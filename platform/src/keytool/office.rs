//! What a person of the organisation does with its key.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use schemas::enrol::{Claim, Request};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::SecretKey;
use schemas::random;
use schemas::registry::{Record, Role, SignedRecord, State, root_of_list};
use schemas::statement::{Note, Position, Statement};
use schemas::time::Instant;

use super::KeytoolError;
use super::admission::{application, compare};
use super::folder::{Folder, Issued, Settings, Wish};
use super::platform::{Asked, Platform};
use crate::tls;

/// What may become of a device's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It does not count for now.
    Suspend,
    /// It counts again.
    Resume,
    /// It does not count any more.
    Revoke {
        /// What was anchored after this instant is marked.
        compromised_since: Option<Instant>,
    },
    /// It counts up to this statement.
    Retire {
        /// Place and id of the last statement.
        last: (Position, Hash),
    },
}

impl Change {
    const fn state(&self) -> State {
        match self {
            Self::Suspend => State::Suspended,
            Self::Resume => State::Active,
            Self::Revoke { compromised_since } => State::Revoked {
                compromised_since: *compromised_since,
            },
            Self::Retire { last } => State::Retired { last: Some(*last) },
        }
    }
}

/// An enrolment that this organisation has issued a claim for.
#[derive(Debug)]
pub struct Waiting {
    /// Claim id.
    pub claim: String,
    /// For whom.
    pub device: Slug,
    /// kid of the key that asks, to be compared with what the device shows; `None` while it has not
    /// asked.
    pub kid: Option<Hash>,
    /// `unused`, `waiting`, `drafted`, `consented`, `admitted` or `refused`.
    pub state: String,
}

/// The organisation at work: its folder, its key, its platform.
pub struct Office {
    pub(super) folder: Folder,
    pub(super) settings: Settings,
    pub(super) key: SecretKey,
    pub(super) platform: Platform,
}

/// A QR code for a terminal, two modules a character; `None` when the text is too long for any.
#[must_use]
pub fn qr(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    // Dark terminals are the usual ones: their background is the light of the code.
    let mut drawn = code.render::<Dense1x2>();
    drawn
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark);
    Some(drawn.build())
}

impl Office {
    /// Opens the folder.
    ///
    /// # Errors
    /// [`KeytoolError`].
    pub fn open(folder: Folder) -> Result<Self, KeytoolError> {
        let settings = folder.settings()?;
        Ok(Self {
            key: folder.key()?,
            platform: Platform::of(&settings)?,
            settings,
            folder,
        })
    }

    /// kid of the organisation's key.
    #[must_use]
    pub fn kid(&self) -> Hash {
        self.key.kid()
    }

    /// The application for the registrar, as signed bytes.
    #[must_use]
    pub fn application(&self) -> Vec<u8> {
        let record = application(&self.settings, &self.key);
        SignedRecord::sign(&self.key, record).bytes().to_vec()
    }

    /// Hands in the organisation's own record that a registrar has signed.
    ///
    /// # Errors
    /// [`KeytoolError`].
    pub async fn join(&self, signed: &SignedRecord) -> Result<u64, KeytoolError> {
        self.hand_in(signed).await
    }

    /// A claim for one device. With `replaces`, its record takes the place of the device's present
    /// key, whose last statement that is.
    ///
    /// # Errors
    /// [`KeytoolError`].
    pub fn claim(
        &self,
        wish: Wish,
        replaces: Option<(Position, Hash)>,
    ) -> Result<Issued, KeytoolError> {
        if replaces.is_some() {
            self.active(&wish.device)?;
        }
        self.issue(wish, replaces, false)
    }

    /// A claim for the next key of a device, whose present key will name its last statement itself.
    /// What the record allows stays as it is.
    ///
    /// # Errors
    /// [`KeytoolError`].
    pub fn rotation(&self, device: &Slug) -> Result<Issued, KeytoolError> {
        let record = self.active(device)?.record;
        let wish = Wish {
            device: device.clone(),
            places: record.places,
            steps: record.steps,
            sources: record.sources,
            heartbeat: record.heartbeat,
        };
        self.issue(wish, None, true)
    }

    fn issue(
        &self,
        wish: Wish,
        replaces: Option<(Position, Hash)>,
        rotates: bool,
    ) -> Result<Issued, KeytoolError> {
        let (id, secret) = (random::bytes::<8>()?, random::bytes::<16>()?);
        let settings = &self.settings;
        let ca = match settings.ca.as_str() {
            "" => String::new(),
            pem => {
                let found = tls::fingerprint(pem);
                found
                    .map_err(|error| KeytoolError::Shown(error.to_string()))?
                    .to_string()
            }
        };
        let issued = Issued {
            claim: Claim {
                tracebond: "claim/v1".to_owned(),
                address: settings.address.clone(),
                ca,
                log: settings.log,
                log_key: settings.log_key,
                origin: settings.origin.clone(),
                organisation: settings.organisation.clone(),
                claim: hex::encode(id),
                secret: hex::encode(secret),
            },
            wish,
            replaces: replaces.map(|(at, id)| (at.epoch, at.seq, id)),
            rotates,
            done: false,
        };
        self.folder.keep_claim(&issued)?;
        Ok(issued)
    }

    /// How far every claim is that is not done.
    ///
    /// # Errors
    /// [`KeytoolError`]; a request by somebody without the claim's secret is one.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, KeytoolError> {
        let mut all = Vec::new();
        for issued in self
            .folder
            .claims()?
            .into_iter()
            .filter(|issued| !issued.done)
        {
            let asked = self.platform.asked(&issued.claim.claim).await?;
            let kid = match &asked {
                Some(asked) => Some(checked(&issued, &asked.request)?.key.kid()),
                None => None,
            };
            all.push(Waiting {
                claim: issued.claim.claim,
                device: issued.wish.device,
                kid,
                state: asked.map_or_else(|| "unused".to_owned(), |asked| asked.state),
            });
        }
        Ok(all)
    }

    /// One step of an enrolment for a device whose kid a person has compared: hands in the draft,
    /// or, when the device has consented, ends the old key if one is replaced and signs the record.
    /// The registry version that holds it, or `None` while the device's consent is awaited.
    ///
    /// # Errors
    /// [`KeytoolError`]; may be repeated until it succeeds.
    pub async fn sign(&self, device: &Slug, compared: &str) -> Result<Option<u64>, KeytoolError> {
        let (mut issued, asked) = self.open_claim(device).await?;
        let request = checked(&issued, &asked.request)?;
        compare(&request.key.kid(), compared)?;
        let mut record = self.draft(&issued.wish, &request);
        if !asked.drafted {
            let draft = record.draft();
            let mac = issued.claim.draft_mac(&draft)?;
            self.platform
                .draft(&issued.claim.claim, &draft, &mac)
                .await?;
        }
        let Some(consent) = asked.consent else {
            return Ok(None);
        };
        let consent = <[u8; 64]>::try_from(consent);
        record.consent = Some(consent.map_err(|_| KeytoolError::Shown("a consent".into()))?);
        if let Ok(present) = self.active(device) {
            let last = match issued.rotates {
                true => Some(last_of(&present, asked.last_word, &request)?),
                false => issued.last(),
            };
            if let Some(last) = last {
                self.change(device, &Change::Retire { last }).await?;
            }
        }
        let version = self.hand_in(&SignedRecord::sign(&self.key, record)).await?;
        issued.done = true;
        self.folder.keep_claim(&issued)?;
        Ok(Some(version))
    }

    /// The claim that a device has asked with and whose record is not signed yet.
    async fn open_claim(&self, device: &Slug) -> Result<(Issued, Asked), KeytoolError> {
        let mut known = false;
        for issued in self.folder.claims()? {
            if issued.done || issued.wish.device != *device {
                continue;
            }
            known = true;
            if let Some(asked) = self.platform.asked(&issued.claim.claim).await? {
                return Ok((issued, asked));
            }
        }
        Err(match known {
            true => KeytoolError::Waiting {
                device: device.clone(),
                what: "request",
            },
            false => KeytoolError::Unknown(device.to_string()),
        })
    }

    /// Changes the state of a device's key; the registry version that holds it.
    ///
    /// # Errors
    /// [`KeytoolError`].
    pub async fn change(&self, device: &Slug, change: &Change) -> Result<u64, KeytoolError> {
        let before = match change {
            Change::Resume => self.newest(device, |state| *state == State::Suspended)?,
            Change::Suspend => self.active(device)?,
            Change::Retire { .. } => self.newest(device, |state| {
                matches!(state, State::Active | State::Suspended)
            })?,
            Change::Revoke { .. } => {
                self.newest(device, |state| !matches!(state, State::Revoked { .. }))?
            }
        };
        let record = before.next(change.state());
        record.check_follows(&before)?;
        self.hand_in(&SignedRecord::sign(&self.key, record)).await
    }

    /// The newest records that were signed here, by device.
    ///
    /// # Errors
    /// [`KeytoolError`].
    pub fn records(&self) -> Result<Vec<SignedRecord>, KeytoolError> {
        let mut records = self.folder.records()?;
        records.sort_by(|a, b| a.record.device.cmp(&b.record.device));
        Ok(records)
    }

    /// The organisation's keys as the platform's registry has them, checked: each is signed by the
    /// organisation (its own by a registrar) and stands in the list behind the root that the
    /// platform names, and none that was signed here is missing or older there. Newer ones are kept.
    ///
    /// # Errors
    /// [`KeytoolError::Shown`] for what does not hold.
    pub async fn registered(&self, token: &str) -> Result<(u64, Vec<SignedRecord>), KeytoolError> {
        let shown = self
            .platform
            .records(&self.settings.organisation, token)
            .await?;
        let listed = self.platform.list(shown.version).await?;
        let wrong = |what: String| KeytoolError::Shown(what);
        if listed.version != shown.version || root_of_list(&listed.keys) != Some(listed.root) {
            return Err(wrong("a list that does not lead to its root".into()));
        }
        let mut records = Vec::new();
        for one in shown.records {
            let signed = SignedRecord::parse(one.record)?;
            let kid = signed.record.kid();
            let salt = schemas::event::Salt::from_slice(&one.salt);
            let salt = salt.ok_or_else(|| wrong("a salt".into()))?;
            if listed
                .keys
                .binary_search(&(kid, signed.hash(&salt)))
                .is_err()
            {
                return Err(wrong(format!(
                    "a record of key {kid} that is not in the list"
                )));
            }
            let is_own = signed.record.role == Role::Organisation;
            if !is_own && signed.verify(&self.key.public()).is_err() {
                return Err(wrong(format!(
                    "key {kid}, which this organisation did not sign"
                )));
            }
            records.push(signed);
        }
        for kept in self.folder.records()? {
            let kid = kept.record.kid();
            let there = records.iter().find(|signed| signed.record.kid() == kid);
            match there.map(|signed| signed.record.version.cmp(&kept.record.version)) {
                Some(std::cmp::Ordering::Equal) => {}
                Some(std::cmp::Ordering::Greater) => {
                    let newer = there.filter(|signed| signed.record.role != Role::Organisation);
                    newer.map_or(Ok(()), |signed| self.folder.keep_record(signed))?;
                }
                _ => return Err(wrong(format!("nothing newer than it must be of key {kid}"))),
            }
        }
        records.sort_by(|a, b| a.record.device.cmp(&b.record.device));
        Ok((shown.version, records))
    }

    fn draft(&self, wish: &Wish, request: &Request) -> Record {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list.dedup();
            list
        };
        let mut sources = wish.sources.clone();
        sources.sort_unstable();
        sources.dedup();
        let organisation = self.settings.organisation.clone();
        let key = request.key.clone();
        Record {
            device: Some(wish.device.clone()),
            places: sorted(&wish.places),
            steps: sorted(&wish.steps),
            sources,
            heartbeat: wish.heartbeat,
            ..Record::first(self.settings.log, organisation, Role::Capture, key)
        }
    }

    /// Hands in a record and keeps it; one that the platform refuses is not kept.
    async fn hand_in(&self, signed: &SignedRecord) -> Result<u64, KeytoolError> {
        let version = self.platform.admit(signed).await?;
        self.folder.keep_record(signed)?;
        Ok(version)
    }

    fn active(&self, device: &Slug) -> Result<SignedRecord, KeytoolError> {
        self.newest(device, |state| *state == State::Active)
    }

    /// The record of the device's key that is in such a state; of several, that of the key that is
    /// in use: after a rotation a device has an old one, too.
    fn newest(
        &self,
        device: &Slug,
        is: impl Fn(&State) -> bool,
    ) -> Result<SignedRecord, KeytoolError> {
        let of = |signed: &SignedRecord| signed.record.device.as_ref() == Some(device);
        let all = self.folder.records()?;
        let known = all.iter().any(of);
        let found = all
            .into_iter()
            .filter(|signed| of(signed) && is(&signed.record.state))
            .min_by_key(|signed| signed.record.state);
        match (found, known) {
            (Some(signed), _) => Ok(signed),
            (None, true) => Err(KeytoolError::NotInUse(device.clone())),
            (None, false) => Err(KeytoolError::Unknown(device.to_string())),
        }
    }
}

/// Place and id of a key's last word. The platform passes it on and cannot make it: it is signed by
/// the key that ends, and names the one that follows.
fn last_of(
    present: &SignedRecord,
    said: Option<Vec<u8>>,
    request: &Request,
) -> Result<(Position, Hash), KeytoolError> {
    let record = &present.record;
    let waiting = || KeytoolError::Waiting {
        device: request.device.clone(),
        what: "last word of its present key",
    };
    let wrong = |what: &str| KeytoolError::Shown(format!("a last word {what}"));
    let statement = Statement::parse(said.ok_or_else(waiting)?);
    let statement = statement.map_err(|error| wrong(&error.to_string()))?;
    let payload = &statement.payload;
    if statement.verify(&record.key).is_err() {
        return Err(wrong("that the device's present key has not signed"));
    }
    if payload.log != record.log || Some(&payload.device) != record.address().as_ref() {
        return Err(wrong("of another device"));
    }
    if payload.note.as_ref().and_then(Note::next_key) != Some(request.key.kid()) {
        return Err(wrong("that names another key than the one that asks"));
    }
    Ok((payload.position, statement.id()))
}

/// A request that comes from whom the claim was given to, and asks for what it is for.
fn checked(issued: &Issued, request: &[u8]) -> Result<Request, KeytoolError> {
    let request = Request::parse(request)?;
    request.check(&issued.claim)?;
    if request.device != issued.wish.device {
        return Err(KeytoolError::Asked {
            wanted: issued.wish.device.clone(),
            asked: request.device,
        });
    }
    Ok(request)
}

#[cfg(test)]
mod tests;
