//! `tracebond-org`: an organisation's own key tool. Everything it does is in [`platform::keytool`].
//!
//! It runs where the organisation's key is, never where the operator is.

mod consent;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use platform::keytool::{self, Change, Folder, Issued, Office, Settings, Wish};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::registry::SignedRecord;
use schemas::statement::Position;
use schemas::time::Instant;

/// Keeps an organisation's key and signs the records of its devices.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The organisation's folder.
    #[arg(long, global = true, default_value = "tracebond-org")]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the folder with a new key, for its owner only.
    Init {
        /// The organisation's name in the registry.
        #[arg(long)]
        name: Slug,
        /// Address of the platform.
        #[arg(long)]
        platform: String,
        /// The log's first policy file, from somebody whom you trust.
        #[arg(long)]
        policy: PathBuf,
        /// The platform's CA in PEM; none for plain HTTP on loopback.
        #[arg(long)]
        ca: Option<PathBuf>,
    },
    /// Write what a registrar signs, and show the key's kid for comparison.
    Apply {
        /// Where.
        #[arg(long, default_value = "application.cose")]
        out: PathBuf,
    },
    /// The registrar's side: sign an organisation's application.
    Admit {
        /// File of the registrar's key; made if it is not there.
        #[arg(long)]
        registrar_key: PathBuf,
        /// The application; without it, only the registrar's public key is shown.
        application: Option<PathBuf>,
        /// The kid's beginning as the organisation has read it out, eight digits or more.
        #[arg(long, default_value = "")]
        kid: String,
        /// Where the signed record goes.
        #[arg(long, default_value = "organisation.cose")]
        out: PathBuf,
    },
    /// Hand in the organisation's record that a registrar has signed.
    Join {
        /// The record.
        record: PathBuf,
    },
    /// Issue a claim for a device and show it as a QR code.
    Claim {
        #[command(flatten)]
        wish: WishArguments,
        /// File for the claim, to be carried to the device; owner-only.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Show claims whose devices are not enrolled yet, with the kid of the key that asks.
    Waiting,
    /// Sign for a device whose kid you have compared: first its draft, then, once it has consented,
    /// its record.
    Sign {
        /// Which device.
        device: Slug,
        /// The kid's beginning as the device shows it, eight digits or more.
        #[arg(long)]
        kid: String,
        /// How long to wait for the device's consent, in seconds.
        #[arg(long, default_value_t = 60)]
        wait: u64,
    },
    /// Issue a claim for the next key of a device; when it is signed, the present key ends.
    ///
    /// The new record allows what the present one does. `edge-agent rotate` with the claim makes the
    /// present key name its last statement.
    Rotate {
        /// Which device.
        device: Slug,
        /// File for the claim; owner-only.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// A device's key does not count for now.
    Suspend {
        /// Which device.
        device: Slug,
    },
    /// A suspended key counts again.
    Resume {
        /// Which device.
        device: Slug,
    },
    /// A device's key does not count any more.
    Revoke {
        /// Which device.
        device: Slug,
        /// What was anchored after this instant is marked (RFC 3339).
        #[arg(long, value_parser = instant)]
        compromised_since: Option<Instant>,
    },
    /// A device's key has ended in order.
    Retire {
        /// Which device.
        device: Slug,
        /// Its last statement, as the device names it: EPOCH:SEQ:ID.
        #[arg(long)]
        last: String,
    },
    /// Let a bank read this organisation's evidence, or end that.
    Consent {
        #[command(subcommand)]
        what: consent::ConsentCommand,
    },
    /// List own keys: as kept here, or as the platform's registry has them.
    List {
        /// File with a reader's token: asks the platform and checks what it shows.
        #[arg(long)]
        token: Option<PathBuf>,
    },
}

#[derive(Args)]
struct WishArguments {
    /// Which device.
    device: Slug,
    /// A place that it may name; may be repeated.
    #[arg(long = "place", required = true)]
    places: Vec<String>,
    /// A business step that it may name; may be repeated.
    #[arg(long = "step", required = true)]
    steps: Vec<String>,
    /// A source that it may claim: file, scan or sensor; may be repeated.
    #[arg(long = "source", required = true, value_parser = source)]
    sources: Vec<u8>,
    /// Seconds within which it speaks, 0 for none.
    #[arg(long, default_value_t = 3_600)]
    heartbeat: u64,
}

impl WishArguments {
    fn wish(self) -> Wish {
        Wish {
            device: self.device,
            places: self.places,
            steps: self.steps,
            sources: self.sources,
            heartbeat: self.heartbeat,
        }
    }
}

fn source(word: &str) -> Result<u8, String> {
    match word {
        "file" => Ok(1),
        "scan" => Ok(2),
        "sensor" => Ok(3),
        _ => Err("file, scan or sensor".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match execute(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tracebond-org: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(arguments: Arguments) -> Result<()> {
    let open = || Office::open(Folder::at(&arguments.folder));
    match arguments.command {
        Command::Init {
            name,
            platform,
            policy,
            ca,
        } => init(&arguments.folder, name, &platform, &policy, ca.as_deref()),
        Command::Apply { out } => apply(&open()?, &out),
        Command::Admit {
            registrar_key,
            application,
            kid,
            out,
        } => admit(&registrar_key, application.as_deref(), &kid, &out),
        Command::Join { record } => {
            let signed = SignedRecord::parse(read(&record)?)?;
            tell("in the registry", open()?.join(&signed).await?)
        }
        Command::Claim { wish, out } => {
            let office = open()?;
            show(&office.claim(wish.wish(), None)?, out.as_deref())
        }
        Command::Waiting => waiting(&open()?).await,
        Command::Sign { device, kid, wait } => sign(&open()?, &device, &kid, wait).await,
        Command::Rotate { device, out } => {
            let office = open()?;
            show(&office.rotation(&device)?, out.as_deref())
        }
        Command::Suspend { device } => change(&open()?, &device, Change::Suspend).await,
        Command::Resume { device } => change(&open()?, &device, Change::Resume).await,
        Command::Revoke {
            device,
            compromised_since,
        } => {
            let revoke = Change::Revoke { compromised_since };
            change(&open()?, &device, revoke).await
        }
        Command::Retire { device, last } => {
            let last = statement(&last)?;
            change(&open()?, &device, Change::Retire { last }).await
        }
        Command::Consent { what } => consent::consent(&open()?, what).await,
        Command::List { token } => list(&open()?, token.as_deref()).await,
    }
}

fn init(folder: &Path, name: Slug, platform: &str, policy: &Path, ca: Option<&Path>) -> Result<()> {
    let ca = match ca {
        Some(file) => String::from_utf8(read(file)?).context("the CA is no text")?,
        None => String::new(),
    };
    let settings: Settings = keytool::settings(name, platform, ca, &read(policy)?)?;
    let made = Folder::make(folder, &settings)?;
    println!(
        "made {}; its key is {}",
        folder.display(),
        made.key()?.kid()
    );
    println!("Keep a copy of organisation.key where nobody else can read it.");
    Ok(())
}

fn apply(office: &Office, out: &Path) -> Result<()> {
    write(out, &office.application())?;
    println!(
        "wrote {}; the registrar must see kid {}",
        out.display(),
        office.kid()
    );
    Ok(())
}

fn admit(key: &Path, application: Option<&Path>, kid: &str, out: &Path) -> Result<()> {
    let key = platform::keys::load_or_make(key)?;
    let Some(application) = application else {
        println!("{}", hex::encode(key.public_bytes()));
        return Ok(());
    };
    let signed = keytool::admit(&key, &read(application)?, kid)?;
    write(out, signed.bytes())?;
    let name = &signed.record.organisation;
    println!(
        "wrote {}: {name} with key {}",
        out.display(),
        signed.record.kid()
    );
    Ok(())
}

fn show(issued: &Issued, out: Option<&Path>) -> Result<()> {
    let text = serde_json::to_string(&issued.claim)?;
    match out {
        Some(file) => {
            write(file, text.as_bytes())?;
            println!("wrote {}", file.display());
        }
        None => println!("{text}"),
    }
    if let Some(code) = keytool::qr(&text) {
        println!("{code}");
    }
    println!("Whoever has it can ask once as {}.", issued.wish.device);
    Ok(())
}

async fn waiting(office: &Office) -> Result<()> {
    for one in office.waiting().await? {
        let kid = one
            .kid
            .map_or_else(|| "has not asked".to_owned(), |kid| kid.to_string());
        println!(
            "{}  {}  {}  claim {}",
            one.device, one.state, kid, one.claim
        );
    }
    Ok(())
}

async fn sign(office: &Office, device: &Slug, kid: &str, wait: u64) -> Result<()> {
    const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(wait);
    loop {
        if let Some(version) = office.sign(device, kid).await? {
            return tell("in the registry", version);
        }
        if std::time::Instant::now() >= until {
            bail!("{device} has not consented yet; run this again when it has");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn change(office: &Office, device: &Slug, change: Change) -> Result<()> {
    tell("in the registry", office.change(device, &change).await?)
}

async fn list(office: &Office, token: Option<&Path>) -> Result<()> {
    let records = match token {
        None => office.records()?,
        Some(file) => {
            let (version, records) = office.registered(&self::token(file)?).await?;
            println!("registry version {version}, checked");
            records
        }
    };
    for signed in records {
        let record = &signed.record;
        let device = record.device.as_ref().map_or("(own key)", Slug::as_str);
        let state = record.state.word();
        println!(
            "{device}  {state}  version {}  {}",
            record.version,
            record.kid()
        );
    }
    Ok(())
}

fn instant(text: &str) -> Result<Instant, String> {
    Instant::parse_rfc3339(text).ok_or_else(|| format!("`{text}` is no instant (RFC 3339)"))
}

fn token(file: &Path) -> Result<String> {
    let token = String::from_utf8(read(file)?).context("the token is no text")?;
    Ok(token.trim().to_owned())
}

fn statement(text: &str) -> Result<(Position, Hash)> {
    let parts: Vec<&str> = text.split(':').collect();
    let [epoch, seq, id] = parts[..] else {
        bail!("`{text}` is not EPOCH:SEQ:ID");
    };
    let position = Position {
        epoch: epoch.parse().context("the epoch")?,
        seq: seq.parse().context("the seq")?,
    };
    let id = id.parse::<Hash>();
    Ok((position, id.ok().context("the id is 64 hex digits")?))
}

fn tell(what: &str, version: u64) -> Result<()> {
    println!("{what}, version {version}");
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// For its owner only: a claim is a secret.
fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file);
    let mut opened = opened.with_context(|| format!("{} cannot be made", file.display()))?;
    Ok(opened.write_all(bytes)?)
}
