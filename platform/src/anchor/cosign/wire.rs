//! The protocol's bytes: what is sent, and what is read of an answer.

use schemas::b64;
use schemas::hash::Hash;
use schemas::note::{Line, Note};

use super::{Asked, Refusal};

/// Longest answer to a checkpoint in bytes.
const ANSWER_MAX: usize = 16_384;

/// The body of `add-checkpoint`.
pub(super) fn body(old: u64, proof: &[Hash], note: &Note) -> String {
    let mut body = format!("old {old}\n");
    for hash in proof {
        body.push_str(&b64::encode(&hash.0));
        body.push('\n');
    }
    body.push('\n');
    body.push_str(&String::from_utf8_lossy(&note.encode()));
    body
}

/// Sends it; the signature lines of a good answer, nothing of them verified.
pub(super) async fn add_checkpoint(witness: &Asked, body: String) -> Result<Vec<Line>, Refusal> {
    let base = witness.section.url.trim_end_matches('/');
    let url = format!("{base}/add-checkpoint");
    let answer = witness.client.post(url).body(body).send().await;
    let answer = answer.map_err(|error| Refusal::Silent(words(&error)))?;
    let status = answer.status().as_u16();
    read_answer(
        status,
        &text(answer, ANSWER_MAX).await.map_err(Refusal::Silent)?,
    )
}

/// An answer's text, if it is of at most so many bytes; no more is ever read.
pub(super) async fn text(mut answer: reqwest::Response, most: usize) -> Result<String, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| words(&error))? {
        if bytes.len() + chunk.len() > most {
            return Err(format!("an answer of more than {most} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| "an answer that is no text".into())
}

/// What went wrong, without the address.
pub(super) fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no answer in time".into()
    } else {
        schemas::causes::causes(error)
    }
}

fn read_answer(status: u16, text: &str) -> Result<Vec<Line>, Refusal> {
    match status {
        // Lines of other keys, of whatever form, are ignored.
        200 => Ok(text
            .lines()
            .filter_map(|line| Line::parse(line).ok())
            .collect()),
        409 => size(text).map_or(Err(Refusal::Refused(409)), |size| Err(Refusal::Knows(size))),
        other => Err(Refusal::Refused(other)),
    }
}

/// A size and its line end; none for a size that no log can have.
fn size(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('\n').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain && (1..=16).contains(&digits.len()) {
        digits.parse().ok()
    } else {
        None
    }
}
