use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use schemas::time::Instant;

/// 2101-01-01: the certificates of [`of_the_next_century`] are valid then and not now.
pub(crate) const NEXT_CENTURY: Instant = Instant::from_seconds(4_133_980_800);

/// A platform behind TLS whose certificates are valid from 2100 to 2110: as a gateway meets one whose
/// own clock was never set. Its address, and its CA in PEM.
pub(crate) async fn of_the_next_century(router: Router) -> (String, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let valid = |mut parameters: CertificateParams| {
        parameters.not_before = rcgen::date_time_ymd(2100, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2110, 1, 1);
        parameters
    };
    let mut parameters = valid(CertificateParams::new(Vec::new()).expect("parameters"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("key");
    let ca = parameters.self_signed(&ca_key).expect("CA");
    let issuer = Issuer::new(parameters, ca_key);
    let key = KeyPair::generate().expect("key");
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let server = valid(server).signed_by(&key, &issuer).expect("certificate");
    let config = axum_server::tls_rustls::RustlsConfig::from_pem(
        server.pem().into_bytes(),
        key.serialize_pem().into_bytes(),
    );
    let config = config.await.expect("TLS");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.set_nonblocking(true).expect("nonblocking");
    let address: SocketAddr = listener.local_addr().expect("address");
    let serving = axum_server::from_tcp_rustls(listener, config)
        .expect("server")
        .serve(router.into_make_service());
    tokio::spawn(serving);
    (format!("https://{address}"), ca.pem())
}

#[tokio::test]
async fn certificates_are_judged_by_what_has_passed_for_certain() {
    let router = Router::new().route("/v1/x", get(|| async { "hello" }));
    let (base, ca) = of_the_next_century(router).await;
    let client = |floor| Client::new(&base, &ca, floor).expect("client");
    let early = client(Floor::default()).get("/v1/x").await;
    assert!(early.is_err_and(|problem| problem.contains("certificate")));
    let answer = client(Floor::at(NEXT_CENTURY)).get("/v1/x").await;
    assert_eq!(answer.expect("answer").body, b"hello");
    // Under another CA nothing is believed at any time.
    let (_, other) = of_the_next_century(Router::new()).await;
    let stranger = Client::new(&base, &other, Floor::at(NEXT_CENTURY)).expect("client");
    assert!(stranger.get("/v1/x").await.is_err());
}

/// A server that answers so many questions on each connection; how many connections it was asked for.
async fn patient_for(questions: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut stream = BufReader::new(stream);
            for _ in 0..questions {
                let mut line = String::new();
                while stream.read_line(&mut line).await.expect("line") > 2 {
                    line.clear();
                }
                let text = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(text).await.expect("written");
            }
        }
    });
    (format!("http://{address}"), connections)
}

#[tokio::test]
async fn a_line_is_used_again_until_the_other_side_closes_it() {
    let (base, connections) = patient_for(3).await;
    let client = Client::new(&base, "", Floor::default()).expect("client");
    let mut line = client.line();
    for question in 0..7 {
        let answer = line.get("/x").await.expect("answer");
        assert_eq!(answer.ok().expect("200"), b"ok");
        assert_eq!(connections.load(Ordering::SeqCst), question / 3 + 1);
    }
}

#[tokio::test]
async fn nobody_is_waited_for_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    let client = Client::new(&base, "", Floor::default()).expect("client");
    let question = Question::get("/x").within(Duration::from_millis(20));
    let problem = client.ask(&question).await.expect_err("nobody answers");
    assert!(problem.contains("no answer within"), "{problem}");
    drop(listener);
    let problem = client.get("/x").await.expect_err("nobody listens");
    assert!(problem.starts_with(&base), "{problem}");
}
