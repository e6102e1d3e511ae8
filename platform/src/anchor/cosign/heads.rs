//! Asking witnesses what they know of the log, before anything new is signed.

use futures_util::future::join_all;
use schemas::note::Note;
use tokio::sync::mpsc;

use super::{Cosigner, probe};
use crate::anchor::SharedTree;
use crate::anchor::confirm::Says;

impl Cosigner {
    /// Asks all at once about a head; each is heard as it answers.
    pub(in crate::anchor) async fn ask_each(
        &self,
        note: &Note,
        tree: &SharedTree,
        said: &mpsc::Sender<(String, Says)>,
    ) {
        join_all(self.witnesses.iter().map(|witness| async move {
            let (name, answer) = self.answer(witness, note, tree).await;
            // Nobody listens any more once it is decided.
            let _ = said.send((name, Says::of(&answer))).await;
        }))
        .await;
    }

    /// Asks all at once what they know of a log of which there is no head yet. A witness of our
    /// kind says so; of another kind it can only be said that it answers.
    pub(in crate::anchor) async fn ask_what_is_known(
        &self,
        origin: &str,
        said: &mpsc::Sender<(String, Says)>,
    ) {
        join_all(self.witnesses.iter().map(|witness| async move {
            let says = match probe::said(witness).await {
                Ok(text) => known_of(&text, origin),
                Err(_) => Says::Silent,
            };
            let _ = said.send((witness.section.name.clone(), says)).await;
        }))
        .await;
    }
}

/// What a witness of our kind says that it has cosigned: lines `ORIGIN SIZE ROOT`.
fn known_of(text: &str, origin: &str) -> Says {
    let sizes = text.lines().filter_map(|line| {
        let size = line.strip_prefix(origin)?.strip_prefix(' ')?;
        size.split(' ').next()?.parse::<u64>().ok()
    });
    match sizes.max() {
        Some(size) if size > 0 => Says::Contradicts(size),
        _ => Says::Confirmed,
    }
}
