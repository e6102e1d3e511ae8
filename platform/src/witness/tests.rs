//! A witness asked directly, and over HTTP and HTTPS.

use std::path::Path;

use kit::clock::TokioClock;
use schemas::b64;
use schemas::note::{Checkpoint, Line, Note};
use schemas::tlog::LogTree;

use super::*;
use crate::tls;

const ORIGIN: &str = "log.example/t";

fn log_key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn config(folder: &Path) -> WitnessConfig {
    WitnessConfig {
        name: "w".into(),
        key: SecretKey::from_seed(&[2; 32]),
        logs: vec![(ORIGIN.parse().unwrap(), log_key().public())],
        file: folder.join("witness.json"),
        listen: ([127, 0, 0, 1], 0).into(),
        tls: None,
    }
}

async fn witness(folder: &Path) -> Witness {
    Witness::open(config(folder), Arc::new(Disk), Arc::new(TokioClock))
        .await
        .unwrap()
}

fn tree(fork: &str, size: u64) -> LogTree {
    let mut tree = LogTree::new();
    for n in 0..size {
        let fork = if n < 3 { "" } else { fork };
        tree.push(sha256(format!("{fork}{n}").as_bytes())).unwrap();
    }
    tree
}

fn note(tree: &LogTree, size: u64, key: &SecretKey) -> Note {
    let checkpoint = Checkpoint {
        origin: ORIGIN.parse().unwrap(),
        size,
        root: tree.root(size).unwrap(),
    };
    Note::sign(checkpoint, key)
}

fn body(old: u64, proof: &[Hash], note: &str) -> Vec<u8> {
    let line = |hash: &Hash| format!("{}\n", b64::encode(&hash.0));
    let lines: String = proof.iter().map(line).collect();
    format!("old {old}\n{lines}\n{note}").into_bytes()
}

fn signed(tree: &LogTree, old: u64, size: u64, key: &SecretKey) -> Vec<u8> {
    let note = String::from_utf8(note(tree, size, key).encode()).unwrap();
    let proof = tree.consistency(old, size).unwrap_or_default();
    body(old, &proof, &note)
}

fn request(tree: &LogTree, old: u64, size: u64) -> Vec<u8> {
    signed(tree, old, size, &log_key())
}

#[tokio::test]
async fn an_operator_who_forks_the_log_gets_no_cosignature() {
    let folder = tempfile::tempdir().unwrap();
    let (honest, forked) = (tree("a", 9), tree("b", 9));
    let first = witness(folder.path()).await;
    assert!(first.cosign(&request(&honest, 0, 5)).is_ok());
    assert!(first.cosign(&request(&honest, 5, 7)).is_ok());
    let inconsistent = Err(Refusal::Inconsistent);
    assert_eq!(first.cosign(&request(&forked, 7, 9)), inconsistent);
    assert_eq!(first.cosign(&request(&forked, 7, 7)), Err(Refusal::Fork(7)));
    assert_eq!(first.cosign(&request(&forked, 0, 7)), Err(Refusal::Fork(7)));
    assert_eq!(
        first.cosign(&request(&honest, 0, 9)),
        Err(Refusal::Conflict(7))
    );
    // What proved nothing is a fork once the log has the other root of that size cosigned.
    assert_eq!(first.state().kept.forks(), 1);
    assert!(first.cosign(&request(&honest, 7, 9)).is_ok());
    assert_eq!(first.state().kept.forks(), 2);
    drop(first);
    // After a restart it still knows.
    let again = witness(folder.path()).await;
    assert_eq!(again.cosign(&request(&forked, 9, 9)), Err(Refusal::Fork(9)));
    assert_eq!(again.state().kept.forks(), 2);
    assert!(again.cosign(&request(&honest, 9, 9)).is_ok());
}

#[tokio::test]
async fn strangers_and_broken_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(folder.path()).await;
    let honest = tree("a", 5);
    let good = String::from_utf8(request(&honest, 0, 5)).unwrap();
    let ask = |text: &str| witness.cosign(text.as_bytes());
    for (from, to) in [
        ("old 0\n", ""),
        ("old 0", "old 00"),
        ("old 0", "old -1"),
        ("old 0", "old  0"),
        ("old 0", "old"),
        ("old 0", "Old 0"),
        ("old 0", "old 99999999999999999"),
        ("old 0\n", "old 0\r\n"),
        ("old 0\n", "old 0\nAAAA\n"),
        ("\n\n", "\n"),
        ("\n5\n", "\n05\n"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_eq!(ask(&bad), Err(Refusal::Malformed), "{bad}");
    }
    assert_eq!(ask(good.trim_end()), Err(Refusal::Malformed));
    let hash = format!(
        "old 0\n{}",
        format!("{}\n", b64::encode(&[0; 32])).repeat(64)
    );
    let long = good.replacen("old 0\n", &hash, 1);
    assert_eq!(ask(&long), Err(Refusal::Malformed));
    let other = good.replacen(ORIGIN, "log.example/u", 1);
    assert_eq!(ask(&other), Err(Refusal::UnknownLog));
    let unsigned = good.replacen("\n5\n", "\n6\n", 1);
    assert_eq!(ask(&unsigned), Err(Refusal::LogSignature));
    let above = good.replacen("old 0", "old 6", 1);
    assert_eq!(ask(&above), Err(Refusal::OldAboveNew));
    let behind = good.replacen("old 0", "old 3", 1);
    assert_eq!(ask(&behind), Err(Refusal::Conflict(0)));
    let proven = good.replacen("old 0\n", hash.get(..51).unwrap(), 1);
    assert_eq!(ask(&proven), Err(Refusal::Inconsistent));
    assert!(ask(&good).is_ok());
}

#[tokio::test]
async fn lines_of_strangers_and_extension_lines_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(folder.path()).await;
    let honest = tree("a", 5);
    let mut good = String::from_utf8(request(&honest, 0, 5)).unwrap();
    good.push_str(&format!("— stranger {}\n", b64::encode(&[9; 2_424])));
    // Of the log's name, by a key that this witness does not know.
    let foreign = note(&honest, 5, &SecretKey::from_seed(&[7; 32]));
    good.push_str(&foreign.lines[0].encode());
    let answer = witness.cosign(good.as_bytes()).unwrap();
    let line = Line::parse(answer.strip_suffix('\n').unwrap()).unwrap();
    let key = SecretKey::from_seed(&[2; 32]).public();
    let ours = note(&honest, 5, &log_key());
    assert!(ours.check_cosignature(&line, "w", &key).is_some());
}

#[tokio::test]
async fn a_log_may_have_several_keys_and_none_of_another_log() {
    let folder = tempfile::tempdir().unwrap();
    let next = SecretKey::from_seed(&[8; 32]);
    let of_other = SecretKey::from_seed(&[9; 32]);
    let mut config = config(folder.path());
    config.logs.push((ORIGIN.parse().unwrap(), next.public()));
    config
        .logs
        .push(("log.example/u".parse().unwrap(), of_other.public()));
    let witness = Witness::open(config, Arc::new(Disk), Arc::new(TokioClock))
        .await
        .unwrap();
    let honest = tree("a", 9);
    assert!(witness.cosign(&request(&honest, 0, 5)).is_ok());
    assert!(witness.cosign(&signed(&honest, 5, 7, &next)).is_ok());
    assert!(witness.cosign(&request(&honest, 7, 8)).is_ok());
    assert_eq!(
        witness.cosign(&signed(&honest, 8, 9, &of_other)),
        Err(Refusal::LogSignature)
    );
}

#[tokio::test]
async fn the_tree_without_entries_has_one_root() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(folder.path()).await;
    let empty = |root: Hash| {
        let checkpoint = Checkpoint {
            origin: ORIGIN.parse().unwrap(),
            size: 0,
            root,
        };
        let note = Note::sign(checkpoint, &log_key()).encode();
        body(0, &[], std::str::from_utf8(&note).unwrap())
    };
    let wrong = empty(Hash([5; 32]));
    assert_eq!(witness.cosign(&wrong), Err(Refusal::Inconsistent));
    assert!(witness.cosign(&empty(empty_root())).is_ok());
    assert!(witness.cosign(&request(&tree("a", 5), 0, 5)).is_ok());
    assert_eq!(
        witness.cosign(&empty(empty_root())),
        Err(Refusal::Conflict(5))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_one_advances_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let witness = Arc::new(witness(folder.path()).await);
    let honest = Arc::new(tree("a", 40));
    assert!(witness.cosign(&request(&honest, 0, 5)).is_ok());
    let ask = |size| {
        let (witness, honest) = (Arc::clone(&witness), Arc::clone(&honest));
        tokio::task::spawn_blocking(move || (size, witness.cosign(&request(&honest, 5, size))))
    };
    let asked: Vec<_> = (6..40).map(ask).collect();
    let mut advanced = Vec::new();
    for one in asked {
        match one.await.unwrap() {
            (size, Ok(_)) => advanced.push(size),
            (_, Err(refusal)) => assert!(matches!(refusal, Refusal::Conflict(_)), "{refusal:?}"),
        }
    }
    let known = witness.state().memory.of(ORIGIN).unwrap().size;
    assert_eq!(advanced, [known]);
}

#[tokio::test]
async fn nothing_is_signed_that_was_not_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(folder.path()).await;
    let honest = tree("a", 9);
    assert!(witness.cosign(&request(&honest, 0, 5)).is_ok());
    let kept = || {
        let text = std::fs::read_to_string(folder.path().join("witness.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json[ORIGIN]["size"].as_u64().unwrap()
    };
    assert_eq!(kept(), 5);
    let in_the_way = folder.path().join("witness.new");
    std::fs::create_dir(&in_the_way).unwrap();
    assert_eq!(
        witness.cosign(&request(&honest, 5, 7)),
        Err(Refusal::Memory)
    );
    assert_eq!(kept(), 5);
    // The same size is signed again all the same: it is written down already.
    assert!(witness.cosign(&request(&honest, 5, 5)).is_ok());
    std::fs::remove_dir(&in_the_way).unwrap();
    assert!(witness.cosign(&request(&honest, 5, 7)).is_ok());
    assert_eq!(kept(), 7);
}

#[tokio::test]
async fn two_witnesses_do_not_share_one_memory() {
    let folder = tempfile::tempdir().unwrap();
    let first = witness(folder.path()).await;
    let file = config(folder.path()).file;
    let patience = std::time::Duration::from_millis(60);
    let second = Memory::open(&file, Arc::new(Disk), patience).await;
    let kind = second.err().map(|error| error.kind());
    assert_eq!(kind, Some(io::ErrorKind::WouldBlock));
    drop(first);
    witness(folder.path()).await;
}

struct Asked {
    status: u16,
    kind: String,
    text: String,
}

async fn post_to(client: &reqwest::Client, url: &str, body: Vec<u8>) -> Asked {
    let url = format!("{url}/add-checkpoint");
    read(client.post(url).body(body).send().await.unwrap()).await
}

async fn read(answer: reqwest::Response) -> Asked {
    let kind = answer.headers().get("content-type");
    Asked {
        status: answer.status().as_u16(),
        kind: kind.map_or(String::new(), |kind| kind.to_str().unwrap().to_owned()),
        text: answer.text().await.unwrap(),
    }
}

#[tokio::test]
async fn witness_refuses_fork() {
    tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let shutdown = CancellationToken::new();
    let metrics = kit::metrics::install(crate::metrics::ALL).unwrap();
    let config = WitnessConfig {
        name: "fork.example".into(),
        ..config(folder.path())
    };
    let served = run(config, Arc::new(TokioClock), shutdown.clone()).await;
    let url = served.unwrap().url();
    let client = reqwest::Client::new();
    let (honest, forked) = (tree("a", 9), tree("b", 9));

    let first = post_to(&client, &url, request(&honest, 0, 7)).await;
    assert_eq!(first.status, 200);
    assert!(first.text.starts_with("— fork.example ") && first.text.ends_with('\n'));
    let stale = post_to(&client, &url, request(&honest, 0, 9)).await;
    assert_eq!((stale.status, stale.text.as_str()), (409, "7\n"));
    assert_eq!(stale.kind, "text/x.tlog.size");
    let fork = post_to(&client, &url, request(&forked, 7, 7)).await;
    assert_eq!((fork.status, fork.text.as_str()), (409, "7\n"));
    assert_eq!(
        post_to(&client, &url, request(&forked, 7, 9)).await.status,
        422
    );
    assert_eq!(
        post_to(&client, &url, b"old 7\n".to_vec()).await.status,
        400
    );

    let lines = read(client.get(&url).send().await.unwrap()).await.text;
    let root = |tree: &LogTree| b64::encode(&tree.root(7).unwrap().0);
    assert!(lines.contains(&format!("{ORIGIN} 7 {}\n", root(&honest))));
    let shown = format!("fork {ORIGIN} 7 {} {} ", root(&honest), root(&forked));
    let (_, file) = lines.split_once(&shown).unwrap();
    let file = file.lines().next().unwrap();
    let evidence = read(
        client
            .get(format!("{url}/evidence/{file}"))
            .send()
            .await
            .unwrap(),
    )
    .await;
    let evidence: serde_json::Value = serde_json::from_str(&evidence.text).unwrap();
    let both = ["cosigned", "refused"].map(|name| evidence[name].as_str().unwrap().to_owned());
    for (note, tree) in both.iter().zip([&honest, &forked]) {
        let note = Note::parse(note.as_bytes()).unwrap();
        let key = log_key().public();
        assert_eq!(note.check_log_line(&ORIGIN.parse().unwrap(), &key), Ok(()));
        assert_eq!(note.checkpoint.root, tree.root(7).unwrap());
    }
    let on_disk = folder.path().join("witness.evidence").join(file);
    assert!(on_disk.exists());

    let page = client.get(&url).header("accept", "text/html");
    let page = read(page.send().await.unwrap()).await;
    assert!(page.kind.starts_with("text/html") && page.text.contains(file));
    assert!(page.text.contains("1 fork:"));
    let counted = metrics.render();
    for line in [
        r#"tracebond_witness_forks{witness="fork.example"} 1"#,
        r#"tracebond_witness_answers_total{witness="fork.example",outcome="fork"} 1"#,
        r#"tracebond_witness_answers_total{witness="fork.example",outcome="cosigned"} 1"#,
    ] {
        assert!(counted.contains(line), "{line}\n{counted}");
    }
    shutdown.cancel();
}

#[tokio::test]
async fn a_witness_speaks_https_under_its_own_authority() {
    tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let now = TokioClock.now();
    let names = ["127.0.0.1".to_owned()];
    let files = tls::load_or_make(&folder.path().join("tls"), &names, now).unwrap();
    let other = folder.path().join("other");
    tls::load_or_make(&other, &names, now).unwrap();
    let shutdown = CancellationToken::new();
    let config = WitnessConfig {
        tls: Some(tls::server_config(&files, &["http/1.1"]).unwrap()),
        ..config(folder.path())
    };
    let served = run(config, Arc::new(TokioClock), shutdown.clone()).await;
    let url = served.unwrap().url();
    assert!(url.starts_with("https://"));
    let under = |folder: &Path| {
        let pem = std::fs::read_to_string(tls::Files::authority(folder).certificate).unwrap();
        let config = tls::client_config(&pem).unwrap();
        reqwest::Client::builder()
            .tls_backend_preconfigured(Arc::unwrap_or_clone(config))
            .build()
            .unwrap()
    };
    let honest = tree("a", 5);
    let client = under(&folder.path().join("tls"));
    // Two requests over one connection: keep-alive.
    assert_eq!(
        post_to(&client, &url, request(&honest, 0, 3)).await.status,
        200
    );
    assert_eq!(
        post_to(&client, &url, request(&honest, 3, 5)).await.status,
        200
    );
    let stranger = under(&other).get(&url).send().await;
    assert!(stranger.is_err());
    shutdown.cancel();
}
