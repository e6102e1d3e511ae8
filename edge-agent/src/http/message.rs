//! An answer as it stands on the wire (RFC 9112).

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite,
    AsyncWriteExt as _, BufReader,
};

/// Longest body that is read, in bytes.
pub(super) const BODY_MAX: usize = 1024 * 1024;
/// Longest head of an answer in bytes, all interim ones together.
const HEAD_MAX: u64 = 32 * 1024;
/// Longest line that says the size of a chunk, in bytes.
const CHUNK_LINE_MAX: u64 = 256;

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Of three digits.
    pub status: u16,
    /// `Date`, as it was sent.
    pub date: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body of an answer with status 200.
    ///
    /// # Errors
    /// Any other status, in words.
    pub fn ok(self) -> Result<Vec<u8>, String> {
        match self.status {
            super::OK => Ok(self.body),
            other => Err(format!("status {other}")),
        }
    }

    /// True for a status from 200 to 299.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }
}

/// How an answer's body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    /// With the connection.
    #[default]
    Close,
    Length(usize),
    Chunks,
}

/// The part of an answer before its body.
#[derive(Debug, Default)]
struct Head {
    status: u16,
    date: Option<String>,
    ending: Ending,
    closes: bool,
}

/// Sends what was asked and reads the answer; whether the connection may be used again.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    open: &mut BufReader<S>,
    asked: &[u8],
) -> Result<(Answer, bool), String> {
    let words = |error: std::io::Error| error.to_string();
    open.get_mut().write_all(asked).await.map_err(words)?;
    open.get_mut().flush().await.map_err(words)?;
    read(open).await
}

/// Reads an answer.
async fn read<R: AsyncBufRead + Unpin>(open: &mut R) -> Result<(Answer, bool), String> {
    let head = read_head(open).await?;
    // These have no body, whatever their head says.
    let is_bare = matches!(head.status, 204 | 304);
    let goes_on = !head.closes && (is_bare || head.ending != Ending::Close);
    let body = match head.ending {
        _ if is_bare => Vec::new(),
        Ending::Length(length) => read_length(open, length).await?,
        Ending::Chunks => read_chunks(open).await?,
        Ending::Close => read_to_end(open).await?,
    };
    let answer = Answer {
        status: head.status,
        date: head.date,
        body,
    };
    Ok((answer, goes_on))
}

/// The head of the last answer: interim ones (1xx) are passed over.
async fn read_head<R: AsyncBufRead + Unpin>(open: &mut R) -> Result<Head, String> {
    let mut limited = (&mut *open).take(HEAD_MAX);
    loop {
        let first = read_line(&mut limited).await?;
        let mut head = Head {
            status: status(&first).ok_or("an answer that is not HTTP/1.1")?,
            ..Head::default()
        };
        head.closes = first.starts_with("HTTP/1.0");
        loop {
            let line = read_line(&mut limited).await?;
            if line.is_empty() {
                break;
            }
            head.take(&line)?;
        }
        match head.status {
            100..200 => {}
            _ => return Ok(head),
        }
    }
}

/// `HTTP/1.1 200 OK`.
fn status(line: &str) -> Option<u16> {
    let mut words = line.split(' ');
    let version = words.next()?;
    let status = words.next().filter(|word| word.len() == 3)?;
    let is_known = matches!(version, "HTTP/1.0" | "HTTP/1.1");
    let status = status.parse().ok().filter(|status| *status >= 100)?;
    is_known.then_some(status)
}

impl Head {
    fn take(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once(':').ok_or("a header without a colon")?;
        let value = value.trim_matches([' ', '\t']);
        match name.to_ascii_lowercase().as_str() {
            "date" => self.date = Some(value.to_owned()),
            "connection" => {
                let mut words = value.split(',').map(str::trim);
                self.closes |= words.any(|word| word.eq_ignore_ascii_case("close"));
            }
            "content-length" => self.end(Ending::Length(number(value, 10)?))?,
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                self.end(Ending::Chunks)?;
            }
            "transfer-encoding" | "content-encoding" => {
                return Err(format!("an encoding that was not asked for: {value:.40}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Two words about one end are a trap for somebody.
    fn end(&mut self, ending: Ending) -> Result<(), String> {
        if self.ending != Ending::Close && self.ending != ending {
            return Err("an answer that says its length twice".to_owned());
        }
        self.ending = ending;
        Ok(())
    }
}

/// Digits only: no sign, no space.
fn number(text: &str, radix: u32) -> Result<usize, String> {
    let is_number = text.chars().all(|digit| digit.is_digit(radix));
    let number = usize::from_str_radix(text, radix)
        .ok()
        .filter(|_| is_number);
    number.ok_or_else(|| format!("`{text:.40}` is no length"))
}

/// A line without its end.
async fn read_line<R: AsyncBufRead + Unpin>(open: &mut R) -> Result<String, String> {
    let mut line = Vec::new();
    let read = open.read_until(b'\n', &mut line).await;
    read.map_err(|error| error.to_string())?;
    if line.pop() != Some(b'\n') {
        return Err("the connection ends within the answer's head".to_owned());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| "a header that is no text".to_owned())
}

fn too_large() -> String {
    "an answer beyond a megabyte".to_owned()
}

/// Appends so many bytes to the body, which may not grow too large.
async fn read_more<R: AsyncRead + Unpin>(
    open: &mut R,
    body: &mut Vec<u8>,
    length: usize,
) -> Result<(), String> {
    if length > BODY_MAX - body.len() {
        return Err(too_large());
    }
    let begin = body.len();
    body.resize(begin + length, 0);
    let read = open.read_exact(&mut body[begin..]).await;
    read.map(drop).map_err(|error| error.to_string())
}

async fn read_length<R: AsyncRead + Unpin>(open: &mut R, length: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    read_more(open, &mut body, length).await?;
    Ok(body)
}

async fn read_to_end<R: AsyncRead + Unpin>(open: &mut R) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut limited = open.take(BODY_MAX as u64 + 1);
    let read = limited.read_to_end(&mut body).await;
    match read.map_err(|error| error.to_string())? {
        length if length > BODY_MAX => Err(too_large()),
        _ => Ok(body),
    }
}

/// RFC 9112 section 7.1; extensions and trailers are passed over.
async fn read_chunks<R: AsyncBufRead + Unpin>(open: &mut R) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let line = read_line(&mut (&mut *open).take(CHUNK_LINE_MAX)).await?;
        let size = line.split(';').next().unwrap_or_default();
        let size = number(size.trim_end_matches([' ', '\t']), 16)?;
        if size == 0 {
            break;
        }
        read_more(open, &mut body, size).await?;
        if !read_line(&mut (&mut *open).take(2)).await?.is_empty() {
            return Err("a chunk that is longer than it says".to_owned());
        }
    }
    let mut trailers = (&mut *open).take(HEAD_MAX);
    while !read_line(&mut trailers).await?.is_empty() {}
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(text: &str) -> Result<(Answer, bool), String> {
        read(&mut text.as_bytes()).await
    }

    #[tokio::test]
    async fn an_answer_ends_as_it_says() {
        for (text, status, body, goes_on) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
                200,
                "ab",
                true,
            ),
            ("HTTP/1.1 404 \r\ncontent-length:0\r\n\r\n", 404, "", true),
            ("HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc", false),
            ("HTTP/1.1 200 OK\r\n\r\n", 200, "", false),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
            (
                "HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\ncontent-length: 1\r\n\r\na",
                200,
                "a",
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na",
                200,
                "a",
                false,
            ),
            (
                "HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\ncontent-length: 1\n\na",
                200,
                "a",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nx: y\r\n\r\nrest",
                200,
                "abc0123456789",
                true,
            ),
        ] {
            let (found, again) = answer(text).await.expect(text);
            let found_body = String::from_utf8(found.body).expect("text");
            assert_eq!(
                (found.status, &*found_body, again),
                (status, body, goes_on),
                "{text}"
            );
        }
        let (dated, _) = answer("HTTP/1.1 200 OK\r\nDATE: today\r\n\r\n")
            .await
            .expect("dated");
        assert_eq!(dated.date.as_deref(), Some("today"));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_refused() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for text in [
            String::new(),
            "SSH-2.0-OpenSSH\r\n\r\n".to_owned(),
            "HTTP/2 200 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na".to_owned(),
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nab".to_owned(),
            "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\nab".to_owned(),
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_owned(),
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                BODY_MAX + 1
            ),
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u128::MAX),
            format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(BODY_MAX + 1)),
            format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(40_000)),
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(2_000),
            format!("{chunked}3\r\nabcd\r\n0\r\n\r\n"),
            format!("{chunked}3\r\nabc\r\n"),
            format!("{chunked}-3\r\nabc\r\n0\r\n\r\n"),
            format!("{chunked}{:x}\r\n", BODY_MAX + 1),
            format!("{chunked}{}\r\nabc\r\n0\r\n\r\n", "0".repeat(300)),
        ] {
            assert!(answer(&text).await.is_err(), "{text:.120}");
        }
    }

    /// The kept inputs of the fuzz target `answer`, whole, cut at every place and with each byte
    /// changed; what is named after a refusal is refused.
    #[tokio::test]
    async fn kept_answers_are_read_or_refused() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/corpus/answer");
        let mut taken = 0;
        for entry in std::fs::read_dir(folder).expect(folder) {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a file");
            let name = path.file_name().expect("a name").to_string_lossy();
            let is_read = read(&mut &bytes[..]).await.is_ok();
            assert_eq!(is_read, !name.starts_with("refused-"), "{name}");
            taken += usize::from(is_read);
            for at in 0..bytes.len().min(512) {
                let _ = read(&mut &bytes[..at]).await;
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                let _ = read(&mut &changed[..]).await;
            }
        }
        assert!(taken >= 5, "{taken} kept answers are taken");
    }

    proptest::proptest! {
        /// Whoever answers: what comes is read or refused, and never larger than a body may be.
        #[test]
        fn whatever_comes_is_read_or_refused(
            head in "(HTTP/1.1 200 OK\r\n)?((transfer-encoding: chunked|content-length: [0-9]{1,9}|[a-z:]{0,9})\r\n){0,3}(\r\n)?",
            body in "([0-9a-f]{1,6}\r\n[a-z\r\n]{0,20}){0,4}",
            rest in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        ) {
            let bytes = [head.as_bytes(), body.as_bytes(), &rest].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let read = runtime.expect("runtime").block_on(read(&mut &bytes[..]));
            if let Ok((answer, _)) = read {
                proptest::prop_assert!(answer.body.len() <= bytes.len());
            }
        }
    }
}
