//! The service as one component: store, use case and HTTP, until a token is cancelled.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit::people::SetUpError;
use kit::routes::Entry;
use kit::serve::{self, ServeError};
use schemas::log::EntryError;
use schemas::time::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::config::{Config, Consent};
use crate::desk::{Desk, sealed};
use crate::evidence::EvidencePort;
use crate::evidence::attestation::{Issuers, IssuersError};
use crate::evidence::verify::TrustedPolicy;
use crate::evidence::weight::{Weights, WeightsError};
use crate::http;
use crate::lending::bank::{BankError, HttpBank};
use crate::lending::ports::{NoBank, NoTrial, Room};
use crate::lending::{self, CatalogueError, Lending, Ports};
use crate::loan::reason::first_list;
use crate::logged::Logged;
use crate::models::in_use::{self, InUseError};
use crate::pledge::cover::Pledged;
use crate::pledge::office::Office;
use crate::pledge::value::table::Table;
use crate::rounds;
use crate::score::{Model, ModelError};
use crate::service::{Asked, Consenting, Credit, IssuerList, Lends, LendsOn, Terms};
use crate::store::sandbox::{TrialStore, Trials};
use crate::store::{self, StoreError, Tables};
use crate::trials::{self, LentLoans, StartTrialError};
use crate::watching::Watcher;

/// A running service.
pub struct Handle {
    /// Where it listens, with the real port.
    pub address: SocketAddr,
    /// Every route of the built router.
    pub routes: Vec<Entry>,
    /// The use case, for callers within the process.
    pub credit: Arc<Credit>,
    /// The desk of the bank's people.
    pub desk: Arc<Desk>,
    /// The office where pledges are taken.
    pub office: Arc<Office>,
    /// Their accounts.
    pub accounts: Accounts,
    /// The life of loans, if it is configured.
    pub lending: Option<Arc<Lending>>,
    /// Ends once requests are drained and the database is closed.
    pub join: JoinHandle<()>,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The policy file cannot be read.
    #[error("cannot read the policy file {file}")]
    PolicyFile {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The policy file's content is wrong.
    #[error("the policy file {file} is refused")]
    Policy {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: EntryError,
    },
    /// The points table cannot be read.
    #[error("cannot read the points table {file}")]
    TableFile {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The points table is wrong.
    #[error("the points table is refused")]
    Model(#[from] ModelError),
    /// The points table says it came from a scorecard, and may not score.
    #[error(transparent)]
    InUse(#[from] InUseError),
    /// The list of issuers cannot be read.
    #[error("consent.issuers: cannot read {file}")]
    IssuersFile {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The list of issuers is wrong.
    #[error("consent.issuers: the list is refused")]
    Issuers(#[from] IssuersError),
    /// The built-in table of weights is wrong.
    #[error("the table of weights is refused")]
    Weights(#[from] WeightsError),
    /// The database (`database` in the configuration) cannot be used, or holds other limits under
    /// this version.
    #[error("database: it cannot be used")]
    Store(#[from] StoreError),
    /// The declared trial (`trial` in the configuration).
    #[error(transparent)]
    Trial(Box<StartTrialError>),
    /// The table of haircuts is wrong.
    #[error("the table of haircuts is refused")]
    Haircuts(#[from] schemas::config::ConfigError),
    /// Accounts and sessions cannot be kept.
    #[error(transparent)]
    Accounts(#[from] SetUpError),
    /// The key of exports (`desk.export_key`); `credit export-key` makes one.
    #[error("the key of exports cannot be used")]
    ExportKey(#[from] sealed::KeyFileError),
    /// Loans of before cannot be read.
    #[error("loans that were made before cannot be counted")]
    Lending(#[from] lending::LendingError),
    /// The files that are lent by.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The bank's core system.
    #[error(transparent)]
    Bank(#[from] BankError),
    /// The bank's token cannot be read.
    #[error("lending.bank.token_file: cannot read {file}")]
    BankToken {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The listener of metrics.
    #[error("metrics cannot be served")]
    Metrics(#[from] kit::metrics::MetricsError),
    /// The address is taken.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl From<StartTrialError> for StartError {
    fn from(error: StartTrialError) -> Self {
        Self::Trial(Box::new(error))
    }
}

/// Starts the service; it listens when this returns.
///
/// # Errors
/// [`StartError`].
pub async fn run(
    config: Config,
    evidence: Arc<dyn EvidencePort>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<Handle, StartError> {
    let terms = terms(&config)?;
    if let Consenting::Waived(reason) = &terms.consenting {
        tracing::warn!(
            reason,
            "no signed consent is asked for before evidence is read"
        );
    }
    let store = store::open(&config.database).await?;
    in_use::check(&*store, &terms.model).await?;
    let model = terms.model.clone();
    let trial = trial(&config, &store, &clock).await?;
    let logged = || Logged::new(Arc::clone(&evidence), terms.policy.clone());
    let logged = config.evidence.documents.then(logged);
    let trial = match &logged {
        Some(logged) => trial.map(|office| office.logging(logged.clone())),
        None => trial,
    };
    store.seed_reasons(&first_list()).await?;
    let listener = serve::bind(config.listen)?;
    let own = match (&config.desk.origin, listener.local_addr()) {
        (Some(origin), _) => origin.clone(),
        (None, Ok(bound)) => format!("http://{bound}"),
        (None, Err(_)) => String::new(),
    };
    let accounts = Accounts::new(&config.desk, &own, Arc::clone(&store), Arc::clone(&clock))?;
    let (policy, late_after) = (terms.policy.clone(), terms.rules.late_after);
    let shared = Arc::clone(&store);
    let watch = Arc::new(Watcher::new(
        Arc::clone(&store),
        Arc::clone(&evidence),
        policy,
        late_after,
        Arc::clone(&clock),
    ));
    let credit = Credit::new(terms, shared, evidence, Arc::clone(&clock));
    let credit = credit.lending_on(lends(&config)?);
    let credit = match logged {
        Some(logged) => credit.logging(logged),
        None => credit,
    };
    let credit = Arc::new(match &trial {
        Some(office) => credit.within(office.clone()),
        None => credit,
    });
    credit.catch_up_shadows().await;
    let lender = Arc::clone(&credit);
    let office = Office::new(
        lender,
        Table::built_in()?,
        config.sandbox.id.clone(),
        Arc::clone(&clock),
    );
    let office = Arc::new(office);
    let room = room_of(trial.as_ref());
    let lending = lending(&config, Arc::clone(&store), room, Arc::clone(&clock)).await?;
    let signer = config.desk.export_key.as_deref().map(sealed::load_key);
    let beat = Arc::clone(&clock);
    let desk = Desk::new(Arc::clone(&credit), config.desk.clone(), clock)
        .signing_with(signer.transpose()?)
        .ending_with(shutdown.clone());
    let desk = Arc::new(desk);
    if let Some(address) = config.metrics {
        kit::metrics::listen(address, &crate::metrics::ALL, shutdown.clone()).await?;
    }
    in_use::enter(&*store, &model, config.scorecard.as_deref(), beat.now()).await?;
    let (router, routes) =
        http::routes(&accounts, &desk, &office, lending.as_ref(), &config).into_parts();
    let limits = serve::Limits::default();
    let served = serve::serve_on(listener, router, None, limits, shutdown.clone())?;
    let watching = tokio::spawn(watch.run(shutdown.clone()));
    let handing = cards_handed_over(&credit, beat, &shutdown);
    let watched = trial.map(|office| trials::watch::spawn(office, shutdown.clone()));
    let followed = lending.clone().map(|lending| {
        let stop = shutdown.clone();
        tokio::spawn(lending::daily::follow(lending, stop))
    });
    let join = tokio::spawn(async move {
        if let Ok(Err(error)) = served.task.await {
            tracing::error!(%error, "credit stopped serving");
        }
        shutdown.cancel();
        if let Err(error) = watching.await {
            tracing::error!(%error, "the watch over pledged goods ended badly");
        }
        if let Some(followed) = followed {
            // It ends after the write that it is in.
            let _ = followed.await;
        }
        if let Some(watched) = watched {
            // It ends with the token; one that broke off has said so.
            let _ = watched.await;
        }
        if let Some(handing) = handing {
            let _ = handing.await;
        }
        store.close().await;
    });
    Ok(Handle {
        address: served.address,
        routes,
        credit,
        desk,
        office,
        accounts,
        lending,
        join,
    })
}

/// Hands cards of promoted models over for the log, where the configuration says so.
fn cards_handed_over(
    credit: &Arc<Credit>,
    clock: Arc<dyn Clock>,
    shutdown: &CancellationToken,
) -> Option<JoinHandle<()>> {
    let shutdown = shutdown.clone();
    let credit = credit.hands_over().then(|| Arc::clone(credit))?;
    Some(rounds::spawn(clock, shutdown, move || {
        let credit = Arc::clone(&credit);
        async move {
            if let Err(error) = credit.hand_cards_over().await {
                let error = schemas::causes::causes(&error);
                tracing::error!(error, "cards of models could not be handed over");
            }
        }
    }))
}

/// The limits that loans are paid out and repaid under: those of the declared trial, if there is one.
///
/// # Errors
/// [`StartError`] for a declaration that cannot be used.
pub async fn room(
    config: &Config,
    store: &Arc<dyn Tables>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Room>, StartError> {
    Ok(room_of(trial(config, store, clock).await?.as_ref()))
}

fn room_of(trial: Option<&trials::Office>) -> Arc<dyn Room> {
    match trial {
        Some(office) => Arc::new(office.lender()),
        None => Arc::new(NoTrial),
    }
}

/// The life of loans as the configuration says it, with its files kept; nothing where it is not
/// configured.
///
/// # Errors
/// [`StartError`], naming file or field.
pub async fn lending(
    config: &Config,
    store: Arc<dyn Tables>,
    room: Arc<dyn Room>,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<Lending>>, StartError> {
    let Some(settings) = &config.lending else {
        return Ok(None);
    };
    let catalogue = settings.catalogue()?;
    catalogue.check_offered(config.products.values())?;
    catalogue.keep(&*store, clock.now()).await?;
    let rules = lending::Rules {
        book: config.sandbox.id.clone(),
        review: config.desk.review.clone(),
        drawn_within: settings.drawn_within,
    };
    let ports = Ports {
        cover: Arc::new(Pledged::new(Arc::clone(&store))),
        room,
        bank: bank(settings)?,
    };
    let made = Lending::new(store, catalogue, rules, ports, clock);
    let told = made.tell_old().await?;
    if told > 0 {
        tracing::info!(loans = told, "loans have told what they came to");
    }
    Ok(Some(Arc::new(made)))
}

/// What the products lend on, as their files say; nothing is known of products without one.
fn lends(config: &Config) -> Result<Lends, StartError> {
    let Some(settings) = &config.lending else {
        return Ok(Lends::default());
    };
    let catalogue = settings.catalogue()?;
    let known = config.products.keys().filter_map(|id| {
        let product = &catalogue.current(id)?.product;
        let lends = LendsOn {
            basis: product.kind.basis(),
            holidays: product
                .calendar
                .as_ref()
                .map(|_| catalogue.calendar(product)),
        };
        Some((id.clone(), lends))
    });
    Ok(known.collect())
}

fn bank(settings: &lending::Settings) -> Result<Arc<dyn lending::ports::Bank>, StartError> {
    let Some(source) = &settings.bank else {
        return Ok(Arc::new(NoBank));
    };
    let token = source.token_file.as_ref().map(|file| {
        let unread = |source| StartError::BankToken {
            file: file.clone(),
            source,
        };
        std::fs::read_to_string(file).map_err(unread)
    });
    let token = token.transpose()?.map(|token| token.trim().to_owned());
    Ok(Arc::new(HttpBank::new(
        &source.base,
        source.timeout,
        token,
    )?))
}

/// The office of the declared trial, after its declaration is kept; without one the limits of the
/// configuration are put in force.
async fn trial(
    config: &Config,
    store: &Arc<dyn Tables>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<trials::Office>, StartError> {
    let tables: Arc<dyn TrialStore> = Arc::<dyn Tables>::clone(store);
    let Some(terms) = &config.trial else {
        if tables.trial_guard(&config.sandbox.id).await?.is_some() {
            let id = config.sandbox.id.clone();
            return Err(StartTrialError::Undeclared(id).into());
        }
        store.declare(&config.sandbox, clock.now()).await?;
        return Ok(None);
    };
    let trials = Trials::new(tables);
    trials::start(&trials, terms, clock.now()).await?;
    let (store, clock) = (Arc::clone(store), Arc::clone(clock));
    let terms = Arc::new(terms.clone());
    let book = terms.trial.clone();
    let loans = LentLoans::new(Arc::clone(&store), book, terms.currency);
    let loans = Arc::new(loans);
    Ok(Some(trials::Office::new(
        trials, store, loans, clock, terms,
    )))
}

/// What the bank decides by, as its configuration says.
///
/// # Errors
/// [`StartError`] for a policy file or points table that cannot be used.
pub fn terms(config: &Config) -> Result<Terms, StartError> {
    let file = config.policy.clone();
    let text = std::fs::read(&file).map_err(|source| StartError::PolicyFile {
        file: file.clone(),
        source,
    })?;
    let policy =
        TrustedPolicy::parse(&text).map_err(|source| StartError::Policy { file, source })?;
    let consenting = consenting(&config.consent, &policy)?;
    Ok(Terms {
        policy,
        consenting,
        rules: config.rules,
        evidence_max_age: config.evidence.max_age,
        products: config.products.clone(),
        sandbox: config.sandbox.id.clone(),
        model: table(config.scorecard.as_ref())?,
    })
}

fn consenting(consent: &Consent, policy: &TrustedPolicy) -> Result<Consenting, StartError> {
    let (bank, issuers, codes) = match consent {
        Consent::Waived(reason) => return Ok(Consenting::Waived(reason.clone())),
        Consent::Asked {
            bank,
            issuers,
            codes,
        } => (bank, issuers, codes),
    };
    let issuers = issuers.as_ref().map(|file| issuer_list(file, policy));
    Ok(Consenting::Asked(Box::new(Asked {
        bank: bank.clone(),
        issuers: issuers.transpose()?,
        codes: codes.clone(),
        weights: Weights::built_in()?,
    })))
}

fn issuer_list(file: &Path, policy: &TrustedPolicy) -> Result<IssuerList, StartError> {
    let unread = |source| StartError::IssuersFile {
        file: file.to_owned(),
        source,
    };
    let text = std::fs::read_to_string(file).map_err(unread)?;
    let issuers = Issuers::parse(&file.display().to_string(), &text, policy.policy())?;
    Ok(IssuerList { text, issuers })
}

fn table(file: Option<&PathBuf>) -> Result<Model, StartError> {
    let Some(file) = file else {
        return Ok(Model::built_in()?);
    };
    let unread = |source| StartError::TableFile {
        file: file.clone(),
        source,
    };
    let text = std::fs::read_to_string(file).map_err(unread)?;
    Ok(Model::parse(&file.display().to_string(), &text)?)
}
