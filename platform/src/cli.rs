//! What the program is told: arguments and subcommands.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use platform::command::{archive, client, erase, monitor, prove, user};
use schemas::hash::Hash;
use schemas::ids::{Origin, Slug};

/// Tracebond's traceability service.
#[derive(Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Make a folder with keys, CA and a configuration to fill in.
    Init {
        /// The folder.
        folder: PathBuf,
        /// The log's name, for example `log.example.org/tracebond`.
        #[arg(long)]
        origin: Origin,
        /// The operator's own organisation.
        #[arg(long)]
        organisation: Slug,
    },
    /// Test a configuration before the start; changes nothing.
    Check {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// One JSON array instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Accounts of people who read their organisation's page.
    User {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        #[command(subcommand)]
        what: UserCommand,
    },
    /// Machines that fetch their own tokens at `POST /oauth2/token`.
    Client {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        #[command(subcommand)]
        what: ClientCommand,
    },
    /// Run the service.
    Serve {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Bring the tables up to date as their owner and, on PostgreSQL, let the service's role do no
    /// more than it needs.
    ///
    /// The service's role is the user of `database` in the configuration (or of DATABASE_URL); it
    /// must exist. The owner's address is read from DATABASE_OWNER_URL; without it the service's
    /// own role migrates, and owns the tables. With DATABASE_ERASER_URL the eraser's role is given
    /// what it needs, too.
    Migrate {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Erase the content of events; their statements, leaves and proofs stay.
    ///
    /// On PostgreSQL the eraser's role does it, whose address is read from DATABASE_ERASER_URL; with
    /// DATABASE_OWNER_URL the tables are written anew afterwards.
    Erase {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        #[command(flatten)]
        what: erase::Arguments,
    },
    /// Move the content of events of old months out of the database, into files that prove it.
    ///
    /// On PostgreSQL the owner of the tables does it, whose address is read from
    /// DATABASE_OWNER_URL. Statements, leaves and proofs stay where they are.
    Archive(archive::Arguments),
    /// Check proof bundles; needs no database and no network.
    Verify {
        /// Bundles.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A policy file that you trust; default: `policy.json` beside the bundle or one
        /// folder up, if there is one.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// A C2SP tlog-policy that the newest checkpoint must satisfy, too. Who admits
        /// organisations stands in a policy file only.
        #[arg(long, value_name = "FILE")]
        tlog_policy: Option<PathBuf>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make the proof bundle of events in this platform's database, and check it.
    Prove(prove::Arguments),
    /// Write the files of a Mosquitto with the embedded broker's rules (`[broker.mosquitto]`).
    BrokerConfig {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Whom readers trust: show the policies of the log, prepare the next one.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Look after the log.
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Follow a log from outside; needs nothing of the platform's but its address.
    ///
    /// Exit code with --once: 0 without an alarm, 1 with one (also of an earlier round), 2 if
    /// something could not be read.
    Monitor(Box<monitor::Arguments>),
    /// Run a witness.
    Witness {
        /// Its name in cosignatures.
        #[arg(long)]
        name: String,
        /// Its key file; made if it is not there.
        #[arg(long)]
        key: PathBuf,
        /// Its memory; made if it is not there.
        #[arg(long)]
        memory: PathBuf,
        /// Where it listens.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// A log that it cosigns: `ORIGIN=KEY_IN_HEX`; may be repeated, also for further keys of
        /// one origin.
        #[arg(long = "log", required = true)]
        logs: Vec<String>,
        /// Folder with `server.pem` and `server.key`: HTTPS instead of plain HTTP.
        #[arg(long, value_name = "FOLDER")]
        tls: Option<PathBuf>,
        /// Listener of `GET /metrics`, plain HTTP.
        #[arg(long, value_name = "ADDRESS")]
        metrics: Option<SocketAddr>,
    },
}

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// The policies of the log.
    Show {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// What the configuration would make of the next policy, and whether it may follow.
    Next {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Let it follow at the next start.
    Activate {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// What `next` has shown at its end.
        terms: Hash,
    },
    /// Make the file of a next log key.
    NewKey {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum UserCommand {
    /// Make an account; the password is one line of standard input.
    Add {
        /// Unique on this platform.
        #[arg(long)]
        name: Slug,
        /// Whose page the person may read.
        #[arg(long)]
        organisation: Slug,
    },
    /// Give an account another password (one line of standard input).
    Password {
        /// Whose.
        #[arg(long)]
        name: Slug,
    },
    /// Close an account.
    Close {
        /// Whose.
        #[arg(long)]
        name: Slug,
    },
    /// Open a closed account again.
    Open {
        /// Whose.
        #[arg(long)]
        name: Slug,
    },
    /// Remove the second factor of somebody whose phone is gone; its sessions end.
    ResetFactor {
        /// Whose.
        #[arg(long)]
        name: Slug,
        /// Who has seen that it is they: another person with an open account.
        #[arg(long)]
        by: Slug,
    },
    /// Link an account to a subject of the log-in provider.
    Link {
        /// Whose.
        #[arg(long)]
        name: Slug,
        /// As the provider names the person (`sub` in its tokens).
        #[arg(long)]
        subject: String,
    },
    /// Remove every link of an account.
    Unlink {
        /// Whose.
        #[arg(long)]
        name: Slug,
    },
    /// List all accounts.
    List,
}

impl UserCommand {
    pub fn act(self) -> anyhow::Result<user::Act> {
        Ok(match self {
            Self::Add { name, organisation } => user::Act::Add {
                name,
                organisation,
                password: user::password()?,
            },
            Self::Password { name } => user::Act::Password {
                name,
                password: user::password()?,
            },
            Self::Close { name } => user::Act::Close { name, closed: true },
            Self::Open { name } => user::Act::Close {
                name,
                closed: false,
            },
            Self::ResetFactor { name, by } => user::Act::ResetFactor { name, by },
            Self::Link { name, subject } => user::Act::Link { name, subject },
            Self::Unlink { name } => user::Act::Unlink { name },
            Self::List => user::Act::List,
        })
    }
}

#[derive(Subcommand)]
pub enum ClientCommand {
    /// Make a client; its secret is printed once, unless it shows assertions of its own key.
    Add {
        /// Of the `[[capturer]]` or `[[reader]]` that it is.
        #[arg(long)]
        name: Slug,
        /// What it may ask for: `capture`, `evidence`, `documents`; may be given again.
        #[arg(long = "scope", required = true)]
        scopes: Vec<Slug>,
        /// Its Ed25519 public key in hex, if it signs assertions (RFC 7523) instead.
        #[arg(long)]
        public_key: Option<Hash>,
    },
    /// Close a client; its tokens end at once.
    Close {
        /// Which.
        #[arg(long)]
        name: Slug,
    },
    /// Open a closed client again.
    Open {
        /// Which.
        #[arg(long)]
        name: Slug,
    },
    /// List all clients.
    List,
}

impl ClientCommand {
    pub fn act(self) -> client::Act {
        match self {
            Self::Add {
                name,
                scopes,
                public_key,
            } => client::Act::Add {
                name,
                scopes: scopes.into_iter().collect(),
                public_key,
            },
            Self::Close { name } => client::Act::Close { name, closed: true },
            Self::Open { name } => client::Act::Close {
                name,
                closed: false,
            },
            Self::List => client::Act::List,
        }
    }
}

#[derive(Subcommand)]
pub enum LogCommand {
    /// Rebuild every root, read the log as a monitor would, and compare the served folder.
    Fsck {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Write tiles anew that are missing or wrong, where database and checkpoint are right.
        /// Stop the platform first.
        #[arg(long)]
        repair: bool,
    },
}
