//! The built program as a service and under a doctor: what systemd hears, what the page answers,
//! what the journal gets, and that no secret is told.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::broker::Faults;
use crate::site::{Site, storing};
use crate::world::World;

const DEADLINE: Duration = Duration::from_secs(30);
/// As `World::enrolment` has it.
const PASSWORD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edge-agent"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_remove("RUST_LOG")
        .kill_on_drop(true);
    command
}

async fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    listener.local_addr().expect("address").port()
}

fn configured(site: &Site, more: &str) -> PathBuf {
    let path = site.folder.path().join("edge-agent.toml");
    let state = site.folder.path().join("state");
    let text = format!(
        "state = \"{}\"\n{more}\n[uplink]\nback_off_min_ms = 5\n{}",
        state.display(),
        site.sources
    );
    std::fs::write(&path, text).expect("written");
    path
}

async fn get(port: u16, path: &str) -> String {
    let asking = async {
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await {
                let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
                stream.write_all(request.as_bytes()).await.expect("asked");
                let mut answer = String::new();
                if stream.read_to_string(&mut answer).await.is_ok() && !answer.is_empty() {
                    return answer;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asking)
        .await
        .expect("an answer")
}

/// What the service says, until all of `wanted` was among it, in any order.
async fn heard(socket: &tokio::net::UnixDatagram, wanted: &[&str]) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    let listening = async {
        while !wanted
            .iter()
            .all(|wanted| said.iter().any(|words| words.contains(wanted)))
        {
            let mut bytes = [0; 1024];
            let count = socket.recv(&mut bytes).await.expect("received");
            said.push(String::from_utf8_lossy(&bytes[..count]).into_owned());
        }
    };
    let waiting = tokio::time::timeout(DEADLINE, listening).await;
    assert!(waiting.is_ok(), "not all of {wanted:?} was said: {said:?}");
    said
}

#[tokio::test]
async fn as_a_service_it_tells_systemd_the_page_and_the_journal_and_drains() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.add_scan();
    site.append(&[&storing(1)]);
    let port = free().await;
    let config = configured(&site, &format!("page = \"127.0.0.1:{port}\""));
    let name = site.folder.path().join("notify");
    let socket = UnixDatagram::bind(&name).expect("bound");
    socket.set_nonblocking(true).expect("set");
    let socket = tokio::net::UnixDatagram::from_std(socket).expect("socket");
    let mut child = program()
        .args(["run", "--config"])
        .arg(&config)
        .env("NOTIFY_SOCKET", &name)
        .env("WATCHDOG_USEC", "400000")
        .env("JOURNAL_STREAM", "1:2")
        .spawn()
        .expect("started");
    let said = heard(&socket, &["WATCHDOG=1", "STATUS=All is well."]).await;
    assert!(said[0].starts_with("READY=1"), "{said:?}");
    let page = get(port, "/?lang=en").await;
    assert!(
        page.contains("qinghe/line-1") && page.contains("All is well."),
        "{page}"
    );
    let chinese = get(port, "/").await;
    assert!(chinese.contains("一切正常。"));
    let metrics = get(port, "/metrics").await;
    assert!(
        metrics.contains("\ntracebond_edge_state{state=\"running\"} 1\n"),
        "{metrics}"
    );
    site.append(&[&storing(2)]);
    let id = child.id().expect("running").to_string();
    let kill = Command::new("kill").args(["-TERM", &id]).status().await;
    assert!(kill.expect("kill").success());
    heard(&socket, &["STOPPING=1"]).await;
    let output = tokio::time::timeout(DEADLINE, child.wait()).await;
    assert!(output.expect("in time").expect("ended").success());
    let mut log = String::new();
    let mut stderr = child.stderr.take().expect("stderr");
    stderr.read_to_string(&mut log).await.expect("log");
    assert!(
        !log.is_empty() && log.lines().all(|line| line.starts_with('<')),
        "{log}"
    );
    assert!(
        log.contains("<6>") && log.contains("state=\"running\""),
        "{log}"
    );
    assert!(
        ![&log, &page, &metrics]
            .iter()
            .any(|text| text.contains(PASSWORD))
    );
}

async fn doctor(config: &Path, more: &[&str]) -> (i32, String) {
    let mut command = program();
    command.args(["doctor", "--config"]).arg(config).args(more);
    let output = tokio::time::timeout(DEADLINE, command.output()).await;
    let output = output.expect("in time").expect("ran");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("text");
    (output.status.code().expect("a code"), said)
}

fn verdict<'v>(report: &'v Value, name: &str) -> &'v str {
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check {name}: {report:#}"))["verdict"]
        .as_str()
        .expect("a verdict")
}

#[tokio::test]
async fn a_doctor_looks_at_everything_and_tells_no_secret() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.add_scan();
    site.append(&[&storing(1)]);
    let config = configured(&site, "");
    let state = site.folder.path().join("state");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).expect("chmod");
    let claim = "c1a1c1a1c1a1c1a1c1a1c1a1c1a1c1a1";
    let pending = format!("{{\"claim\":\"{claim}\",\"password\":\"{PASSWORD}\"}}");
    std::fs::write(state.join("enrolment.pending.json"), pending).expect("written");
    let pending = state.join("enrolment.pending.json");
    std::fs::set_permissions(&pending, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    let (code, text) = doctor(&config, &["--json"]).await;
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.len() >= 30, "{}", checks.len());
    for check in checks {
        let ill = matches!(check["verdict"].as_str(), Some("bad" | "doubtful"));
        let remedy = check["remedy"].as_str().expect("remedy");
        assert!(!ill || !remedy.is_empty(), "no remedy: {check}");
        assert!(!check["found"].as_str().expect("found").is_empty());
    }
    for name in [
        "device key",
        "enrolment",
        "state directory",
        "secret files",
        "disk sync",
        "dns",
        "tcp",
        "broker log-in",
        "receipt topic",
        "source 1",
    ] {
        assert_eq!(verdict(&report, name), "good", "{name}: {report:#}");
    }
    // Nothing answers at the platform's address in this world.
    assert_eq!(verdict(&report, "platform"), "bad");
    assert_eq!(code, 2);
    let key = std::fs::read_to_string(state.join("device.key")).expect("key");
    let (_, words) = doctor(&config, &[]).await;
    for secret in [PASSWORD, key.trim(), claim] {
        assert!(!text.contains(secret) && !words.contains(secret));
    }
    assert!(
        words.contains("BAD       platform:") && words.contains("-> "),
        "{words}"
    );
    assert_eq!(site.broker.with(|shared| shared.platform.messages.len()), 0);
}

#[tokio::test]
async fn a_doctor_finds_what_is_broken() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.add_scan();
    let config = configured(&site, "page = \"127.0.0.1:1\"");
    let state = site.folder.path().join("state");
    let key = state.join("device.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    let (code, text) = doctor(&config, &["--json"]).await;
    let report: Value = serde_json::from_str(&text).expect("json");
    assert_eq!((code, verdict(&report, "device key")), (2, "bad"));
    assert_eq!(verdict(&report, "secret files"), "bad");
    assert_eq!(verdict(&report, "broker log-in"), "skipped");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    site.broker.with(|shared| {
        let refused = rumqttc::v5::mqttbytes::v5::ConnectReturnCode::NotAuthorized;
        shared.faults.refuse = Some(refused);
    });
    std::fs::write(state.join("outbox.db"), [7; 8_192]).expect("written");
    let (code, text) = doctor(&config, &["--json"]).await;
    let report: Value = serde_json::from_str(&text).expect("json");
    assert_eq!((code, verdict(&report, "broker log-in")), (2, "bad"));
    // What rests on an outbox that cannot be read is shown, and why it was not looked at.
    for name in ["outbox", "outbox room"] {
        assert_eq!(verdict(&report, name), "bad", "{report:#}");
    }
    for name in ["head file", "receipts", "anchors", "witnessed checkpoint"] {
        assert_eq!(verdict(&report, name), "skipped", "{report:#}");
    }
    std::fs::write(&config, "state = 5\n").expect("written");
    let (code, text) = doctor(&config, &[]).await;
    assert_eq!(code, 2);
    assert!(text.contains("edge-agent.toml:1: state"), "{text}");
}

#[tokio::test]
async fn a_doctor_leaves_a_scanner_to_the_agent_that_has_it() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.sources.push_str(
        "[[source]]\ntype = \"evdev\"\npath = \"/dev/input/by-id/none\"\nstep = \"storing\"\n\
         place = \"https://id.gs1.org/414/9521001000024\"\n",
    );
    let config = configured(&site, "");
    let look = async || {
        let (_, text) = doctor(&config, &["--json"]).await;
        let report: Value = serde_json::from_str(&text).expect("json");
        verdict(&report, "source 1").to_owned()
    };
    assert_eq!(look().await, "bad");
    let lock = std::fs::File::create(site.folder.path().join("state/lock")).expect("lock");
    lock.lock().expect("ours");
    assert_eq!(look().await, "skipped");
}

#[tokio::test]
async fn a_variable_of_the_environment_goes_before_the_file_and_a_misspelt_one_is_refused() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.add_scan();
    let config = configured(&site, "");
    let output = program()
        .args(["run", "--config"])
        .arg(&config)
        .env("TRACEBOND_EDGE_UPLINK_BROKRE", "mqtt://127.0.0.1:1")
        .output()
        .await
        .expect("ran");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("TRACEBOND_EDGE_UPLINK_BROKRE"),
        "{said}"
    );
    let port = free().await;
    let mut child = program()
        .args(["run", "--config"])
        .arg(&config)
        .env("TRACEBOND_EDGE_PAGE", format!("127.0.0.1:{port}"))
        .spawn()
        .expect("started");
    let page = get(port, "/").await;
    assert!(page.starts_with("HTTP/1.1 200 OK"));
    child.kill().await.expect("ended");
}

/// The README states the rating that systemd's own tool gives the unit.
#[tokio::test]
async fn the_units_rating_is_as_stated() {
    let unit = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/package/tracebond-edge.service"
    );
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager", unit]);
    let output = match command.env("LC_ALL", "C").output().await {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "systemd-analyze: {error}");
            eprintln!("skipped: systemd-analyze: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, rating) = said
        .split_once("Overall exposure level for tracebond-edge.service: ")
        .unwrap_or_else(|| panic!("no rating: {said}"));
    let mut words = rating.split_whitespace();
    let (number, word) = (words.next().expect("number"), words.next().expect("word"));
    let stated = format!("rates the unit {number} (\"{word}\")");
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&stated), "the README must say: {stated}");
}

#[tokio::test]
async fn who_is_asked_to_end_while_it_starts_ends_well() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    site.add_scan();
    let config = configured(&site, "");
    let held = site.folder.path().join("state/lock");
    let mut child = program()
        .args(["run", "--config"])
        .arg(&config)
        .spawn()
        .expect("started");
    // The outbox is opened behind it, and whatever the last run has left is looked at.
    let starting = async {
        while !held.exists() {
            tokio::task::yield_now().await;
        }
    };
    let started = tokio::time::timeout(DEADLINE, starting).await;
    assert!(started.is_ok(), "it does not start");
    let pid = child.id().expect("running").to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
    assert!(sent.is_ok_and(|sent| sent.success()));
    let ended = tokio::time::timeout(DEADLINE, child.wait()).await;
    let ended = ended.expect("it does not end").expect("waited");
    assert!(ended.success(), "{ended}");
}
