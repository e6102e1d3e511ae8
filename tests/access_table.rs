//! Every route as every caller, over HTTP, against the table of `platform/docs/access.md`; and the
//! table and the OpenAPI documents against the routers. All differences are printed, not the first.

mod asks;
mod caller;
mod clock;
mod credit;
mod pages;
mod papers;
mod platform;

use std::collections::BTreeSet;

use kit::routes::{Case, Table, Verdict};

use asks::{Ask, Asks, Body};
use caller::{Answer, Caller, Callers, Shows};

/// How those are named who have shown a password and nothing else yet.
const HALF: &str = "half a session";

/// A service with everybody who may come.
struct Ground {
    /// Its address, without slash at the end.
    url: String,
    /// By the names of the table's columns.
    callers: Callers,
    /// Who must come out as a stranger everywhere, by what they are.
    strangers: Vec<(&'static str, Shows)>,
    /// What is asked at each route.
    asks: Asks,
}

fn table(section: &str) -> Table {
    Table::parse(include_str!("../platform/docs/access.md"), section).unwrap()
}

/// Asks everything, log-outs last; what differs, in words.
async fn walk(ground: &Ground, table: &Table) -> Vec<String> {
    let mut cases: Vec<Case<'_>> = table.cases().collect();
    cases.sort_by_key(|case| case.path == "/logout");
    let mut wrong = Vec::new();
    let mut unknown = BTreeSet::new();
    for case in &cases {
        if case.verdict == Verdict::Nothing {
            continue;
        }
        let route = format!("{} {}", case.method, case.path);
        let Some(ask) = ground.asks.get(&route) else {
            unknown.insert(format!("{route}: the walk has no request for it"));
            continue;
        };
        let Some(caller) = ground.callers.get(case.caller) else {
            unknown.insert(format!(
                "the walk does not know the caller `{}`",
                case.caller
            ));
            continue;
        };
        wrong.extend(ground.differs(case, &route, ask, caller).await);
    }
    wrong.extend(unknown);
    wrong
}

impl Ground {
    /// What is wrong about one cell.
    async fn differs(
        &self,
        case: &Case<'_>,
        route: &str,
        ask: &Ask,
        caller: &Caller,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        if case.verdict == Verdict::Yes {
            // Before the answer that may end the session.
            wrong.extend(self.forged(route, ask, caller).await);
            wrong.extend(self.without_key(route, ask, caller).await);
        }
        let answer = self.ask(ask, &ask.path, caller).await;
        // Whoever has logged out is at the log-in; that the session has ended is tested with sessions.
        let may_leave = case.path == "/logout" && case.verdict == Verdict::Yes;
        let right = agrees(case.verdict, &answer) || (may_leave && answer.status == 303);
        if !right {
            let (name, meant) = (case.caller, case.verdict);
            wrong.push(format!("{route} as {name}: {answer} and not {meant:?}"));
        }
        if case.verdict == Verdict::Hidden {
            wrong.extend(self.shows_itself(route, ask, caller, &answer).await);
        }
        if case.caller == "stranger" {
            for (what, shows) in &self.strangers {
                // There, and only there, half a session is worth something.
                if what.starts_with(HALF) && case.path.starts_with("/login/") {
                    continue;
                }
                let answer = self.ask(ask, &ask.path, &Caller::new(shows.clone())).await;
                if !agrees(case.verdict, &answer) {
                    let meant = case.verdict;
                    wrong.push(format!("{route} with {what}: {answer} and not {meant:?}"));
                }
            }
        }
        wrong
    }

    /// What is another's looks as what was never there.
    async fn shows_itself(
        &self,
        route: &str,
        ask: &Ask,
        caller: &Caller,
        answer: &Answer,
    ) -> Option<String> {
        let Some(never) = &ask.never else {
            return Some(format!("{route}: the walk has no id that was never given"));
        };
        let other = self.ask(ask, never, caller).await;
        let plain = |answer: &Answer, id: &str| answer.text.replace(id, "ID");
        let same =
            (answer.status, plain(answer, &ask.path)) == (other.status, plain(&other, never));
        (!same).then(|| format!("{route}: another's is not as one that was never given"))
    }

    /// A form without its token, with another's, from another origin: all 403.
    async fn forged(&self, route: &str, ask: &Ask, caller: &Caller) -> Vec<String> {
        let mut wrong = Vec::new();
        let (Body::Form(_) | Body::Signed(_), Shows::Session { .. }) = (&ask.body, &caller.shows)
        else {
            return wrong;
        };
        for (what, forgery) in [
            ("without a token", caller.clone().with_csrf("")),
            (
                "with another's token",
                caller.clone().with_csrf(&"0".repeat(64)),
            ),
            (
                "from another origin",
                caller.clone().from("https://evil.example"),
            ),
        ] {
            let answer = self.ask(ask, &ask.path, &forgery).await;
            if answer.status != 403 {
                wrong.push(format!("{route} {what}: {answer} and not 403"));
            }
        }
        wrong
    }

    /// A machine's write without an `Idempotency-Key`, where one is asked for.
    async fn without_key(&self, route: &str, ask: &Ask, caller: &Caller) -> Option<String> {
        if !ask.keyed || !matches!(caller.shows, Shows::Bearer(_) | Shows::Client { .. }) {
            return None;
        }
        let answer = self
            .ask(ask, &ask.path, &caller.clone().without_key())
            .await;
        let right = answer.status == 400 && answer.text.contains("idempotency-key-needed");
        (!right).then(|| format!("{route} without a key: {answer} and not 400"))
    }

    async fn ask(&self, ask: &Ask, path: &str, caller: &Caller) -> Answer {
        caller.ask(&self.url, ask, path).await
    }
}

fn agrees(verdict: Verdict, answer: &Answer) -> bool {
    verdict.agrees(answer.status, answer.location.as_deref())
}

/// Fails with everything that differs.
fn none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
