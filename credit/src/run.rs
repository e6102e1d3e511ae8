//! The service as one component: store, use case and HTTP, until a token is cancelled.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use kit::people::SetUpError;
use kit::routes::Entry;
use kit::serve::{self, ServeError};
use schemas::log::EntryError;
use schemas::time::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::config::Config;
use crate::desk::{Desk, sealed};
use crate::evidence::EvidencePort;
use crate::evidence::verify::TrustedPolicy;
use crate::http;
use crate::loan::reason::first_list;
use crate::score::{Model, ModelError};
use crate::service::{Credit, Terms};
use crate::store::{self, StoreError};

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
    /// Their accounts.
    pub accounts: Accounts,
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
    /// The database (`database` in the configuration) cannot be used, or holds other limits under
    /// this version.
    #[error("database: it cannot be used")]
    Store(#[from] StoreError),
    /// Accounts and sessions cannot be kept.
    #[error(transparent)]
    Accounts(#[from] SetUpError),
    /// The key of exports (`desk.export_key`); `credit export-key` makes one.
    #[error("the key of exports cannot be used")]
    ExportKey(#[from] sealed::KeyFileError),
    /// The listener of metrics.
    #[error("metrics cannot be served")]
    Metrics(#[from] kit::metrics::MetricsError),
    /// The address is taken.
    #[error(transparent)]
    Serve(#[from] ServeError),
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
    let store = store::open(&config.database).await?;
    store.declare(&config.sandbox, clock.now()).await?;
    store.seed_reasons(&first_list()).await?;
    let listener = serve::bind(config.listen)?;
    let own = match (&config.desk.origin, listener.local_addr()) {
        (Some(origin), _) => origin.clone(),
        (None, Ok(bound)) => format!("http://{bound}"),
        (None, Err(_)) => String::new(),
    };
    let accounts = Accounts::new(&config.desk, &own, Arc::clone(&store), Arc::clone(&clock))?;
    let shared = Arc::clone(&store);
    let credit = Arc::new(Credit::new(terms, shared, evidence, Arc::clone(&clock)));
    let signer = config.desk.export_key.as_deref().map(sealed::load_key);
    let desk = Desk::new(Arc::clone(&credit), config.desk.clone(), clock)
        .signing_with(signer.transpose()?)
        .ending_with(shutdown.clone());
    let desk = Arc::new(desk);
    if let Some(address) = config.metrics {
        kit::metrics::listen(address, &crate::metrics::ALL, shutdown.clone()).await?;
    }
    let (router, routes) = http::routes(&accounts, &desk, &config).into_parts();
    let served = serve::serve_on(listener, router, None, serve::Limits::default(), shutdown)?;
    let join = tokio::spawn(async move {
        if let Ok(Err(error)) = served.task.await {
            tracing::error!(%error, "credit stopped serving");
        }
        store.close().await;
    });
    Ok(Handle {
        address: served.address,
        routes,
        credit,
        desk,
        accounts,
        join,
    })
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
    Ok(Terms {
        policy,
        rules: config.rules,
        evidence_max_age: config.evidence.max_age,
        products: config.products.clone(),
        sandbox: config.sandbox.id.clone(),
        model: table(config.scorecard.as_ref())?,
    })
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
