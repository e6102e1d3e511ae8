//! Log-in by a real provider: npm's `oidc-provider` in a process of its own, our service in front
//! of it, and a browser without a screen between them.
//!
//! The package comes from npm when the test first needs it and is kept in this user's cache.
//! Without node the test is skipped, which CI does not allow.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::response::{Html, IntoResponse, Response};
use kit::people::oidc::ReqwestFetch;
use kit::people::seal::Seal;
use kit::people::tables::SqlitePeople;
use kit::people::{
    Extras, LogInPage, LogInView, People, Person, Provider, ProviderSettings, Settings,
};
use kit::routes::{Routes, get};
use reqwest::{StatusCode, Url};
use schemas::ids::Slug;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt as _;
use tokio_util::sync::CancellationToken;

use super::browser::{Browser, Page};

/// The release that is asked.
const RELEASE: &str = "oidc-provider@9.13.3";
/// Names another folder that holds its `node_modules`.
const FOLDER: &str = "TRACEBOND_OIDC_PROVIDER";
/// What the service is called there, as `provider.mjs` has it.
const CLIENT: &str = "desk";
const SECRET: &str = "a secret with spaces & signs";

const TABLES: [&str; 2] = [
    include_str!("../../platform/migrations/sqlite/0004_people.sql"),
    include_str!("../../platform/migrations/sqlite/0011_access.sql"),
];

/// The folder with the package, fetched if it is not there.
fn package() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Ok(folder.into());
    }
    let home = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let folder = home.context("no home folder")?.join("tracebond");
    let done = folder.join(RELEASE);
    if !done.exists() {
        std::fs::create_dir_all(&folder)?;
        fetch(&folder, &done)?;
    }
    Ok(done)
}

/// Into a folder of its own first: tests in other processes may fetch at the same time.
fn fetch(folder: &Path, done: &Path) -> Result<()> {
    let work = tempfile::tempdir_in(folder)?;
    std::fs::write(work.path().join("package.json"), "{\"private\": true}")?;
    let arguments = [
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        RELEASE,
    ];
    let output = Command::new("npm")
        .args(arguments)
        .current_dir(&work)
        .output();
    let output = output.context("npm is needed")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "npm {arguments:?}: {errors}");
    if std::fs::rename(work.path(), done).is_err() {
        ensure!(done.exists(), "{} cannot be made", done.display());
    }
    Ok(())
}

/// The provider's process, ended when dropped.
struct Running {
    _child: tokio::process::Child,
    /// Kept open: a process whose output nobody can read any more ends at its next line.
    _said: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
    issuer: String,
}

impl Running {
    async fn start(way_back: &str) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("people/provider/provider.mjs");
        let mut child = tokio::process::Command::new("node")
            .arg(script)
            .arg(package()?)
            .arg(way_back)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let said = child.stdout.take().context("no output")?;
        let mut lines = tokio::io::BufReader::new(said).lines();
        let issuer = lines.next_line().await?.context("the provider ended")?;
        Ok(Self {
            _child: child,
            _said: lines,
            issuer,
        })
    }
}

struct Door;

impl LogInPage for Door {
    fn render(&self, view: &LogInView) -> Response {
        Html(format!("csrf={}", view.csrf)).into_response()
    }
}

/// Our service with one page, and its people.
struct Service {
    _file: TempDir,
    url: String,
    people: People,
    shutdown: CancellationToken,
    _provider: Running,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn store(file: &TempDir) -> Result<SqlitePeople> {
    let options = SqliteConnectOptions::new()
        .filename(file.path().join("people.db"))
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await?;
    for table in TABLES {
        sqlx::raw_sql(table).execute(&pool).await?;
    }
    Ok(SqlitePeople {
        reader: pool.clone(),
        writer: pool,
    })
}

impl Service {
    async fn start() -> Result<Self> {
        let file = tempfile::tempdir()?;
        let store = Arc::new(store(&file).await?);
        let listener = kit::serve::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let url = format!("http://{}", listener.local_addr()?);
        let running = Running::start(&format!("{url}/login/provider/back")).await?;
        let settings = ProviderSettings {
            issuer: running.issuer.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(SECRET.to_owned()),
            own: url.clone(),
        };
        let seal = Arc::new(Seal::parse(&Seal::new_key()?)?);
        let fetch = Arc::new(ReqwestFetch::new()?);
        let extras = Extras {
            provider: Some(Provider::new(settings, store.clone(), seal, fetch)),
            ..Extras::default()
        };
        let settings = Settings {
            organisation: "bank".parse()?,
            origin: None,
            cookie: "desk",
        };
        let clock = Arc::new(kit::clock::TokioClock);
        let people = People::with(settings, store, clock, extras)?;
        let desk = |person: Person| async move { format!("{} {}", person.name, person.role) };
        let router = people.protect(Routes::new().route("/desk", get(desk)), Arc::new(Door));
        let (router, _) = router.into_parts();
        let shutdown = CancellationToken::new();
        let limits = kit::serve::Limits::default();
        kit::serve::serve_on(listener, router, None, limits, shutdown.clone())?;
        Ok(Self {
            _file: file,
            url,
            people,
            shutdown,
            _provider: running,
        })
    }

    fn at(&self, path: &str) -> Result<Url> {
        Ok(self.url.parse::<Url>()?.join(path)?)
    }

    /// Logs in at the provider as one of its subjects; the page that our service shows then.
    async fn log_in(&self, browser: &mut Browser, subject: &str) -> Result<Page> {
        let start = self.at("/login/provider?next=%2Fdesk")?;
        let own = self.at("/")?.port();
        let is_there = move |url: &Url| url.port() != own;
        let form = browser.follow(&start, is_there).await?;
        let given = format!("prompt=login&login={subject}&password=any");
        let consent = self.pass(browser, &form, &given).await?;
        let back = self.pass(browser, &consent, "prompt=consent").await?;
        let back = back.location.context("the provider does not lead back")?;
        ensure!(back.path() == "/login/provider/back", "{back}");
        browser.open(&back).await
    }

    /// Sends a form of the provider and goes on to its next page, or to where it leads back.
    async fn pass(&self, browser: &mut Browser, page: &Page, form: &str) -> Result<Page> {
        ensure!(page.status == StatusCode::OK, "{}: {}", page.url, page.body);
        let action = page.body.split("action=\"").nth(1).context("no form")?;
        let action = action.split('"').next().context("no action")?;
        let sent = browser.send(&page.url.join(action)?, form).await?;
        let next = sent.location.context("the provider refuses its own form")?;
        let own = self.at("/")?.port();
        browser.follow(&next, move |url| url.port() != own).await
    }
}

fn has_node() -> bool {
    let mut node = Command::new("node");
    let status = node.arg("--version").stdout(Stdio::null()).status();
    let found = status.is_ok_and(|status| status.success());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "node is not installed"
    );
    if !found {
        eprintln!("skipped: node is not installed");
    }
    found
}

#[tokio::test]
async fn a_person_logs_in_by_a_real_provider() {
    if !has_node() {
        return;
    }
    let service = Service::start().await.unwrap();
    let name: Slug = "li-wei".parse().unwrap();
    let role = "officer".parse().unwrap();
    service
        .people
        .add(&name, &role, "a long pass phrase")
        .await
        .unwrap();
    let desk = service.at("/desk").unwrap();

    // Whom nobody has linked is not let in, and nothing is made of them.
    let mut stranger = Browser::new().unwrap();
    let page = service.log_in(&mut stranger, "8").await.unwrap();
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
    assert!(stranger.open(&desk).await.unwrap().location.is_some());
    assert_eq!(service.people.list().await.unwrap().len(), 1);

    service.people.link_identity(&name, "7").await.unwrap();
    let mut browser = Browser::new().unwrap();
    let page = service.log_in(&mut browser, "7").await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains("url=/desk"), "{}", page.body);
    let page = browser.open(&desk).await.unwrap();
    assert_eq!(
        (page.status, page.body.as_str()),
        (StatusCode::OK, "li-wei officer")
    );

    // The same answer does not log in a second time, nor another browser.
    let again = browser
        .open(
            &page
                .url
                .join("/login/provider/back?code=x&state=y")
                .unwrap(),
        )
        .await;
    assert_eq!(again.unwrap().status, StatusCode::FORBIDDEN);
}
