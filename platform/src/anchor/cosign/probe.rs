//! Whether each witness is the one that the configuration names (`platform check`).

use futures_util::future::join_all;
use schemas::note::{Line, Note};

use super::wire::{self, words};
use super::{Asked, Cosigner, Refusal, Unfit};
use crate::witness::ABOUT_MAX;

/// What was seen of a witness that answers as it should.
pub struct Seen {
    /// In words.
    pub words: String,
    /// When it says that it is, where it has signed: seconds since 1970.
    pub time: Option<u64>,
}

impl Seen {
    fn only(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { words, time: None }
    }
}

impl Cosigner {
    /// Whether each witness answers with its own key for this log, in words. Where a checkpoint was
    /// published, it is asked to cosign that one again, which tells it nothing new; before the
    /// first one only what it says of itself can be compared.
    pub async fn probe(&self, published: Option<&[u8]>) -> Vec<(String, Result<Seen, Unfit>)> {
        let note = published.and_then(|bytes| Note::parse(bytes).ok());
        join_all(self.witnesses.iter().map(|witness| async {
            let answer = match &note {
                Some(note) => published_one(witness, note).await,
                None => about(witness).await,
            };
            (witness.section.name.clone(), answer)
        }))
        .await
    }
}

async fn published_one(witness: &Asked, note: &Note) -> Result<Seen, Unfit> {
    let size = note.checkpoint.size;
    match wire::add_checkpoint(witness, wire::body(size, &[], note)).await {
        Ok(lines) => own_line(witness, note, &lines),
        // A service that runs beside may be ahead of the checkpoint that was read here.
        Err(Refusal::Knows(known)) if known != size => Ok(Seen::only(format!(
            "answers; it knows size {known}, the checkpoint here has {size}"
        ))),
        Err(Refusal::Refused(404)) => Err(Unfit::Wrong("it does not know this log".into())),
        Err(Refusal::Refused(403)) => {
            let why = "it knows this log under another key";
            Err(Unfit::Wrong(why.into()))
        }
        Err(Refusal::Silent(why)) => Err(Unfit::Silent(why)),
        Err(refusal) => Err(Unfit::Wrong(refusal.to_string())),
    }
}

fn own_line(witness: &Asked, note: &Note, lines: &[Line]) -> Result<Seen, Unfit> {
    let key = witness.key.as_ref();
    let key = key.ok_or_else(|| Unfit::Wrong("the key given here is none".into()))?;
    let own = |line: &Line| note.check_cosignature(line, &witness.section.name, key);
    let size = note.checkpoint.size;
    match lines.iter().find_map(own) {
        Some(time) => Ok(Seen {
            words: format!("cosigns size {size} with the key named here"),
            time: Some(time),
        }),
        None => Err(Unfit::Wrong(
            "its cosignature is not by the key and name given here".into(),
        )),
    }
}

/// What a witness's own page says to machines; empty where it answers and has none. Whoever answers
/// in its place that it cannot be reached (5xx) is no witness.
pub(super) async fn said(witness: &Asked) -> Result<String, Unfit> {
    let answer = witness.client.get(&witness.section.url).send().await;
    let answer = answer.map_err(|error| Unfit::Silent(words(&error)))?;
    let status = answer.status();
    if status.is_server_error() {
        return Err(Unfit::Silent(format!("status {status}")));
    }
    if !status.is_success() {
        return Ok(String::new());
    }
    wire::text(answer, ABOUT_MAX).await.map_err(Unfit::Silent)
}

/// What a witness of our kind says of itself: `witness NAME KEY`.
async fn about(witness: &Asked) -> Result<Seen, Unfit> {
    let section = &witness.section;
    let text = said(witness).await?;
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("witness"), Some(name), Some(key)) => {
            let key: Option<schemas::hash::Hash> = key.parse().ok();
            if name == section.name && key == Some(section.key) {
                Ok(Seen::only("answers with the name and key given here"))
            } else {
                let why = format!("it is `{name}`, or has another key than given here");
                Err(Unfit::Wrong(why))
            }
        }
        _ => Ok(Seen::only(
            "answers; its key can be compared once there is a checkpoint",
        )),
    }
}
