//! A responder for a handful of small answers over HTTP/1.1, by hand: a gateway serves nothing that
//! needs more, and a server library costs a tenth of its binary. One request a connection, GET and
//! HEAD only, bounded in bytes, in time and in connections at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Longest request in bytes, headers included.
const REQUEST_MAX: usize = 4_096;
/// Connections at once; further ones wait.
const CONNECTIONS_MAX: usize = 16;
/// How long one request and its answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after the operating system has refused a connection.
const REFUSED: Duration = Duration::from_millis(100);

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// Path without query.
    pub path: String,
    /// What follows the question mark, undecoded.
    pub query: String,
    /// `Host`, in lower case.
    pub host: String,
    /// `Accept-Language`, in lower case.
    pub languages: String,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// `200 OK`.
    pub status: &'static str,
    /// Media type.
    pub kind: &'static str,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Text in UTF-8.
    pub fn text(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }
}

/// Whoever answers.
#[async_trait]
pub(crate) trait Answers: Send + Sync {
    /// One answer; never an error, since somebody waits for words.
    async fn answer(&self, request: &Request) -> Answer;
}

/// Serves until `shutdown`.
pub(crate) async fn run(
    listener: TcpListener,
    answers: Arc<dyn Answers>,
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
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            // Whoever is slower than that, or hangs up, gets nothing.
            let _ = tokio::time::timeout(PATIENCE, converse(stream, answers)).await;
            drop(place);
        });
    }
}

async fn converse(mut stream: TcpStream, answers: Arc<dyn Answers>) -> std::io::Result<()> {
    let mut asked = Vec::with_capacity(512);
    let mut piece = [0; 512];
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut piece).await?;
        asked.extend(piece.iter().take(count));
        if count == 0 || asked.len() > REQUEST_MAX {
            return Ok(());
        }
    }
    let (answer, has_body) = match read(&asked) {
        Some((request, has_body)) => (answers.answer(&request).await, has_body),
        None => {
            let words = "only GET and HEAD\n";
            (Answer::text("405 Method Not Allowed", words), true)
        }
    };
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    if has_body {
        stream.write_all(&answer.body).await?;
    }
    stream.shutdown().await
}

/// The request, and whether its answer has a body; none for what is no GET or HEAD over HTTP/1.
fn read(bytes: &[u8]) -> Option<(Request, bool)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let has_body = match words.next()? {
        "GET" => true,
        "HEAD" => false,
        _ => return None,
    };
    let target = words.next()?;
    if !target.starts_with('/') || !words.next()?.starts_with("HTTP/1.") {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |name: &str| {
        let found = headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(String::new(), |(_, value)| value.trim().to_lowercase())
    };
    let request = Request {
        path: path.to_owned(),
        query: query.to_owned(),
        host: header("host"),
        languages: header("accept-language"),
    };
    Some((request, has_body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_everything_else_is_refused() {
        let asked =
            b"GET /a?lang=en HTTP/1.1\r\nHost: LocalHost:1\r\nAccept-language: zh-CN\r\n\r\n";
        let (request, has_body) = read(asked).expect("request");
        assert!(has_body);
        assert_eq!(
            (
                &*request.path,
                &*request.query,
                &*request.host,
                &*request.languages
            ),
            ("/a", "lang=en", "localhost:1", "zh-cn")
        );
        assert!(!read(b"HEAD / HTTP/1.0\r\n\r\n").expect("request").1);
        for bad in [
            &b"POST / HTTP/1.1\r\n\r\n"[..],
            b"GET / HTTP/2\r\n\r\n",
            b"GET http://x/ HTTP/1.1\r\n\r\n",
            b"GET\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
            b"\r\n\r\n",
        ] {
            assert_eq!(read(bad), None);
        }
    }
}
