//! The second factor over HTTP: `GET` and `POST` of `/login/code` and of `/login/factor`.
//!
//! Both forms carry the token of the log-in form: they are bound to the browser, whether it has half
//! a session or a whole one.

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::super::door::{Door, LogInProblem};
use super::super::gate::{self, internal};
use super::super::totp::{Code, Secret};
use super::super::{Account, FactorNoted, People, StoreFailed, form};
use super::view::{self, Enrolment, Framed, Trouble};
use super::{Factors, HALF_LONGEST, Judged, Missing};
use crate::negotiate::Language;
use crate::problem::Problem;
use crate::routes::{Routes, get};

/// Where a session keeps who has shown a password and nothing else yet.
const HALF: &str = "half";
/// Tries that a log-in by password and code counts.
const BOTH: usize = 2;

/// What a session keeps of half a log-in.
#[derive(Serialize, Deserialize)]
struct Half {
    name: Slug,
    /// SHA-256 of the password's hash, as in a whole session.
    stamp: Hash,
    since: Instant,
    next: String,
    /// Tries that were counted on the way here.
    tries: usize,
}

/// Routes for everybody; without half a session they lead back to `/login`.
pub(in super::super) fn routes<S: Clone + Send + Sync + 'static>(door: Door) -> Routes<S> {
    Routes::new()
        .route("/login/code", get(show_code).post(check_code))
        .route("/login/factor", get(show_factor).post(add_factor))
        .with_state(door)
}

/// Makes a session half one, under a new token.
async fn begin(session: &Session, half: Half) -> Result<(), StoreFailed> {
    session.clear().await;
    session.cycle_id().await.map_err(failed)?;
    session.insert(HALF, half).await.map_err(failed)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StoreFailed {
    StoreFailed(Box::new(error))
}

impl People {
    /// What follows a right password (or a provider's word): the whole session, or a page that
    /// asks for what is missing. `tries` were counted on the way here.
    pub(in super::super) async fn proceed(
        &self,
        session: &Session,
        account: &Account,
        next: &str,
        headers: &HeaderMap,
        tries: usize,
    ) -> Result<Response, Problem> {
        let missing = self.missing(account).await;
        let page = match missing.map_err(|error| internal(&error))? {
            Missing::Nothing => {
                self.complete(session, account, headers, tries).await?;
                return Ok(self.welcome(account, next));
            }
            Missing::Code => "/login/code",
            Missing::Factor => "/login/factor",
        };
        let half = Half {
            name: account.name.clone(),
            stamp: sha256(account.password_hash.as_bytes()),
            since: self.0.clock.now(),
            next: next.to_owned(),
            tries,
        };
        let begun = begin(session, half).await;
        begun.map_err(|error| internal(&error))?;
        Ok(unkept(Redirect::to(page).into_response()))
    }

    /// The account of half a session, if it still counts.
    async fn half(&self, session: &Session) -> Result<Option<(Account, Half)>, StoreFailed> {
        let half: Option<Half> = session.get(HALF).await.map_err(failed)?;
        let now = self.0.clock.now();
        let is_fresh = |half: &Half| half.since <= now && now.since(half.since) < HALF_LONGEST;
        let Some(half) = half.filter(is_fresh) else {
            return Ok(None);
        };
        let organisation = &self.0.settings.organisation;
        let account = self.0.store.account(organisation, &half.name).await?;
        let valid = |account: &Account| {
            account.disabled.is_none() && sha256(account.password_hash.as_bytes()) == half.stamp
        };
        Ok(account.filter(valid).map(|account| (account, half)))
    }
}

/// No copy of the page is kept by anybody.
fn unkept(mut response: Response) -> Response {
    gate::keep_nowhere(&mut response);
    response
}

fn to_log_in() -> Response {
    unkept(Redirect::to("/login").into_response())
}

impl Door {
    fn page(&self, framed: &Framed, own: &[u8; 32]) -> Response {
        self.finish(self.page.framed(framed), framed.status, own)
    }

    async fn half(&self, session: &Session) -> Result<Option<(Account, Half)>, Problem> {
        let half = self.people.half(session).await;
        half.map_err(|error| internal(&error))
    }

    fn factors(&self) -> Option<&Factors> {
        self.people.0.factors.as_ref()
    }
}

async fn show_code(
    State(door): State<Door>,
    session: Session,
    language: Language,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if door.half(&session).await?.is_none() {
        return Ok(to_log_in());
    }
    let own = door.own(&headers)?;
    let framed = view::code(language, &door.token(&own), None);
    Ok(door.page(&framed, &own))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeForm {
    #[serde(default)]
    csrf: String,
    code: String,
}

async fn check_code(
    State(door): State<Door>,
    session: Session,
    uri: Uri,
    headers: HeaderMap,
    form: Result<Form<CodeForm>, FormRejection>,
) -> Result<Response, Problem> {
    let language = Language::of(&uri, &headers);
    form::check_origin(door.people.settings(), &headers)?;
    let Form(form) = form.map_err(form::malformed)?;
    let Some((account, half)) = door.half(&session).await? else {
        return Ok(to_log_in());
    };
    let own = door.own(&headers)?;
    let trouble = if door.token(&own).fits(&form.csrf) {
        door.judge(&account, &form.code, &headers).await?
    } else {
        Some(Trouble::Form)
    };
    if let Some(trouble) = trouble {
        let framed = view::code(language, &door.token(&own), Some(trouble));
        return Ok(door.page(&framed, &own));
    }
    let tries = half.tries + 1;
    let done = door.people.complete(&session, &account, &headers, tries);
    done.await?;
    Ok(door.people.welcome(&account, &half.next))
}

impl Door {
    /// What is wrong with a code, if something is.
    async fn judge(
        &self,
        account: &Account,
        typed: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Trouble>, Problem> {
        let Some(factors) = self.factors() else {
            return Ok(Some(Trouble::Wrong));
        };
        let now = self.people.0.clock.now();
        if !self.people.counts(&account.name, headers) {
            return Ok(Some(Trouble::TooMany));
        }
        let judged = factors.judge(account, typed, now).await;
        match judged.map_err(|error| internal(&error))? {
            (Judged::Right, false) => Ok(None),
            (Judged::Right, true) => {
                let noted = FactorNoted::RecoveryUsed;
                let noted = self.people.note_factor(&account.name, noted).await;
                noted.map_err(|error| internal(&error))?;
                Ok(None)
            }
            (Judged::Wrong, _) => Ok(Some(Trouble::Wrong)),
            (Judged::Locked, _) => {
                tracing::warn!("a second factor takes no codes: too many were wrong");
                Ok(Some(Trouble::Locked))
            }
        }
    }
}

/// Who sets up a factor, and how they came here.
struct Enrols {
    account: Account,
    next: String,
    tries: usize,
    /// Logged in without a factor: the password is asked for again, lest a session that was left
    /// open locks its owner out.
    is_whole: bool,
}

impl Door {
    async fn enrols(&self, session: &Session) -> Result<Option<Enrols>, Problem> {
        if let Some((account, half)) = self.half(session).await? {
            return Ok(Some(Enrols {
                account,
                next: half.next,
                tries: half.tries,
                is_whole: false,
            }));
        }
        let account = self.people.account_of(session).await;
        let account = account.map_err(|error| internal(&error))?;
        Ok(account.map(|account| Enrols {
            account,
            next: "/".to_owned(),
            tries: 0,
            is_whole: true,
        }))
    }

    /// The page with a secret: the one that was offered, or a new one.
    fn enrolment(
        &self,
        language: Language,
        headers: &HeaderMap,
        enrols: &Enrols,
        kept: Option<Secret>,
        trouble: Option<Trouble>,
    ) -> Result<Response, Problem> {
        let factors = self.factors().ok_or_else(nothing)?;
        let (own, now) = (self.own(headers)?, self.people.0.clock.now());
        let secret = kept.map_or_else(Secret::new, Ok).map_err(failed);
        let secret = secret.map_err(|error| internal(&error))?;
        let offered = factors.offer(&enrols.account, &secret, now);
        let offered = offered.map_err(|error| internal(&error.into()))?;
        let framed = view::enrolment(&Enrolment {
            language,
            csrf: self.token(&own),
            secret: &secret,
            offered: hex(&offered),
            issuer: &factors.issuer,
            account: enrols.account.name.as_str(),
            asks_password: enrols.is_whole,
            trouble,
        });
        Ok(self.page(&framed, &own))
    }
}

fn nothing() -> Problem {
    Problem::not_found("This service has no second factors.")
}

async fn show_factor(
    State(door): State<Door>,
    session: Session,
    language: Language,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    door.factors().ok_or_else(nothing)?;
    let Some(enrols) = door.enrols(&session).await? else {
        return Ok(to_log_in());
    };
    if door.has_factor(&enrols.account).await? {
        let framed = view::no_enrolment(language, Trouble::Taken);
        return Ok(door.page(&framed, &door.own(&headers)?));
    }
    door.enrolment(language, &headers, &enrols, None, None)
}

impl Door {
    async fn has_factor(&self, account: &Account) -> Result<bool, Problem> {
        let since = self.people.factor_since(account).await;
        Ok(since.map_err(|error| internal(&error))?.is_some())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactorForm {
    #[serde(default)]
    csrf: String,
    offered: String,
    first: String,
    second: String,
    #[serde(default)]
    password: String,
}

async fn add_factor(
    State(door): State<Door>,
    session: Session,
    uri: Uri,
    headers: HeaderMap,
    form: Result<Form<FactorForm>, FormRejection>,
) -> Result<Response, Problem> {
    let language = Language::of(&uri, &headers);
    form::check_origin(door.people.settings(), &headers)?;
    let factors = door.factors().ok_or_else(nothing)?;
    let Form(form) = form.map_err(form::malformed)?;
    let Some(enrols) = door.enrols(&session).await? else {
        return Ok(to_log_in());
    };
    let (own, now) = (door.own(&headers)?, door.people.0.clock.now());
    let again = |kept, trouble| door.enrolment(language, &headers, &enrols, kept, Some(trouble));
    if !door.token(&own).fits(&form.csrf) {
        return again(None, Trouble::Form);
    }
    let offered = unhex(&form.offered);
    let offered = offered.and_then(|sealed| factors.offered(&enrols.account, &sealed, now));
    let Some(secret) = offered else {
        return again(None, Trouble::Old);
    };
    if let Some(trouble) = door.confirm(&enrols, &form.password, &headers).await? {
        return again(Some(secret), trouble);
    }
    let pair = Code::parse(&form.first).zip(Code::parse(&form.second));
    let step = pair.and_then(|(first, second)| secret.step_of_pair(first, second, now));
    let Some(step) = step else {
        return again(Some(secret), Trouble::Wrong);
    };
    let kept = factors.keep(&enrols.account, &secret, step, now).await;
    let Some(codes) = kept.map_err(|error| internal(&error))? else {
        let framed = view::no_enrolment(language, Trouble::Taken);
        return Ok(door.page(&framed, &own));
    };
    door.enrolled(&session, &enrols, &headers).await?;
    let framed = view::codes(language, &codes, &enrols.next);
    let mut response = door.page(&framed, &own);
    door.people.make_known(&enrols.account, &mut response);
    Ok(response)
}

impl Door {
    /// The password again, where it was not asked for a moment ago.
    async fn confirm(
        &self,
        enrols: &Enrols,
        password: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Trouble>, Problem> {
        if !enrols.is_whole {
            let counts = self.people.counts(&enrols.account.name, headers);
            return Ok((!counts).then_some(Trouble::TooMany));
        }
        let name = Some(enrols.account.name.clone());
        let found = self.people.recognise(name, password.to_owned(), headers);
        Ok(match found.await.map_err(|error| internal(&error))? {
            Ok(_) => None,
            Err(LogInProblem::Wrong | LogInProblem::Form) => Some(Trouble::WrongPassword),
            Err(LogInProblem::TooMany | LogInProblem::Busy) => Some(Trouble::TooMany),
        })
    }

    async fn enrolled(
        &self,
        session: &Session,
        enrols: &Enrols,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let name = &enrols.account.name;
        let noted = self.people.note_factor(name, FactorNoted::Added).await;
        noted.map_err(|error| internal(&error))?;
        let tries = enrols.tries.max(BOTH - 1) + 1;
        let people = &self.people;
        people
            .complete(session, &enrols.account, headers, tries)
            .await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_come_back_from_their_digits(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        }

        #[test]
        fn no_text_makes_the_reader_fail(text in ".*") {
            let _ = unhex(&text);
        }
    }
}
