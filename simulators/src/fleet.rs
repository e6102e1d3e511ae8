//! Many devices with real keys, each enrolled as a gateway is, that speak at the same time: the
//! load of measurements. What they say is signed as an agent signs it and kept as bytes, so that
//! it can be signed before a measurement begins.

pub mod chain;
pub mod event;
pub mod play;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use edge_agent::identity;
use edge_agent::trust::{Enrolment, Trust};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use schemas::enrol::Claim;
use schemas::ids::Slug;
use schemas::key::Signer;

use crate::mqtt::Login;
use crate::organisation::Organisation;
use crate::scenario::{Gateway, Input};

/// The only place that devices of ours name.
pub const PLACE: &str = "https://id.gs1.org/414/9521001000017";
/// The only step.
pub const STEP: &str = "inspecting";
/// Seconds within which one speaks: longer than any measurement.
const HEARTBEAT_S: u64 = 7 * 86_400;
/// Devices that enrol at the same time.
const AT_ONCE: usize = 16;

/// An enrolled device.
#[derive(Clone)]
pub struct Device {
    /// Its key.
    pub key: Arc<dyn Signer>,
    /// What it may say and whom it believes.
    pub trust: Arc<Trust>,
    /// Name and password at the broker.
    pub login: Login,
}

impl Device {
    fn of(state: &Path, enrolment: &Enrolment) -> Result<Device> {
        let key = identity::load(state)?.context("no key")?;
        let trust = enrolment.trust(&key.public())?;
        let login = Login {
            broker: trust.broker.clone(),
            username: enrolment.username.clone(),
            password: enrolment.password.clone(),
            ca: enrolment.ca.clone(),
            listens_to: trust.device.receipt_topic(),
            speaks_on: trust.device.capture_topic(),
        };
        let trust = Arc::new(trust);
        Ok(Device { key, trust, login })
    }
}

/// What an organisation's record of such a device says.
fn post(name: Slug) -> Gateway {
    Gateway {
        slug: name,
        names: ("负载".into(), "Load".into()),
        place: PLACE.to_owned(),
        steps: vec![STEP],
        input: Input::Scanner,
        heartbeat_seconds: HEARTBEAT_S,
        sensor: None,
    }
}

/// Enrols `count` devices of an organisation under names of their own that begin with `prefix`,
/// their keys in folders below `root`.
///
/// # Errors
/// When one is not admitted.
pub async fn enrol(
    owner: &Organisation,
    prefix: &str,
    count: usize,
    root: &Path,
) -> Result<Vec<Device>> {
    let each = (0..count).map(|number| async move {
        let name: Slug = format!("{prefix}-{number}").parse()?;
        let claim = owner.claim()?;
        let state = root.join(name.as_str());
        let post = post(name.clone());
        let device = async { use_claim(&state, &name, &claim).await };
        let organisation = async { Ok(owner.enrol(&claim, &post).await?) };
        let (device, ()) =
            tokio::try_join!(device, organisation).with_context(|| format!("enrolling {name}"))?;
        anyhow::Ok(device)
    });
    stream::iter(each).buffered(AT_ONCE).try_collect().await
}

/// Enrols one device by a claim that some organisation has issued, which has to answer it.
///
/// # Errors
/// When it is not admitted.
pub async fn use_claim(state: &Path, name: &Slug, claim: &Claim) -> Result<Device> {
    let enrolment = edge_agent::enrol::enrol(state, name, claim, |_| ()).await?;
    Device::of(state, &enrolment)
}
