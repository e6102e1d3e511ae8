//! How an offer stands, in a word: its review, and what became of it after the bank accepted.

use crate::loan::review::{Act, Stage};
use crate::loan::taking::How;
use crate::store::Fate;

/// Tone, word of the translations, and place among others. Without a stage the rules declined it.
pub(super) fn standing(
    stage: Option<&Stage>,
    fate: Option<Fate>,
) -> (&'static str, &'static str, u8) {
    let Some(stage) = stage else {
        return ("bad", "stage.declined", 7);
    };
    if let (Some(_), Some(fate)) = (stage.accepted(), fate) {
        return match fate {
            Fate::Loan => ("ok", "stage.loan", 3),
            Fate::Ended(How::Declined) => ("none", "stage.turned-down", 5),
            Fate::Ended(How::Untaken) => ("none", "stage.untaken", 5),
        };
    }
    match stage {
        Stage::Waiting(_) => ("info", "stage.waiting", 0),
        Stage::Endorsed(_) => ("warn", "stage.endorsed", 1),
        Stage::Passed(_) => ("ok", "stage.passed", 2),
        Stage::Settled(settled) => match settled.last.act {
            Act::Accept => ("ok", "stage.accepted", 2),
            Act::Pass => ("ok", "stage.passed", 2),
            Act::Refuse => ("bad", "stage.refused", 4),
            Act::Lapse => ("none", "stage.lapsed", 6),
        },
    }
}
