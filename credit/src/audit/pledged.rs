//! What is done with pledges, as the trail says it.

use crate::pledge::stage::{Act, Way};

/// What was done with a pledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PledgeAction {
    /// Offered goods.
    Offer,
    /// Put it in force.
    Accept,
    /// Gave it up before it was in force.
    Withdraw,
    /// Money was drawn on it.
    Draw,
    /// A sensor's alarm froze it.
    Freeze,
    /// Let it be drawn on again.
    Thaw,
    /// Called the loan.
    Call,
    /// Proposed to end it.
    Propose,
    /// Took a proposal back.
    Retract,
    /// Released it.
    Release,
    /// Ended it with its goods sold or its invoice collected.
    Realise,
    /// It took over what was drawn on another one.
    Cover,
}

impl PledgeAction {
    /// Every action.
    pub const ALL: [Self; 12] = [
        Self::Offer,
        Self::Accept,
        Self::Withdraw,
        Self::Draw,
        Self::Freeze,
        Self::Thaw,
        Self::Call,
        Self::Propose,
        Self::Retract,
        Self::Release,
        Self::Realise,
        Self::Cover,
    ];

    /// The action of a pledge's step.
    #[must_use]
    pub fn of(act: &Act) -> Self {
        match act {
            Act::Offer(_) => Self::Offer,
            Act::Accept => Self::Accept,
            Act::Withdraw(_) => Self::Withdraw,
            Act::Draw { .. } => Self::Draw,
            Act::Alarm(_) => Self::Freeze,
            Act::Thaw(_) => Self::Thaw,
            Act::Call(_) => Self::Call,
            Act::Propose(_) => Self::Propose,
            Act::Retract(_) => Self::Retract,
            Act::Confirm(Way::Realised { .. }) => Self::Realise,
            Act::Confirm(Way::Paid(_) | Way::Substituted { .. }) => Self::Release,
            Act::Cover { .. } => Self::Cover,
        }
    }

    /// Its word in rows and texts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Offer => "pledge-offer",
            Self::Accept => "pledge-accept",
            Self::Withdraw => "pledge-withdraw",
            Self::Draw => "pledge-draw",
            Self::Freeze => "pledge-freeze",
            Self::Thaw => "pledge-thaw",
            Self::Call => "pledge-call",
            Self::Propose => "pledge-propose",
            Self::Retract => "pledge-retract",
            Self::Release => "pledge-release",
            Self::Realise => "pledge-realise",
            Self::Cover => "pledge-cover",
        }
    }
}
