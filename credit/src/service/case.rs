//! The case of an application: what the bank's books hold about it, read anew for each try, and what is
//! kept beside the decision.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::Hash;
use schemas::ids::Slug;

use super::Credit;
use crate::audit::{Action, Entry};
use crate::facts::Facts;
use crate::law::Basis;
use crate::loan::beside::{Beside, KeptUse, Use, Used};
use crate::loan::brief::{Books, as_handed_in};
use crate::loan::review::Passage;
use crate::loan::warning::{DeviceUse, Pledged};
use crate::loan::{Application, Product, Record};
use crate::pledge::fingerprint::Fingerprint;
use crate::schedule::Calendar;
use crate::store::StoreError;

/// What a product lends on, as its file says it.
#[derive(Clone, Debug)]
pub struct LendsOn {
    /// What.
    pub basis: Basis,
    /// Its calendar, if it names one.
    pub holidays: Option<Calendar>,
}

/// What products lend on, by name; nothing for those without a file.
pub type Lends = BTreeMap<Slug, LendsOn>;

/// The books as one try has read them.
pub(super) struct Opened {
    pub(super) books: Books,
    uses: Vec<Use>,
}

impl Credit {
    /// Looks a case up in the books.
    pub(super) async fn books(
        &self,
        application: &Application,
        facts: &Facts,
    ) -> Result<Opened, StoreError> {
        let own = own(application, facts);
        let names: BTreeSet<Hash> = own.iter().flat_map(Used::names).collect();
        let names: Vec<Hash> = names.into_iter().collect();
        // Places first: a use that comes in between takes the next one, and this try is overtaken.
        let places = self.store.last_places(&names).await?;
        let kept = self.store.uses(&names).await?;
        let supplier = &application.supplier;
        let buyers = application.declared.buyers.iter().flatten().cloned();
        let parties: Vec<Slug> = buyers.chain([supplier.clone()]).collect();
        let lends = self.lends.get(&application.product);
        let mut books = Books {
            pledged: self.pledged(application).await?,
            identifiers: self.store.identifiers(&parties, supplier).await?,
            links: self.store.links(supplier, &parties).await?,
            basis: lends.map(|lends| lends.basis),
            holidays: lends.and_then(|lends| lends.holidays.clone()),
            ..Books::default()
        };
        fill(&mut books, &kept, application);
        let uses = uses(own, &places, &kept, supplier);
        Ok(Opened { books, uses })
    }

    async fn pledged(&self, application: &Application) -> Result<Vec<Pledged>, StoreError> {
        let mut found = Vec::new();
        for invoice in application.declared.invoices.iter().flatten() {
            let fingerprint = invoice.fingerprint;
            let name = Fingerprint::from_slice(fingerprint.as_bytes());
            let Some(name) = name else { continue };
            if let Some(pledge) = self.store.pledge_holder(&name).await? {
                let pledge = pledge.to_string();
                found.push(Pledged {
                    fingerprint,
                    pledge,
                });
            }
        }
        Ok(found)
    }
}

/// What this application uses: its invoices, and the devices of its evidence.
fn own(application: &Application, facts: &Facts) -> Vec<Used> {
    let invoices = application.declared.invoices.iter().flatten();
    let invoices = invoices.map(|one| Used::Invoice(as_handed_in(application, one)));
    let trade = facts.trade.iter();
    let devices = trade.flat_map(|trade| trade.devices.iter().cloned().map(Used::Device));
    invoices.chain(devices).collect()
}

/// Invoices of open applications, and devices of other suppliers.
fn fill(books: &mut Books, kept: &[KeptUse], application: &Application) {
    // An invoice is found by each of its names, and counts once.
    let (mut invoices, mut devices) = (BTreeMap::new(), BTreeSet::new());
    for one in kept {
        match &one.used {
            Used::Invoice(invoice) if !one.is_over => {
                let number = invoice.number.clone();
                let key = (invoice.application.clone(), invoice.fingerprint, number);
                invoices.insert(key, invoice.clone());
            }
            Used::Device(device) if device.supplier != application.supplier => {
                devices.insert(device.clone());
            }
            Used::Invoice(_) | Used::Device(_) => {}
        }
    }
    books.invoices = invoices.into_values().collect();
    books.devices = devices.into_iter().collect();
}

/// The next places, in the order in which they are taken. A device has one place for each supplier.
fn uses(
    own: Vec<Used>,
    places: &BTreeMap<Hash, i64>,
    kept: &[KeptUse],
    supplier: &Slug,
) -> Vec<Use> {
    let is_known = |used: &Used, name: &Hash| {
        let known = |one: &KeptUse| one.name == *name && one.supplier == *supplier;
        matches!(used, Used::Device(DeviceUse { .. })) && kept.iter().any(known)
    };
    let mut next = places.clone();
    let mut uses = Vec::new();
    for used in own {
        for name in used.names() {
            if is_known(&used, &name) {
                continue;
            }
            let place = next.entry(name).or_insert(0);
            *place += 1;
            uses.push(Use {
                name,
                place: *place,
                used: used.clone(),
            });
        }
    }
    uses.sort_by_key(|one| (one.name, one.place));
    uses
}

/// A record with what is kept beside it.
pub(super) fn with_beside(mut record: Record, uses: Vec<Use>, product: &Product) -> Record {
    let declared = &record.decision.application.declared;
    let sorted = |all: &Option<Vec<_>>| {
        let all: BTreeSet<_> = all.iter().flatten().cloned().collect();
        all.into_iter().collect()
    };
    let links = declared.links.clone().unwrap_or_default();
    let passed = Passage::of(&record.decision, product.straight_up_to);
    record.beside = Beside {
        uses,
        identifiers: sorted(&declared.identifiers),
        links,
        passed: passed.map(|passage| {
            let entry = entry(&passage);
            (passage, entry)
        }),
    };
    record
}

/// A record that is kept, as it is read again.
pub(super) fn kept(record: Record) -> Record {
    Record {
        beside: Beside::default(),
        ..record
    }
}

/// Who passed it is a rule, with its version and its line.
fn entry(passage: &Passage) -> Entry {
    let rule = passage.review.reason.as_ref().map_or("", Slug::as_str);
    Entry {
        at: passage.review.at,
        actor: "service".to_owned(),
        action: Action::Pass,
        subject: passage.review.decision_id.clone(),
        detail: format!(
            "{rule}: {} asked for, up to {}",
            passage.asked, passage.up_to
        ),
    }
}

impl Opened {
    /// What the books say, and what is taken in them.
    pub(super) fn into_parts(self) -> (Books, Vec<Use>) {
        (self.books, self.uses)
    }
}
