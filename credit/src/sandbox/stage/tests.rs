use proptest::prelude::*;
use schemas::time::Instant;

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Noon in China.
fn noon(text: &str) -> Instant {
    Instant::parse_rfc3339(&format!("{text}T12:00:00+08:00")).unwrap()
}

fn trial(end: Option<&str>) -> Trial {
    let declaration = Hash([1; 32]);
    Trial::declared(
        "trial-1".parse().unwrap(),
        declaration,
        day("2026-12-01"),
        end.map(day),
    )
}

fn step(act: Act, capacity: Capacity, on: &str) -> Step {
    let second = act.needs_two().then(|| "wang".parse().unwrap());
    let (by, at) = ("li".parse().unwrap(), noon(on));
    Step {
        act,
        by,
        capacity,
        second,
        at,
    }
}

fn publish() -> Step {
    let act = Act::Publish {
        declaration: Hash([1; 32]),
        comments_until: day("2026-11-10"),
    };
    step(act, Capacity::Project, "2026-11-01")
}

fn register() -> Step {
    let act = Act::Register {
        number: "2026-7".to_owned(),
        document: Some(Hash([2; 32])),
        comments_open: 0,
    };
    step(act, Capacity::Authority, "2026-11-11")
}

fn ready() -> Ready {
    Ready {
        limits: Some(Hash([3; 32])),
        stop_loss: Some(Hash([4; 32])),
        monitoring: true,
        complaints: true,
        compensation: true,
    }
}

fn begin() -> Step {
    step(Act::Begin(ready()), Capacity::Project, "2026-12-01")
}

fn extend(until: &str, on: &str) -> Step {
    let act = Act::Extend {
        until: day(until),
        declaration: Hash([5; 32]),
        document: Some(Hash([6; 32])),
    };
    step(act, Capacity::Authority, on)
}

fn suspend(on: &str) -> Step {
    let reason = "a witness is silent".to_owned();
    step(Act::Suspend { reason }, Capacity::Risk, on)
}

fn resume(on: &str) -> Step {
    let act = Act::Resume {
        remedy: "a new witness".to_owned(),
        tripped: false,
    };
    step(act, Capacity::Risk, on)
}

fn stop(on: &str) -> Step {
    let reason = "loss above the limit".to_owned();
    step(Act::Stop { reason }, Capacity::Rule, on)
}

fn exit(end: End, on: &str) -> Step {
    let act = Act::Exit {
        end,
        evaluation: Some(Hash([7; 32])),
        outstanding_fen: 0,
        complaints_open: 0,
    };
    step(act, Capacity::Project, on)
}

fn running() -> Trial {
    trial(Some("2027-11-30"))
        .replay([publish(), register(), begin()])
        .unwrap()
}

fn missing(trial: Trial, step: Step) -> Vec<Missing> {
    trial.take(step).unwrap_err().missing
}

#[test]
fn a_trial_runs_from_declaration_to_promotion() {
    let end = End::Promoted {
        operator: "91100000100003962T".parse().unwrap(),
        licence: "bank".to_owned(),
    };
    let words = [
        publish(),
        register(),
        begin(),
        extend("2028-05-31", "2027-11-30"),
        exit(end, "2028-01-05"),
    ]
    .into_iter()
    .scan(trial(Some("2027-11-30")), |trial, step| {
        *trial = trial.clone().take(step).unwrap();
        Some(trial.stage().word())
    });
    let words: Vec<_> = words.collect();
    assert_eq!(
        words,
        ["published", "registered", "testing", "extended", "exited"]
    );
}

#[test]
fn lending_is_possible_only_while_it_runs() {
    let running = running();
    assert!(running.stage().lends_on(day("2026-12-01")));
    assert!(running.stage().lends_on(day("2027-11-30")));
    assert!(!running.stage().lends_on(day("2027-12-01")));
    let suspended = running.take(suspend("2027-01-05")).unwrap();
    assert!(!suspended.stage().lends_on(day("2027-01-06")));
    let again = suspended.take(resume("2027-01-07")).unwrap();
    assert!(again.stage().lends_on(day("2027-01-07")));
    let stopped = again.take(stop("2027-01-08")).unwrap();
    assert!(!stopped.stage().lends_on(day("2027-01-08")));
    let stage = stopped.take(exit(End::RunOff, "2027-06-01")).unwrap();
    assert!(!stage.stage().lends_on(day("2027-06-01")));
    assert!(!trial(None).stage().lends_on(day("2026-12-01")));
}

#[test]
fn everything_that_is_missing_is_said_at_once() {
    let registered = trial(None).replay([publish(), register()]).unwrap();
    let mut early = step(Act::Begin(Ready::default()), Capacity::Risk, "2026-11-30");
    early.second = None;
    let error = registered.take(early).unwrap_err();
    assert_eq!(
        error.missing,
        [
            Missing::Capacity(&[Capacity::Project]),
            Missing::SecondPerson,
            Missing::Start(day("2026-12-01")),
            Missing::Limits,
            Missing::StopLoss,
            Missing::Monitoring,
            Missing::Complaints,
            Missing::Compensation,
        ]
    );
    let text = error.to_string();
    assert!(
        text.starts_with("`begin` while registered needs: somebody who may"),
        "{text}"
    );
    assert!(text.ends_with("compensation at its floor"), "{text}");
}

#[test]
fn comments_have_their_time_and_their_answers() {
    let published = trial(None).take(publish()).unwrap();
    let mut early = register();
    // The last moment of the last day in China is still a day for comments.
    early.at = Instant::parse_rfc3339("2026-11-10T15:59:59Z").unwrap();
    early.act = Act::Register {
        number: " ".to_owned(),
        document: None,
        comments_open: 2,
    };
    let expected = [
        Missing::CommentsOver(day("2026-11-10")),
        Missing::Answers(2),
        Missing::Number,
        Missing::Document,
    ];
    assert_eq!(missing(published.clone(), early), expected);
    let mut midnight = register();
    midnight.at = Instant::parse_rfc3339("2026-11-10T16:00:00Z").unwrap();
    assert!(published.take(midnight).is_ok());
    let mut other = publish();
    other.act = Act::Publish {
        declaration: Hash([9; 32]),
        comments_until: day("2026-11-01"),
    };
    assert_eq!(
        missing(trial(None), other),
        [Missing::Declaration, Missing::CommentTime]
    );
}

#[test]
fn the_same_person_never_agrees_with_themselves() {
    let mut alone = begin();
    alone.second = Some(alone.by.clone());
    let registered = trial(None).replay([publish(), register()]).unwrap();
    assert_eq!(missing(registered, alone), [Missing::OtherPerson]);
}

#[test]
fn an_extension_is_new_later_and_in_time() {
    let late = extend("2028-01-01", "2027-12-01");
    assert_eq!(missing(running(), late), [Missing::LaterEnd]);
    assert_eq!(
        missing(running(), extend("2027-11-30", "2027-11-01")),
        [Missing::LaterEnd]
    );
    let mut same = extend("2028-01-01", "2027-11-01");
    same.act = Act::Extend {
        until: day("2028-01-01"),
        declaration: Hash([1; 32]),
        document: None,
    };
    assert_eq!(
        missing(running(), same),
        [Missing::NewDeclaration, Missing::Document]
    );
    let open = trial(None)
        .replay([publish(), register(), begin()])
        .unwrap();
    let stage = Missing::Stage("testing with a last day, extended");
    assert_eq!(missing(open, extend("2028-01-01", "2027-11-01")), [stage]);
    let extended = running().take(extend("2028-01-01", "2027-11-01")).unwrap();
    assert_eq!(extended.declaration(), Hash([5; 32]));
}

#[test]
fn nothing_resumes_while_the_stop_loss_is_tripped_or_time_is_over() {
    let suspended = running().take(suspend("2027-01-05")).unwrap();
    let mut early = resume("2027-01-06");
    early.act = Act::Resume {
        remedy: String::new(),
        tripped: true,
    };
    assert_eq!(
        missing(suspended.clone(), early),
        [Missing::Words, Missing::Released]
    );
    let late = missing(suspended, resume("2027-12-01"));
    assert_eq!(late, [Missing::End(day("2027-11-30"))]);
}

#[test]
fn a_run_off_ends_with_nothing_owed_and_a_promotion_with_a_licence() {
    let stopped = running().take(stop("2027-01-08")).unwrap();
    let mut owed = exit(End::RunOff, "2027-02-01");
    owed.act = Act::Exit {
        end: End::RunOff,
        evaluation: None,
        outstanding_fen: 5,
        complaints_open: 1,
    };
    let expected = [
        Missing::Evaluation,
        Missing::Settled(5),
        Missing::ComplaintsClosed(1),
    ];
    assert_eq!(missing(stopped.clone(), owed), expected);
    let operator = "91100000100003962T".parse().unwrap();
    let end = End::Promoted {
        operator,
        licence: String::new(),
    };
    assert_eq!(
        missing(stopped, exit(end, "2027-02-01")),
        [Missing::Licence]
    );
}

#[test]
fn a_new_version_asks_the_public_again_and_later_the_authority() {
    let amend = |byte, start: &str, document, on: &str| {
        let act = Act::Amend {
            declaration: Hash([byte; 32]),
            start: day(start),
            end: Some(day("2027-11-30")),
            document,
        };
        step(act, Capacity::Project, on)
    };
    let published = trial(Some("2027-11-30")).take(publish()).unwrap();
    let again = amend(8, "2026-12-15", None, "2026-11-05");
    let again = published.take(again).unwrap();
    assert_eq!(
        (again.stage(), again.declaration()),
        (&Stage::Declared, Hash([8; 32]))
    );
    // The old version is not published any more.
    let mut old = publish();
    old.at = noon("2026-11-06");
    assert_eq!(missing(again, old), [Missing::Declaration]);
    let silent = amend(1, "2026-12-02", None, "2027-01-05");
    let expected = [
        Missing::NewDeclaration,
        Missing::Document,
        Missing::SameTime,
    ];
    assert_eq!(missing(running(), silent), expected);
    // Once extended, the time is the extended one.
    let extended = running().take(extend("2028-05-31", "2027-01-04")).unwrap();
    let back = amend(8, "2026-12-01", Some(Hash([6; 32])), "2027-01-05");
    assert_eq!(missing(extended, back), [Missing::SameTime]);
    let agreed = amend(8, "2026-12-01", Some(Hash([6; 32])), "2027-01-05");
    let agreed = running().take(agreed).unwrap();
    assert_eq!(
        (agreed.stage().word(), agreed.declaration()),
        ("testing", Hash([8; 32]))
    );
}

#[test]
fn steps_are_kept_as_json_and_read_again() {
    let steps = [publish(), register(), begin(), suspend("2027-01-05")];
    let json = serde_json::to_string(&steps).unwrap();
    let read: Vec<Step> = serde_json::from_str(&json).unwrap();
    let trial = trial(Some("2027-11-30")).replay(read).unwrap();
    assert_eq!(trial.steps(), steps);
    assert_eq!(trial.stage().word(), "suspended");
}

fn any_step() -> impl Strategy<Value = Step> {
    let end = || End::RunOff;
    prop_oneof![
        Just(publish()),
        Just(register()),
        Just(begin()),
        Just(extend("2028-05-31", "2027-06-01")),
        Just(suspend("2027-06-01")),
        Just(resume("2027-06-01")),
        Just(stop("2027-06-01")),
        Just(exit(end(), "2027-06-01")),
        Just(step(
            Act::Withdraw {
                reason: "no".to_owned()
            },
            Capacity::Project,
            "2026-11-20"
        )),
    ]
}

proptest! {
    /// Nobody lends before registration and two people, and nothing follows an end.
    #[test]
    fn no_way_leads_around_the_guards(steps in proptest::collection::vec(any_step(), 0..12)) {
        let mut trial = trial(Some("2027-11-30"));
        for step in steps {
            let Ok(next) = trial.clone().take(step) else { continue };
            let ended = matches!(trial.stage(), Stage::Exited { .. } | Stage::Withdrawn);
            prop_assert!(!ended, "{:?}", trial.stage());
            trial = next;
        }
        if trial.stage().lends_on(day("2027-06-01")) {
            let did = |word: &str| trial.steps().iter().any(|step| step.act.word() == word);
            prop_assert!(did("publish") && did("register") && did("begin") && !did("stop"));
        }
        let again = self::trial(Some("2027-11-30")).replay(trial.steps().to_vec()).unwrap();
        prop_assert_eq!(again, trial);
    }
}
