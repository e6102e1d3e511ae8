//! Debian's chromium behind its driver, both on free ports and in folders of their own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kill::process::until;

/// How long the browser may take for anything on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Size of a phone and of a desk, in CSS pixels.
pub const PHONE: (u32, u32) = (390, 844);
/// See [`PHONE`].
pub const TABLET: (u32, u32) = (820, 1180);
/// An officer's screen.
pub const DESK: (u32, u32) = (1440, 900);

/// How chromium is started: nothing of it talks to anybody but the page's server.
const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1440,900",
    "--force-color-profile=srgb",
];

/// A program on the search path.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(name));
    found.into_iter().find(|file| file.is_file())
}

/// The driver's process; killed by its id when this is dropped, and the browser with it.
struct Driver {
    child: Child,
    url: String,
    folder: TempDir,
}

impl Driver {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let out = folder.path().join("driver.out");
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&out)?)
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver does not start")?;
        let mut driver = Self {
            child,
            url: String::new(),
            folder,
        };
        let port = until("chromedriver names its port", PATIENCE, async || {
            let text = std::fs::read_to_string(&out)?;
            let port = text.split("successfully on port ").nth(1).and_then(|rest| {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                // The sentence ends with a dot: only then the number is whole.
                rest[digits.len()..].starts_with('.').then_some(digits)
            });
            Ok(port)
        })
        .await?;
        driver.url = format!("http://127.0.0.1:{port}");
        Ok(driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser's processes are children of the driver: found by it, ended by their ids.
        for pid in descendants(self.child.id()) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All processes below one, by `/proc`.
fn descendants(of: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(1)?
            .parse()
            .ok()
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = vec![of];
    let mut at = 0;
    while at < found.len() {
        let above = found[at];
        found.extend(all.iter().filter(|(_, p)| *p == above).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

/// A command of chromedriver's own: below the session, posted as JSON.
#[derive(Debug)]
struct Own(&'static str, Value);

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url_error::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.0
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}

/// The error type of [`Url::join`], which reqwest does not name.
mod url_error {
    pub type ParseError = <reqwest::Url as std::str::FromStr>::Err;
}

/// A browser with one window. Its processes end when it is dropped.
pub struct Browser {
    /// For everything that WebDriver knows.
    pub client: Client,
    shots: Option<PathBuf>,
    _driver: Driver,
}

impl Browser {
    /// Starts a browser. `None` where chromium or its driver is not installed, which is said; with
    /// `CI=true` that is a failure.
    pub async fn start() -> Option<Self> {
        let missing: Vec<&str> = ["chromium", "chromedriver"]
            .into_iter()
            .filter(|name| program(name).is_none())
            .collect();
        if missing.is_empty() {
            return Some(Self::open().await.expect("a browser"));
        }
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "{missing:?} are not installed");
        eprintln!("SKIPPED: {missing:?} are not installed");
        None
    }

    async fn open() -> Result<Self> {
        let driver = Driver::start().await?;
        let profile = driver.folder.path().join("profile");
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": program("chromium"), "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let wanted: Capabilities = serde_json::from_value(wanted)?;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(wanted).connect(&driver.url).await?;
        let shots = std::env::var_os("TRACEBOND_SHOTS").map(PathBuf::from);
        Ok(Self {
            client,
            shots,
            _driver: driver,
        })
    }

    async fn own(&self, path: &'static str, body: Value) -> Result<Value> {
        Ok(self.client.issue_cmd(Own(path, body)).await?)
    }

    /// A command of the Chrome DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let body = json!({"cmd": command, "params": parameters});
        self.own("goog/cdp/execute", body).await
    }

    /// Opens a page and waits until it is loaded.
    pub async fn open_page(&self, url: &str) -> Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// Shows pages as on a screen of so many CSS pixels.
    pub async fn resize(&self, (width, height): (u32, u32)) -> Result<()> {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await?;
        Ok(())
    }

    /// Dark or light.
    pub async fn theme(&self, dark: bool) -> Result<()> {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", features)
            .await?;
        Ok(())
    }

    /// Takes the network away, or gives it back.
    pub async fn offline(&self, offline: bool) -> Result<()> {
        self.network(json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}))
            .await
    }

    /// A line of so many kilobits a second and milliseconds of latency.
    pub async fn line(&self, kilobits: u32, latency_milliseconds: u32) -> Result<()> {
        let bytes = kilobits * 1000 / 8;
        self.network(json!({"offline": false, "latency": latency_milliseconds, "downloadThroughput": bytes, "uploadThroughput": bytes}))
            .await
    }

    async fn network(&self, conditions: Value) -> Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.emulateNetworkConditions", conditions)
            .await?;
        Ok(())
    }

    /// A processor so many times slower; 1 for as it is.
    pub async fn slower(&self, times: u32) -> Result<()> {
        self.devtools("Emulation.setCPUThrottlingRate", json!({"rate": times}))
            .await?;
        Ok(())
    }

    /// Runs this in every page that is opened from now on, before its own scripts.
    pub async fn before_pages(&self, script: &str) -> Result<()> {
        let source = json!({"source": script});
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source)
            .await?;
        Ok(())
    }

    /// Takes WebCrypto out of every page that is opened from now on.
    pub async fn without_web_crypto(&self) -> Result<()> {
        self.before_pages(
            "Object.defineProperty(Crypto.prototype, 'subtle', {get: () => undefined})",
        )
        .await
    }

    /// What a script in the page returns.
    pub async fn run(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Waits until a JavaScript expression is true in the page.
    pub async fn until(&self, what: &str, expression: &str) -> Result<()> {
        let script = format!("return Boolean({expression});");
        until(what, PATIENCE, async || {
            Ok((self.run(&script).await? == json!(true)).then_some(()))
        })
        .await
    }

    /// Text of the first element that a selector finds, as it is seen.
    pub async fn text(&self, selector: &str) -> Result<String> {
        let script = format!(
            "return document.querySelector({})?.innerText ?? null;",
            json!(selector)
        );
        let text = self.run(&script).await?;
        let text = text.as_str().with_context(|| format!("no {selector}"))?;
        Ok(text.to_owned())
    }

    /// What the console was told since the last look: errors, breaches of the content security
    /// policy, failed requests.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let lines = self.own("se/log", json!({"type": "browser"})).await?;
        let lines = lines.as_array().cloned().unwrap_or_default();
        let bad = lines.iter().filter(|line| line["level"] == "SEVERE");
        Ok(bad
            .filter_map(|line| line["message"].as_str().map(str::to_owned))
            .collect())
    }

    /// Fails if the console was told of anything wrong.
    pub async fn is_quiet(&self) -> Result<()> {
        let complaints = self.complaints().await?;
        if complaints.is_empty() {
            return Ok(());
        }
        bail!("the console says: {complaints:#?}")
    }

    /// Keeps a picture of the whole page as `NAME.png` in the folder that the environment variable
    /// `TRACEBOND_SHOTS` names; does nothing without it.
    pub async fn shot(&self, name: &str) -> Result<()> {
        let Some(folder) = &self.shots else {
            return Ok(());
        };
        std::fs::create_dir_all(folder)?;
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.devtools("Page.captureScreenshot", whole).await?;
        let data = picture["data"].as_str().context("no picture")?;
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(data)?;
        std::fs::write(folder.join(format!("{name}.png")), bytes)?;
        Ok(())
    }
}
