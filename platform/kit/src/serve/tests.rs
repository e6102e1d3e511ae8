use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(10);

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

async fn started(router: Router, limits: Limits) -> (Served, CancellationToken) {
    let shutdown = CancellationToken::new();
    let served = serve_with(router, loopback(), None, limits, shutdown.clone())
        .await
        .unwrap();
    (served, shutdown)
}

/// Sends raw bytes and reads until the server closes.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A refusal may reset the connection after its answer; what was read by then counts.
    let _ = timeout(SOON, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn port_zero_is_answered_with_the_real_port_and_the_caller_is_known() {
    let router = Router::new().route(
        "/",
        get(|ConnectInfo(caller): ConnectInfo<SocketAddr>| async move { caller.ip().to_string() }),
    );
    let (served, shutdown) = started(router, Limits::default()).await;
    assert_ne!(served.address.port(), 0);
    assert_eq!(served.url(), format!("http://{}", served.address));
    let answer = exchange(
        served.address,
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.await.ends_with("127.0.0.1"));
    shutdown.cancel();
    timeout(SOON, served.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let router = Router::new().route(
        "/",
        post(|body: Bytes| async move { body.len().to_string() }),
    );
    let (served, _shutdown) = started(
        router,
        Limits {
            body_bytes: 8,
            ..Limits::default()
        },
    )
    .await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ";
    let fits = exchange(
        served.address,
        format!("{head}8\r\n\r\n12345678").as_bytes(),
    )
    .await;
    assert!(fits.starts_with("HTTP/1.1 200"), "{fits}");
    let larger = exchange(
        served.address,
        format!("{head}9\r\n\r\n123456789").as_bytes(),
    )
    .await;
    assert!(larger.starts_with("HTTP/1.1 413"), "{larger}");
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let limits = Limits {
        header_bytes: 8192,
        ..Limits::default()
    };
    let (served, _shutdown) = started(Router::new(), limits).await;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "y".repeat(20_000)
    );
    let answer = exchange(served.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_caller_who_drips_bytes_is_cut_off() {
    let limits = Limits {
        patience: Duration::from_millis(300),
        ..Limits::default()
    };
    let (served, _shutdown) = started(Router::new(), limits).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let dripped = timeout(SOON, async {
        // One byte every 50 ms is always in time for an idle limit of 300 ms.
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while stream.write_all(b"G").await.is_ok() {
            ticks.tick().await;
        }
    });
    dripped.await.expect("the server closes the connection");
}

#[tokio::test]
async fn a_running_request_is_finished_after_shutdown_began() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (began, gone) = (begun.clone(), go.clone());
    let slow = move || async move {
        began.notify_one();
        gone.notified().await;
        "finished"
    };
    let (served, shutdown) = started(Router::new().route("/", get(slow)), Limits::default()).await;
    let address = served.address;
    let request =
        tokio::spawn(async move { exchange(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await });
    begun.notified().await;
    shutdown.cancel();
    go.notify_one();
    assert!(request.await.unwrap().ends_with("finished"));
    timeout(SOON, served.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let (served, _shutdown) = started(Router::new(), Limits::default()).await;
    let error = serve(
        Router::new(),
        served.address,
        None,
        CancellationToken::new(),
    )
    .await;
    assert_eq!(error.unwrap_err().address, served.address);
}

/// A flood of one caller's connections is closed; another caller is served.
#[tokio::test]
async fn one_caller_has_only_so_many_connections() {
    let limits = Limits {
        connections_per_address: 2,
        ..Limits::default()
    };
    let router = Router::new().route("/", get(|| async { "here" }));
    let (served, _shutdown) = started(router, limits).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut first = [0; 1];
        timeout(SOON, stream.read_exact(&mut first))
            .await
            .unwrap()
            .unwrap();
        open.push(stream);
    }
    let mut third = TcpStream::connect(served.address).await.unwrap();
    let mut nothing = Vec::new();
    let closed = timeout(SOON, third.read_to_end(&mut nothing))
        .await
        .unwrap();
    assert!(closed.is_err() || nothing.is_empty());
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let mut other = other.connect(served.address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    other.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, other.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.ends_with(b"here"));
}
