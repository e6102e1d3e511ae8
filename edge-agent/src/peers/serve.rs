//! `GET /seen`: one small answer over HTTP/1.1, by hand, since a gateway serves nothing else.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Checkpoints;

/// Longest request in bytes, headers included.
const REQUEST_MAX: usize = 4_096;
/// Connections at once; further ones wait.
const CONNECTIONS_MAX: usize = 16;
/// How long one request and its answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after the operating system has refused a connection.
const REFUSED: Duration = Duration::from_millis(100);

/// Serves until `shutdown`.
pub(super) async fn run(
    listener: TcpListener,
    own: Arc<dyn Checkpoints>,
    shutdown: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(REFUSED).await;
            continue;
        };
        let own = Arc::clone(&own);
        tokio::spawn(async move {
            // Whoever is slower than that, or hangs up, gets nothing.
            let _ = tokio::time::timeout(PATIENCE, answer(stream, own)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, own: Arc<dyn Checkpoints>) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(512);
    let mut piece = [0; 512];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut piece).await?;
        request.extend(piece.iter().take(count));
        if count == 0 || request.len() > REQUEST_MAX {
            return Ok(());
        }
    }
    let (status, body) = if request.starts_with(b"GET /seen HTTP/1.") {
        match own.newest().await {
            Some(note) => ("200 OK", note),
            None => ("404 Not Found", b"nothing seen yet\n".to_vec()),
        }
    } else {
        ("404 Not Found", b"only GET /seen\n".to_vec())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}
