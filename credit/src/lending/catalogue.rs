//! Products' files, calendars and the bank's rules: those in force, and those that running loans were
//! opened under.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use schemas::config::ConfigError;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::loan::Product;
use crate::loan::life::{Conditions, Rules, RulesError};
use crate::product::Definition;
use crate::schedule::Calendar;
use crate::store::lending::{KeptTerms, Loans};
use crate::store::{StoreError, Tables};

/// Kind of [`KeptTerms`]: a product's file.
const PRODUCT: &str = "product";
/// Kind of [`KeptTerms`]: the bank's rules.
const RULES: &str = "rules";

/// Files that cannot be lent by.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file cannot be read.
    #[error("lending: cannot read {file}")]
    File {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// A file's content is wrong.
    #[error("lending")]
    Content(#[from] ConfigError),
    /// The bank's rules are refused.
    #[error("lending.rules")]
    Rules(#[from] RulesError),
    /// Two files of one product.
    #[error("lending.products: `{0}` stands twice")]
    Twice(Slug),
    /// A product names a calendar that is not there.
    #[error("lending.calendars: product `{0}` needs the calendar `{1}`")]
    Calendar(Slug, String),
    /// What is offered is not what the product's file lends.
    #[error("products.{field}: `{product}` offers {offered}, its file says {file}")]
    Offered {
        /// The product.
        product: Slug,
        /// The field of the configuration.
        field: &'static str,
        /// As configured.
        offered: String,
        /// As the file says.
        file: String,
    },
    /// A product that is offered has no file.
    #[error("lending.products: `{0}` is offered and has no file")]
    NoFile(Slug),
    /// The rules have no JSON.
    #[error("lending.rules")]
    Json(#[from] serde_json::Error),
    /// They cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Text of a file with its name for errors.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What is lent, by which rules.
#[derive(Debug)]
pub struct Catalogue {
    current: BTreeMap<Slug, Arc<Conditions>>,
    calendars: BTreeMap<String, Calendar>,
    files: Vec<KeptTerms>,
    // Everything that loans were ever opened under; grows when another process brings in more.
    known: RwLock<BTreeMap<(Hash, Hash), Arc<Conditions>>>,
}

impl Catalogue {
    /// Reads products and calendars.
    ///
    /// # Errors
    /// [`CatalogueError`], naming file or field.
    pub fn read(
        products: &[SourceFile],
        calendars: &[SourceFile],
        rules: &Rules,
    ) -> Result<Self, CatalogueError> {
        let mut read = BTreeMap::new();
        for file in calendars {
            let calendar = Calendar::parse(&file.name, &file.text)?;
            read.insert(calendar.id.clone(), calendar);
        }
        let mut files = vec![KeptTerms {
            hash: rules.hash()?,
            kind: RULES.to_owned(),
            body: serde_json::to_string(rules)?,
        }];
        let mut current = BTreeMap::new();
        for file in products {
            let product = Definition::parse(&file.name, &file.text)?;
            check_calendar(&product, &read)?;
            files.push(KeptTerms {
                hash: product.hash,
                kind: PRODUCT.to_owned(),
                body: file.text.clone(),
            });
            let id = product.id.clone();
            let conditions = Arc::new(Conditions::new(product, rules.clone())?);
            if current.insert(id.clone(), conditions).is_some() {
                return Err(CatalogueError::Twice(id));
            }
        }
        Ok(Self {
            current,
            calendars: read,
            files,
            known: RwLock::default(),
        })
    }

    /// Holds what is offered against the files: every product that is offered has one, in the same
    /// currency, and within its amounts.
    ///
    /// # Errors
    /// [`CatalogueError::NoFile`], [`CatalogueError::Offered`].
    pub fn check_offered<'p>(
        &self,
        offered: impl IntoIterator<Item = &'p Product>,
    ) -> Result<(), CatalogueError> {
        for product in offered {
            let no_file = || CatalogueError::NoFile(product.id.clone());
            let file = &self.current.get(&product.id).ok_or_else(no_file)?.product;
            let wrong = |field, offered: String, file: String| CatalogueError::Offered {
                product: product.id.clone(),
                field,
                offered,
                file,
            };
            let (offers, lends) = (product.cap.currency(), file.maximum.currency());
            if offers != lends {
                return Err(wrong("currency", offers.to_string(), lends.to_string()));
            }
            if product.minimum.fen() < file.minimum.fen() {
                let (offers, lends) = (product.minimum.to_string(), file.minimum.to_string());
                return Err(wrong("minimum", offers, lends));
            }
            if product.cap.fen() > file.maximum.fen() {
                let (offers, lends) = (product.cap.to_string(), file.maximum.to_string());
                return Err(wrong("cap", offers, lends));
            }
        }
        Ok(())
    }

    /// Keeps the files in force, so that loans that are opened under them always find them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep(&self, store: &dyn Tables, at: Instant) -> Result<(), StoreError> {
        store.keep_terms(&self.files, at).await
    }

    /// The conditions of a product that new loans are opened under.
    #[must_use]
    pub fn current(&self, product: &Slug) -> Option<&Arc<Conditions>> {
        self.current.get(product)
    }

    /// The calendar of a product; one without holidays for a product that names none.
    #[must_use]
    pub fn calendar(&self, product: &Definition) -> Calendar {
        let named = product.calendar.as_ref();
        named
            .and_then(|id| self.calendars.get(id))
            .cloned()
            .unwrap_or_default()
    }

    /// The conditions that a loan was opened under.
    ///
    /// # Errors
    /// [`StoreError::Row`] if they are not kept or cannot be read any more.
    pub async fn conditions(
        &self,
        store: &dyn Loans,
        product: Hash,
        rules: Hash,
    ) -> Result<Arc<Conditions>, StoreError> {
        if let Some(known) = self.look(product, rules) {
            return Ok(known);
        }
        let what = || StoreError::Row {
            what: "product of a loan",
        };
        let kept = store.kept_terms().await?;
        let find = |hash: Hash, kind: &str| {
            let found = kept.iter().find(|one| one.hash == hash && one.kind == kind);
            found.ok_or_else(what)
        };
        let (product_file, rules_file) = (find(product, PRODUCT)?, find(rules, RULES)?);
        let definition = Definition::parse("kept product", &product_file.body);
        let definition = definition.map_err(|_| what())?;
        let bank: Rules = serde_json::from_str(&rules_file.body).map_err(|_| what())?;
        let made = Conditions::new(definition, bank).map_err(|_| what())?;
        if made.product.hash != product || made.rules_hash() != rules {
            return Err(what());
        }
        let made = Arc::new(made);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert((product, rules), Arc::clone(&made));
        Ok(made)
    }

    fn look(&self, product: Hash, rules: Hash) -> Option<Arc<Conditions>> {
        let is_it =
            |one: &&Arc<Conditions>| one.product.hash == product && one.rules_hash() == rules;
        if let Some(current) = self.current.values().find(is_it) {
            return Some(Arc::clone(current));
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&(product, rules)).cloned()
    }
}

fn check_calendar(
    product: &Definition,
    calendars: &BTreeMap<String, Calendar>,
) -> Result<(), CatalogueError> {
    match &product.calendar {
        Some(named) if !calendars.contains_key(named) => {
            Err(CatalogueError::Calendar(product.id.clone(), named.clone()))
        }
        _ => Ok(()),
    }
}
