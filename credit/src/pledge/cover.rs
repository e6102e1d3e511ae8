//! What stands behind a draw: the pledges of its loan. A draw is kept in their histories before money
//! moves, so an alarm that comes at the same time and the draw take the same step: one of them is
//! refused and looks again.

use std::sync::Arc;

use async_trait::async_trait;
use schemas::hash::sha256_parts;
use schemas::ids::Slug;

use super::desk::{PledgeError, Pledging};
use super::ids::{Key, PledgeId};
use super::stage::{Act, Denied, Stage, State};
use super::step::Chain;
use crate::lending::ports::{Cover, Draw, PortError};
use crate::money::Money;
use crate::product::kind::KindName;
use crate::store::Tables;
use crate::store::pledge::{PLEDGES_MAX, Which};

/// Who draws in a pledge's history: the service, for the person whom the loan's own history names.
const DRAWER: &str = "lending";

/// Pledges as the cover of draws.
///
/// A loan is paid out once, so what was drawn on its pledges before counts for the draw that is asked
/// about: asking again, and after the bank's core said no, takes nothing twice.
pub struct Pledged(Arc<dyn Tables>);

impl Pledged {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Tables>) -> Self {
        Self(store)
    }

    async fn chains(&self, loan: &Key) -> Result<Vec<(PledgeId, Chain)>, PortError> {
        let which = Which::OfLoan(loan.clone());
        let lines = self.0.pledges(&which, PLEDGES_MAX).await;
        let pledging = Pledging::new(&*self.0);
        let mut chains = Vec::new();
        for line in lines.map_err(PortError::unavailable)? {
            let chain = pledging.read(&line.pledge).await;
            chains.push((line.pledge, chain.map_err(PortError::unavailable)?));
        }
        Ok(chains)
    }
}

#[async_trait]
impl Cover for Pledged {
    async fn draw(&self, draw: &Draw) -> Result<(), PortError> {
        let loan: Key = match draw.loan.as_str().parse() {
            Ok(loan) => loan,
            Err(_) => return needless(draw),
        };
        let chains = self.chains(&loan).await?;
        let open = chains.iter().filter(|(_, chain)| is_open(chain.stage()));
        let open: Vec<&(PledgeId, Chain)> = open.collect();
        if open.is_empty() {
            return needless(draw);
        }
        for (_, chain) in &open {
            check(chain.stage())?;
        }
        let missing = missing(draw.amount, &open)?;
        self.keep(draw, missing, &open).await
    }
}

impl Pledged {
    /// Draws what is missing on one pledge after another.
    async fn keep(
        &self,
        draw: &Draw,
        mut missing: Money,
        open: &[&(PledgeId, Chain)],
    ) -> Result<(), PortError> {
        for (pledge, chain) in open {
            let room = chain.stage().life().room();
            let amount = room.min(missing).map_err(PortError::unavailable)?;
            if amount.fen() == 0 {
                continue;
            }
            self.draw_on(draw, pledge, chain, amount).await?;
            missing = missing.minus(amount).map_err(PortError::unavailable)?;
        }
        Ok(())
    }

    async fn draw_on(
        &self,
        draw: &Draw,
        pledge: &PledgeId,
        chain: &Chain,
        amount: Money,
    ) -> Result<(), PortError> {
        let drawn = chain.stage().life().drawn;
        let request = request(pledge, draw, drawn);
        let person: Slug = DRAWER.parse().map_err(PortError::unavailable)?;
        let act = Act::Draw {
            disbursement: request.clone(),
            amount,
        };
        let pledging = Pledging::new(&*self.0);
        match pledging.act(pledge, request, person, act, draw.at).await {
            Ok(_) => Ok(()),
            Err(PledgeError::Denied(Denied::Stage(_))) => {
                let chain = pledging
                    .read(pledge)
                    .await
                    .map_err(PortError::unavailable)?;
                check(chain.stage())?;
                Err(PortError::unavailable(PledgeError::Busy))
            }
            Err(PledgeError::Denied(denied)) => {
                Err(PortError::refused("pledge-short", denied.to_string()))
            }
            Err(error) => Err(PortError::unavailable(error)),
        }
    }
}

/// One draw on one pledge as it stands: asked again, it is the same request.
fn request(pledge: &PledgeId, draw: &Draw, drawn: Money) -> Key {
    let hash = sha256_parts(&[
        b"tracebond/pledge-draw/v1\n",
        pledge.as_bytes(),
        &drawn.fen().to_be_bytes(),
        &draw.amount.fen().to_be_bytes(),
        draw.loan.as_str().as_bytes(),
    ]);
    Key::of_hash("draw", &hash)
}

/// Waiting or in force.
fn is_open(stage: &Stage) -> bool {
    !matches!(stage, Stage::Ended(_))
}

/// A loan without pledges needs none, or is refused for it.
fn needless(draw: &Draw) -> Result<(), PortError> {
    if draw.kind.name() == KindName::PledgedStock {
        let why = "this product lends on pledged goods, and nothing is pledged for this loan";
        return Err(PortError::refused("pledge-missing", why));
    }
    Ok(())
}

/// Only pledges in force are drawn on; one that is not stops the whole loan.
fn check(stage: &Stage) -> Result<(), PortError> {
    match stage.state() {
        State::Pledged => Ok(()),
        State::Frozen => {
            let alarms = stage.life().alarms.iter();
            let alarms: Vec<String> = alarms.map(super::watch::Alarm::in_words).collect();
            let why = format!(
                "pledged goods are frozen by an alarm: {}",
                alarms.join("; ")
            );
            Err(PortError::refused("pledge-frozen", why))
        }
        State::Offered => {
            let why = "a pledge of this loan waits for a second person to accept it";
            Err(PortError::refused("pledge-waiting", why))
        }
        State::Called | State::Released | State::Realised | State::Withdrawn => {
            let why = "the pledge of this loan was called";
            Err(PortError::refused("pledge-called", why))
        }
    }
}

/// What of the amount was not drawn on the pledges before.
fn missing(amount: Money, open: &[&(PledgeId, Chain)]) -> Result<Money, PortError> {
    let mut missing = amount;
    let mut room = Money::zero(amount.currency());
    for (_, chain) in open {
        let life = chain.stage().life();
        let drawn = life.drawn.min(missing).map_err(PortError::unavailable)?;
        missing = missing.minus(drawn).map_err(PortError::unavailable)?;
        room = room.plus(life.room()).map_err(PortError::unavailable)?;
    }
    if room.fen() < missing.fen() {
        let why = format!("the pledges of this loan cover {room} more, and {missing} is asked for");
        return Err(PortError::refused("pledge-short", why));
    }
    Ok(missing)
}

#[cfg(test)]
mod tests;
