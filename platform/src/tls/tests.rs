use std::os::unix::fs::PermissionsExt;

use axum::Router;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::*;

fn now() -> Instant {
    use schemas::time::Clock;
    kit::clock::TokioClock.now()
}

fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    create_ca(dir.path(), now()).unwrap();
    issue_server(dir.path(), &["localhost", "127.0.0.1"], now()).unwrap();
    dir
}

#[test]
fn keys_are_for_their_owner_only() {
    let dir = made();
    for name in ["ca.key", "server.key"] {
        let mode = dir
            .path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn an_authority_is_never_overwritten_but_a_server_is() {
    let dir = made();
    let before = fingerprint(&read(&dir.path().join("ca.pem")).unwrap()).unwrap();
    assert!(matches!(
        create_ca(dir.path(), now()),
        Err(TlsError::File { .. })
    ));
    issue_server(dir.path(), &["localhost"], now()).unwrap();
    assert_eq!(
        fingerprint(&read(&dir.path().join("ca.pem")).unwrap()).unwrap(),
        before
    );
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (dir, other) = (made(), made());
    let files = Files {
        certificate: Files::server(dir.path()).certificate,
        key: Files::server(other.path()).key,
    };
    assert!(matches!(
        server_config(&files, &[]),
        Err(TlsError::Refused(_))
    ));
}

#[test]
fn text_without_a_certificate_has_no_fingerprint() {
    assert!(matches!(fingerprint("nothing"), Err(TlsError::Pem { .. })));
    assert!(matches!(client_config(""), Err(TlsError::Pem { .. })));
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_reaches_the_server_and_no_other_does() {
    install_provider();
    let dir = made();
    let tls = server_config(&Files::server(dir.path()), &["http/1.1"]).unwrap();
    let router = Router::new().route("/", get(async || "hello"));
    let shutdown = CancellationToken::new();
    let at = ([127, 0, 0, 1], 0).into();
    let served = kit::serve::serve(router, at, Some(tls), shutdown.clone())
        .await
        .unwrap();

    let trusting = |pem: &str| {
        let config = client_config(pem).unwrap();
        reqwest::Client::builder()
            .tls_backend_preconfigured((*config).clone())
            .build()
            .unwrap()
    };
    let pem = read(&dir.path().join("ca.pem")).unwrap();
    let answer = trusting(&pem).get(served.url()).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "hello");

    let stranger = read(&made().path().join("ca.pem")).unwrap();
    assert!(trusting(&stranger).get(served.url()).send().await.is_err());
    shutdown.cancel();
    served.task.await.unwrap().unwrap();
}

#[test]
fn the_end_of_a_certificate_is_read() {
    let dir = made();
    for (file, days) in [("ca.pem", AUTHORITY_DAYS), ("server.pem", SERVER_DAYS)] {
        let pem = read(&dir.path().join(file)).unwrap();
        let until = valid_until(&pem).unwrap();
        let left = (until.as_seconds() - now().as_seconds()) / 86_400;
        assert!((days - 2..=days).contains(&left), "{file}: {left}");
    }
    assert_eq!(valid_until("no certificate"), None);
}
