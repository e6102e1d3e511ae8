//! Where a load goes: a platform at an address or one of its own, with devices that are enrolled
//! there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use reqwest::{Client, Url};
use schemas::enrol::Claim;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::log::{Policy, PolicyChain};
use tempfile::TempDir;

use super::{DEVICES_MOST, Wish, is_safe};
use crate::fleet::{self, Device};
use crate::organisation::{Organisation, Platform, Registrar};
use crate::progress::Progress;
use crate::site::{Plan, Site};

/// How long an organisation's own tool may take to answer all claims.
const ANSWERS: Duration = Duration::from_secs(300);
/// Claims that are used at the same time.
const AT_ONCE: usize = 16;
/// Largest answer with the log's policies, in bytes.
const POLICIES_MAX: usize = 4 << 20;

/// Enrolled devices, and what they need to live.
pub(super) struct Grounds {
    /// The devices.
    pub devices: Vec<Device>,
    // Ends with the load.
    _site: Option<Site>,
    _keys: TempDir,
}

/// Opens them.
pub(super) async fn open(wish: &Wish, progress: &mut Progress) -> Result<Grounds> {
    let keys = tempfile::Builder::new()
        .prefix("tracebond-load-")
        .tempdir()?;
    let mut site = None;
    let mut devices = match (&wish.platform, &wish.claims) {
        (None, _) => {
            progress.done("starting a platform");
            let plan = if wish.real {
                Plan::real()
            } else {
                Plan::embedded()
            };
            let started = Site::start(plan).await?;
            let owner = started.organisation().await?;
            site = Some(started);
            progress.done("enrolling devices");
            enrol(wish, &owner, keys.path()).await?
        }
        (Some(_), Some(folder)) => {
            progress.done("devices use their claims; their organisation has to answer");
            tokio::time::timeout(ANSWERS, use_claims(folder, keys.path()))
                .await
                .context("the organisation has not answered every claim")??
        }
        (Some(url), None) => {
            let owner = organisation(wish, url).await?;
            progress.done("enrolling devices");
            enrol(wish, &owner, keys.path()).await?
        }
    };
    if let Some(broker) = &wish.broker {
        devices
            .iter_mut()
            .for_each(|device| device.login.broker = broker.clone());
    }
    Ok(Grounds {
        devices,
        _site: site,
        _keys: keys,
    })
}

/// Names that no load before has used: a device's chain begins once.
fn prefix() -> Result<String> {
    Ok(format!(
        "load-{}",
        hex::encode(schemas::random::bytes::<4>()?)
    ))
}

async fn enrol(wish: &Wish, owner: &Organisation, keys: &Path) -> Result<Vec<Device>> {
    let count = usize::try_from(wish.devices)?;
    fleet::enrol(owner, &prefix()?, count, keys).await
}

/// The organisation at a platform that runs somewhere.
async fn organisation(wish: &Wish, url: &str) -> Result<Organisation> {
    let (Some(slug), Some(key)) = (&wish.organisation, &wish.organisation_key) else {
        bail!("--platform needs --organisation with --organisation-key, or --claims");
    };
    let ca = wish.ca.as_ref().map(std::fs::read_to_string).transpose();
    let ca = ca.context("--ca")?;
    let key = platform::keys::load(key)?;
    let http = crate::stack::client(ca.as_deref())?;
    let platform = identity(url, ca.as_deref(), &http).await?;
    let owner = Organisation::with_key(slug.clone(), key, platform, http);
    if let Some(file) = &wish.registrar_key {
        let registrar = Registrar::with_key("registrar".parse()?, platform::keys::load(file)?);
        owner.join(&registrar).await?;
    }
    Ok(owner)
}

/// What a platform says of itself. A load believes it: it tests this platform, whichever it is.
async fn identity(url: &str, ca: Option<&str>, http: &Client) -> Result<Platform> {
    let url: Url = url.parse().with_context(|| format!("--platform {url}"))?;
    ensure!(
        is_safe(&url),
        "--platform {url}: https, or http on this machine"
    );
    let address = url.as_str().trim_end_matches('/').to_owned();
    let answer = http.get(format!("{address}/v1/policies")).send().await?;
    let bytes = answer.error_for_status()?.bytes().await?;
    ensure!(bytes.len() <= POLICIES_MAX, "{address}: too many policies");
    let chain: PolicyChain = serde_json::from_slice(&bytes)?;
    let first = chain.policies.first().context("no policy")?;
    let first = Policy::parse(&first.entry)?;
    let log_key = first.log_key.ed25519_bytes().context("no Ed25519 key")?;
    let ca = ca.map(platform::tls::fingerprint).transpose()?;
    Ok(Platform {
        address,
        ca: ca.map_or_else(String::new, |ca: Hash| ca.to_string()),
        origin: first.origin,
        log_key,
    })
}

async fn use_claims(folder: &Path, keys: &Path) -> Result<Vec<Device>> {
    let claims = read_claims(folder)?;
    let each = claims
        .into_iter()
        .enumerate()
        .map(|(number, claim)| async move {
            let name: Slug = format!("load-{}-{number}", &claim.claim[..8]).parse()?;
            fleet::use_claim(&keys.join(name.as_str()), &name, &claim)
                .await
                .with_context(|| format!("enrolling {name}"))
        });
    stream::iter(each).buffered(AT_ONCE).try_collect().await
}

/// Claims of a folder by file name.
fn read_claims(folder: &Path) -> Result<Vec<Claim>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    files.sort();
    let count = files.len() as u64;
    let fits = (1..=DEVICES_MOST).contains(&count);
    ensure!(
        fits,
        "{}: {count} claims, 1 to {DEVICES_MOST} are expected",
        folder.display()
    );
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path)?;
        Claim::parse(&text).with_context(|| format!("{}", path.display()))
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_claims_is_refused_and_a_bad_claim_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_claims(folder.path()).is_err());
        std::fs::write(folder.path().join("one.json"), "{}").unwrap();
        let error = format!("{:#}", read_claims(folder.path()).unwrap_err());
        assert!(error.contains("one.json"), "{error}");
    }
}
