//! `platform init`: a folder with keys, CA and a configuration to fill in.

use std::path::{Path, PathBuf};

use schemas::b64;
use schemas::ids::{Origin, Slug};
use schemas::time::Instant;

use crate::keys::{KeyFileError, Keys};
use crate::operator::Operator;
use crate::tls::{self, TlsError};

/// The folder cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is a configuration already; nothing was changed.
    #[error("{0} exists already; nothing was changed")]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("a file cannot be written")]
    Io(#[from] std::io::Error),
    /// A key cannot be made.
    #[error("a key cannot be made")]
    Keys(#[from] KeyFileError),
    /// The CA cannot be made.
    #[error("the CA cannot be made")]
    Tls(#[from] TlsError),
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// The configuration to fill in.
    pub config: PathBuf,
    /// The operator's record, to be signed by a registrar (base64 of the payload).
    pub draft: PathBuf,
    /// Log id and key for claims and policies, as lines.
    pub summary: String,
}

/// Makes keys, CA, operator's record and a commented configuration in `folder`.
///
/// # Errors
/// [`InitError`].
pub fn init(
    folder: &Path,
    origin: &Origin,
    organisation: &Slug,
    now: Instant,
) -> Result<Made, InitError> {
    let config = folder.join("platform.toml");
    if config.exists() {
        return Err(InitError::Exists(config));
    }
    std::fs::create_dir_all(folder)?;
    let data = folder.join("data");
    let keys = Keys::load_or_make(&data.join("keys"))?;
    let authority = tls::Files::authority(&data.join("tls"));
    if !authority.certificate.exists() {
        std::fs::create_dir_all(data.join("tls"))?;
        tls::create_ca(&data.join("tls"), now)?;
    }
    let ca = tls::fingerprint(&std::fs::read_to_string(&authority.certificate)?)?;
    let log_key = keys.log.public_bytes();
    let log = origin.log_id(&log_key);
    let operator = Operator {
        log,
        slug: organisation.clone(),
        keys,
        capture_devices: Vec::new(),
    };
    let draft = folder.join("operator-record.b64");
    let record = operator.own_record();
    std::fs::write(&draft, format!("{}\n", b64::encode(&record.payload())))?;
    std::fs::write(&config, template(origin, organisation, &data))?;
    let summary = format!(
        "log id   {log}\nlog key  {}\nCA       {ca}\noperator {}\n",
        hex::encode(log_key),
        record.kid(),
    );
    Ok(Made {
        config,
        draft,
        summary,
    })
}

fn template(origin: &Origin, organisation: &Slug, data: &Path) -> String {
    format!(
        r#"# The platform. Fill in witnesses and registrars, then: platform serve --config THIS_FILE
origin = "{origin}"            # the log's name; never change it
data = "{data}"                # database, keys, log
# database = "postgres://USER:PASSWORD@HOST/NAME"   # instead of a file there; or DATABASE_URL
organisation = "{organisation}"        # the operator's own
listen = "127.0.0.1:8443"      # pages and machines
tls = true                     # HTTPS and MQTT over TLS by the CA in data/tls
names = ["localhost", "127.0.0.1"]
# metrics = "127.0.0.1:9464"   # GET /metrics for Prometheus
# logs = "json"                # one JSON object a line, for collectors
quorum = 3                     # cosignatures that a checkpoint needs
# log_key = "log-2"            # another log key, after `platform policy new-key`

[broker]                       # the embedded one; or url, public, username, password of another
listen = "127.0.0.1:1883"
listen_tls = "127.0.0.1:8883"
# url = "mqtt://127.0.0.1:1884"            # another broker: where this platform's ingest finds it
# public = "mqtts://broker.example:8883"   # and where gateways find it

# [broker.mosquitto]           # that broker is Mosquitto: platform broker-config writes its files
# folder = "/etc/mosquitto/tracebond"
# pid_file = "/run/mosquitto/mosquitto.pid"

[anchor]
batch_ms = 1000                # a batch closes after this time
deadline_s = 600               # what receipts promise
gap_grace_s = 60               # a missing statement is a gap after this time
# lease_s = 10                 # on PostgreSQL: a second platform takes over after this time

# [[witness]]                  # one for each; keys in hex
# name = "bank.example/witness"
# url = "https://witness.bank.example"
# key = "..."
# retiring = true              # not in the policy, but asked to sign the end of the one before

# [[registrar]]                # who admits organisations
# name = "association"
# key = "..."

[log_in]                       # second factors: everybody may set one up after log-in
# second_factor = ["qinghe"]   # organisations whose people must have one
# seal_file = "log-in.key"     # in the data folder; made at the first start, keep a copy

# [log_in.provider]            # log-in by OpenID Connect; then: platform user link
# issuer = "https://login.example"
# client_id = "tracebond"
# client_secret_file = "log-in.secret"

# [[reader]]                   # who may read evidence, of whom its organisation's key has signed a
# name = "first-bank"          # consent to this name: tracebond-org consent grant first-bank
# token_sha256 = "..."
# organisations = ["qinghe"]   # these without one, where you vouch for their consent
# unsigned_consent = true

# [[capturer]]                 # a machine that declares events: POST /capture with its token
# name = "qinghe-erp"
# organisation = "qinghe"
# token_sha256 = "..."
# places = ["https://id.gs1.org/414/9521001000017"]
# steps = ["shipping", "receiving"]
"#,
        data = data.display(),
    )
}
