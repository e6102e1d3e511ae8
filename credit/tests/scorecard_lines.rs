//! `credit scorecard ...` as an operator types it, on data that nobody here wrote.
#![expect(
    clippy::unwrap_used,
    reason = "every function here serves tests; clippy only excuses those that are tests themselves"
)]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use credit::desk::{Actor, Role};
use credit::models::life::Act;
use credit::models::office::{Models, Wish};
use credit::score::Model;
use credit::scorecard::deliveries::{DeliveryRows, rows};
use credit::scorecard::{Dataset, Kind, Value};
use kit::clock::TokioClock;
use schemas::hash::{Hash, sha256};
use schemas::time::Instant;

#[path = "scorecard/deliveries.rs"]
mod deliveries;
#[path = "scorecard/german.rs"]
mod german;

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
database = "credit.sqlite"
policy = "policy.json"

[consent]
waived = "a test without signed consents"

[sandbox]
id = "trial-1"
version = 1
currency = "CNY"
per_loan = "5000.00"
outstanding = "9000.00"

[[products]]
id = "receivable-90"
currency = "CNY"
minimum = "100.00"
cap = "300000.00"
turnover_multiple = "0.6"
"#;

/// What people state of either model, and which rows are held out.
const STATED: &str = r#"
[holdout]
column = "fold"
values = ["test"]

[statement]
purpose = "Orders what the rows describe by how likely the bad outcome is."
source = "A public data set."
sampling = "Every row; the fixed fold is held out."
exit = "A population stability index of 0.25, then the built-in table."
approval_from = 500
"#;

/// A fixture, or `None` where it is not here, which is no excuse in CI.
fn fixture(file: &str) -> Option<PathBuf> {
    let folder = std::env::var("TRACEBOND_FIXTURES").unwrap_or("../../shared/fixtures".into());
    let path = PathBuf::from(folder).join(file);
    if path.exists() {
        return Some(path);
    }
    let ci = std::env::var("CI").as_deref() == Ok("true");
    assert!(!ci, "{} is needed in CI", path.display());
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// A bank's folder with its people.
struct Bank(tempfile::TempDir);

impl Bank {
    fn open() -> Self {
        let bank = Self(tempfile::tempdir().unwrap());
        bank.write("credit.toml", CONFIG);
        for (name, role) in [("lin", "officer"), ("gone", "supervisor")] {
            let add = ["user", "add", "--name", name, "--role", role];
            bank.done(&add);
        }
        bank.done(&["user", "close", "--name", "gone"]);
        bank
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(file), text).unwrap();
    }

    fn line(&self, arguments: &[&str]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_credit"))
            .args(arguments)
            .args(["--config", "credit.toml"])
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // A command that reads nothing may have ended already.
        let _ = std::io::Write::write_all(&mut input, b"a long pass phrase\n");
        drop(input);
        child.wait_with_output().unwrap()
    }

    /// What a line says that succeeds.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.line(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a line says that is refused.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.line(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    }

    fn fit<'a>(&self, data: &'a str, settings: &'a str, operator: &'a str) -> [&'a str; 8] {
        let [a, b, c] = ["--data", "--settings", "--operator"];
        ["scorecard", "fit", a, data, b, settings, c, operator]
    }

    /// Two more people look at a scorecard and promote it.
    async fn promote(&self, artefact: Hash) {
        let config = credit::Config::load(&self.0.path().join("credit.toml")).unwrap();
        let store = credit::store::open(&config.database).await.unwrap();
        let office = Models::new(Arc::clone(&store), Arc::new(TokioClock), None);
        for (steps, name, act) in [(1, "wang", Act::Reviewed), (2, "zhao", Act::Promoted)] {
            let by = Actor {
                name: name.parse().unwrap(),
                role: Role::Supervisor,
            };
            let wish = Wish {
                artefact,
                act,
                steps,
                words: "looked at".to_owned(),
            };
            office.act(&by, wish).await.unwrap();
        }
        store.close().await;
    }

    /// Changes what is kept, behind the service's back.
    async fn tamper(&self, statement: &str) {
        let file = format!("sqlite:{}", self.0.path().join("credit.sqlite").display());
        let database = sqlx::SqlitePool::connect(&file).await.unwrap();
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        let changed = sqlx::query(statement).execute(&database).await.unwrap();
        assert_eq!(changed.rows_affected(), 1);
        database.close().await;
    }
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

/// The hash behind `draft` or another word of a line.
fn named(text: &str, before: &str) -> String {
    let mut words = text.split_whitespace();
    words.find(|word| *word == before).unwrap();
    words.next().unwrap().to_owned()
}

/// The area under the curve on the rows held out.
fn held_out_auc(text: &str) -> f64 {
    let line = text
        .lines()
        .find(|line| line.starts_with("on the rows held out"));
    let (_, rest) = line.unwrap().split_once("AUC ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

fn german_settings(data: &Dataset) -> String {
    let mut text = r#"name = "german-credit"
version = "1"

[outcome]
column = "creditability"
good = ["good"]
bad = ["bad"]
good_is = "good credit"
bad_is = "bad credit"
labels = "other"
simulated = false
"#
    .to_owned();
    text.push_str(STATED);
    for one in data.features() {
        let kind = match one.kind {
            Kind::Numeric => "numeric",
            Kind::Categorical => "categorical",
        };
        let name = &one.name;
        let _ = writeln!(
            text,
            "\n[[features]]\ncolumn = \"{name}\"\nkind = \"{kind}\""
        );
    }
    text
}

#[tokio::test]
async fn german_scorecard_is_made_by_lines_and_comes_out_again_to_the_byte() {
    let Some(path) = fixture(german::FILE) else {
        return;
    };
    let bank = Bank::open();
    let csv = std::fs::read_to_string(&path).unwrap();
    let german = german::read(&path).unwrap();
    let settings = german_settings(&german.train);
    let unseen = format!("{} rows", german.test.rows().len());
    bank.write("rows.csv", &csv);
    bank.write("settings.toml", &settings);
    for operator in ["nobody", "gone"] {
        let refused = bank.refused(&bank.fit("rows.csv", "settings.toml", operator));
        let says = format!("operator: no open account is called `{operator}`");
        assert!(refused.contains(&says), "{refused}");
    }
    let missing = bank.refused(&bank.fit("none.csv", "settings.toml", "lin"));
    assert!(missing.contains("cannot read none.csv"), "{missing}");
    let claims = settings.replace("\"bad credit\"", "\"default\"");
    bank.write("claims.toml", claims);
    let refused = bank.refused(&bank.fit("rows.csv", "claims.toml", "lin"));
    assert!(refused.contains("`default` speaks of default"), "{refused}");
    assert_eq!(bank.done(&["scorecard", "list"]), "");

    let made = bank.done(&bank.fit("rows.csv", "settings.toml", "lin"));
    let auc = held_out_auc(&made);
    assert!(auc >= 0.764, "{auc}");
    assert!(made.contains("WARNING it cannot be tried beside decisions"));
    let hash = named(&made, "draft");
    let again = bank.refused(&bank.fit("rows.csv", "settings.toml", "lin"));
    assert!(again.contains(&format!("this scorecard is kept already: {hash}")));
    let list = bank.done(&["scorecard", "list"]);
    assert!(
        list.starts_with(&format!("{hash}\tgerman-credit 1\tdraft\tlin\t")),
        "{list}"
    );
    let shown = bank.done(&["scorecard", "show", &hash[..8]]);
    assert!(
        shown.contains("\tmade\tlin\t") && shown.contains(&unseen),
        "{shown}"
    );
    let json = bank.done(&["scorecard", "card", &hash, "--json"]);
    let card = bank.done(&["scorecard", "card", &hash]);
    assert!(
        card.contains(&sha256(json.as_bytes()).to_string()),
        "{card}"
    );
    let export = ["scorecard", "export", &hash, "--out", "table.toml"];
    assert!(
        bank.refused(&export)
            .contains("the model is draft, not promoted")
    );
    let unknown = bank.refused(&["scorecard", "show", "zz"]);
    assert!(
        unknown.contains("no scorecard has the hash `zz`"),
        "{unknown}"
    );

    comes_out_again(&bank, &csv, &hash).await;
    bank.promote(hash.parse().unwrap()).await;
    let none = bank.refused(&export);
    assert!(
        none.contains("table: the model's settings state none"),
        "{none}"
    );
    assert!(bank.done(&["audit"]).contains("hold"));
}

/// From the file that the scorecard names by its hash, and from no other.
async fn comes_out_again(bank: &Bank, csv: &str, hash: &str) {
    let refit = |data: &'static str| ["scorecard", "refit", hash, "--data", data, "--check"];
    let same = bank.done(&refit("rows.csv"));
    assert!(same.starts_with("the same scorecard came out: "), "{same}");
    assert!(same.ends_with("bytes, 0 differ\n"), "{same}");
    let other = csv.replacen(",1169,", ",1170,", 1);
    assert_ne!(other, csv);
    bank.write("other.csv", &other);
    let refused = bank.refused(&refit("other.csv"));
    let [given, kept] = [&other[..], csv].map(|text| sha256(text.as_bytes()));
    let says = format!("data: this file has SHA-256 {given}, the scorecard was made from {kept}");
    assert!(refused.contains(&says), "{refused}");
    let taken = bank.refused(&bank.fit("other.csv", "settings.toml", "lin"));
    assert!(
        taken.contains("german-credit 1 is another scorecard already"),
        "{taken}"
    );

    bank.tamper("UPDATE model_artefacts SET settings = settings || '\n[how]\nbins_max = 3\n'")
        .await;
    let differs = bank.refused(&refit("rows.csv"));
    assert!(differs.contains("ANOTHER SCORECARD CAME OUT"), "{differs}");
    bank.tamper("UPDATE model_artefacts SET settings = substr(settings, 1, length(settings) - 20)")
        .await;
    assert_eq!(bank.done(&refit("rows.csv")), same);
    bank.tamper("UPDATE model_artefacts SET bytes = CAST(bytes || ' ' AS BLOB)")
        .await;
    for line in [&refit("rows.csv")[..], &["scorecard", "show", hash]] {
        let altered = bank.refused(line);
        let says = format!("the kept scorecard of scorecard {hash} was altered");
        assert!(altered.contains(&says), "{altered}");
    }
    bank.tamper("UPDATE model_artefacts SET bytes = substr(bytes, 1, length(bytes) - 1)")
        .await;
}

/// Rows of deliveries as a file, under these names of columns.
fn file_of(halves: [(&str, &DeliveryRows); 2], names: [&str; 4]) -> String {
    let mut text = format!("{},late,fold\n", names.join(","));
    for (fold, half) in halves {
        for row in half.data.rows() {
            for value in &row.values {
                match value {
                    Value::Number(number) => text.push_str(&number.to_string()),
                    Value::Missing => {}
                    Value::Category(name) => panic!("{name}"),
                }
                text.push(',');
            }
            let _ = writeln!(text, "{},{fold}", u8::from(row.bad));
        }
    }
    text
}

const LATE: &str = r#"
name = "late-delivery-points"
version = "VERSION"

[outcome]
column = "late"
good = ["0"]
bad = ["1"]
good_is = "delivery in time"
bad_is = "late delivery"
labels = "deliveries"
simulated = false

[[features]]
column = "late_delivery_probability"
kind = "numeric"
trend = "rising"
"#;

const ALL: &str = r#"
[[features]]
column = "late_share_on_route"
kind = "numeric"

[[features]]
column = "days_since_late"
kind = "numeric"
special = [{ value = "-1", label = "no late delivery known" }]

[[features]]
column = "order_value"
kind = "numeric"
"#;

const TABLE: &str = r#"
[table]
offer = "B"
grades = [
    { name = "A", at_least = 560 },
    { name = "B", at_least = 500 },
    { name = "C", at_least = -10000 },
]
"#;

#[tokio::test]
async fn deliveries_scorecard_gives_the_table_that_was_promoted() {
    let Some(path) = fixture(deliveries::FILE) else {
        return;
    };
    let all = deliveries::read(&path).unwrap();
    let (how, split) = (
        deliveries::history(),
        Instant::parse_rfc3339(deliveries::SPLIT),
    );
    let split = split.unwrap();
    let before = rows(&all, &how, |one| one.due < split && one.known <= split).unwrap();
    let after = rows(&all, &how, |one| one.due >= split).unwrap();
    let [share, route, since, value] = before.data.features() else {
        panic!("the features are others");
    };
    assert_eq!(share.name, "late_share");
    let names = [
        "late_delivery_probability",
        &route.name,
        &since.name,
        &value.name,
    ];
    let bank = Bank::open();
    bank.write(
        "rows.csv",
        file_of([("train", &before), ("test", &after)], names),
    );
    let whole = format!("{}{STATED}{ALL}", LATE.replace("VERSION", "1"));
    bank.write("whole.toml", whole);
    let made = bank.done(&bank.fit("rows.csv", "whole.toml", "lin"));
    assert!(
        made.contains("late-delivery-points 1: probability of late delivery\n"),
        "{made}"
    );
    let auc = held_out_auc(&made);
    assert!(auc >= 0.85, "{auc}");
    assert!(made.contains("-1: no late delivery known"), "{made}");

    let decides = format!("{}{STATED}{TABLE}", LATE.replace("VERSION", "2"));
    bank.write("decides.toml", decides);
    let made = bank.done(&bank.fit("rows.csv", "decides.toml", "lin"));
    let (hash, table) = (named(&made, "draft"), named(&made, "table"));
    bank.promote(hash.parse().unwrap()).await;
    let list = bank.done(&["scorecard", "list"]);
    assert!(
        list.contains("late-delivery-points 2\tpromoted\tlin"),
        "{list}"
    );
    let export = ["scorecard", "export", &hash, "--out", "table.toml"];
    assert!(bank.done(&export).contains(&table));
    assert!(bank.refused(&export).contains("table.toml cannot be made"));
    let text = std::fs::read_to_string(bank.0.path().join("table.toml")).unwrap();
    let model = Model::parse("table.toml", &text).unwrap();
    assert_eq!(model.hash.to_string(), table);
    assert_eq!(model.artefact.unwrap().to_string(), hash);
    let refit = ["scorecard", "refit", &hash, "--data", "rows.csv", "--check"];
    assert!(bank.done(&refit).ends_with("bytes, 0 differ\n"));
}
