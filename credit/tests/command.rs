//! The commands that look after a desk, as an administrator types them.
#![expect(
    clippy::unwrap_used,
    reason = "every function here serves tests; clippy only excuses those that are tests themselves"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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

/// A line of the terminal, with this on standard input.
fn credit(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_credit"))
        .args(arguments)
        .args(["--config", "credit.toml"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

#[tokio::test]
async fn accounts_are_made_by_a_line_and_the_trail_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("credit.toml"), CONFIG).unwrap();
    let add = |name: &str, password: &str| {
        let arguments = ["user", "add", "--name", name, "--role", "officer"];
        credit(here, &arguments, &format!("{password}\n"))
    };
    assert!(add("li-wei", "a long pass phrase").status.success());
    for (name, password, problem) in [
        (
            "li-wei",
            "a long pass phrase",
            "there is an account `li-wei` already",
        ),
        ("wang-fang", "too short", "at least 12 characters"),
        ("wang-fang", "", "one line with the password"),
        ("Wang", "a long pass phrase", "is not a slug"),
    ] {
        let output = add(name, password);
        assert!(!output.status.success());
        assert!(said(&output).contains(problem), "{}", said(&output));
    }
    let wrong = credit(
        here,
        &["user", "add", "--name", "a", "--role", "boss"],
        "x\n",
    );
    assert!(said(&wrong).contains("officer, supervisor, auditor or regulator"));
    assert!(
        credit(here, &["user", "close", "--name", "li-wei"], "")
            .status
            .success()
    );
    let list = said(&credit(here, &["user", "list"], ""));
    assert!(list.starts_with("li-wei\tofficer\tclosed since"), "{list}");
    assert!(!list.contains("argon2") && !list.contains("wang-fang"));

    let holds = credit(here, &["audit"], "");
    assert!(holds.status.success());
    let text = said(&holds);
    let head = text.trim().rsplit(' ').next().unwrap();
    assert!(head.starts_with("2:"), "{text}");
    assert!(
        credit(here, &["audit", "--head", head], "")
            .status
            .success()
    );
    let other = format!("2:{}", "0".repeat(64));
    assert!(said(&credit(here, &["audit", "--head", &other], "")).contains("DOES NOT HOLD"));

    let database = format!("sqlite:{}", here.join("credit.sqlite").display());
    let database = sqlx::SqlitePool::connect(&database).await.unwrap();
    sqlx::query("UPDATE audit SET actor = 'somebody' WHERE seq = 1")
        .execute(&database)
        .await
        .unwrap();
    database.close().await;
    let broken = credit(here, &["audit"], "");
    assert!(!broken.status.success());
    assert!(said(&broken).contains("row 2 does not carry the hash of the row before it"));
}

#[test]
fn borrowers_accounts_are_of_one_supplier_and_no_officers() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("credit.toml"), CONFIG).unwrap();
    let password = "a long pass phrase\n";
    let borrower = |deed: &str, name: &str, more: &[&str]| {
        let arguments = [&["borrower", deed, "--name", name], more].concat();
        credit(here, &arguments, password)
    };
    let supplier = ["--supplier", "qinghe"];
    assert!(borrower("add", "ma-li", &supplier).status.success());
    let again = borrower("add", "ma-li", &["--supplier", "other"]);
    assert!(said(&again).contains("there is an account `ma-li` already"));
    let officer = ["user", "add", "--name", "li-wei", "--role", "officer"];
    assert!(credit(here, &officer, password).status.success());
    for deed in ["password", "close", "open"] {
        let refused = borrower(deed, "li-wei", &[]);
        assert!(!refused.status.success(), "{deed}");
        assert!(borrower(deed, "ma-li", &[]).status.success(), "{deed}");
    }
    let list = said(&credit(here, &["borrower", "list"], ""));
    assert_eq!(list, "ma-li\tqinghe\topen\n");
    assert!(borrower("close", "ma-li", &[]).status.success());
    let list = said(&credit(here, &["borrower", "list"], ""));
    assert!(list.starts_with("ma-li\tqinghe\tclosed since"), "{list}");
    assert!(credit(here, &["audit"], "").status.success());
}
