//! The whole way on both engines: an agent measures, months pass, `platform archive` moves what is
//! old into a file while the platform runs; the file proves what the pages no longer show; erasing
//! reaches it; and it comes back but for what was erased.

use anyhow::{Context, Result, ensure};
use schemas::hash::Hash;
use schemas::proof::{self, Report, Verdict};
use schemas::time::Clock as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::kill::process::{DEADLINE, until};
use crate::kill::scanner::item;
use crate::kill::site::On;
use crate::kill::world::World;
use platform::store::Month;

/// Lines that grow old, and as many that stay young.
const LINES: u32 = 40;

/// Runs statements as the operator itself.
async fn run(world: &World, sql: &str) -> Result<()> {
    match world.operator.site.database() {
        Some(url) => {
            let mut owner = PgConnection::connect(url).await?;
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                .execute(&mut owner)
                .await?;
        }
        None => {
            let file = world.operator.data().join("platform.db");
            let options = SqliteConnectOptions::new()
                .filename(file)
                .busy_timeout(DEADLINE);
            let mut connection = options.connect().await?;
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                .execute(&mut connection)
                .await?;
            connection.close().await?;
        }
    }
    Ok(())
}

/// Two months pass for everything that is stored.
async fn grow_old(world: &World, month: Month) -> Result<()> {
    let old = month.first().plus(std::time::Duration::from_secs(86_400));
    let old = old.to_rfc3339();
    let mut sql = format!("UPDATE statements SET made = '{old}';");
    if world.operator.site.on.postgres {
        for table in ["event_contents", "event_items"] {
            sql.push_str(&format!("UPDATE {table} SET made = '{old}';"));
        }
    }
    run(world, &sql).await
}

async fn evidence(world: &World) -> Result<Report> {
    let bundle = world.operator.evidence(&world.organisation).await?;
    Ok(proof::verify(&bundle, Some(world.operator.policy()))?)
}

fn shown(report: &Report) -> usize {
    let shown = report.events.iter();
    shown.filter(|event| !event.members.is_empty()).count()
}

fn path(number: u32) -> String {
    item(number).replace("https://id.gs1.org", "")
}

async fn page(world: &World, number: u32, lang: &str) -> Result<String> {
    let page = world
        .operator
        .get(&format!("{}?lang={lang}", path(number)), "")
        .await?;
    Ok(String::from_utf8(page)?)
}

/// `platform archive` with these arguments; what it said.
async fn archive(world: &World, arguments: &[&str]) -> Result<String> {
    let said = world.operator.archive(arguments).await?;
    ensure!(said.success, "{said:?}");
    Ok(said.out)
}

async fn verified(world: &World, file: &std::path::Path) -> Result<String> {
    let policy = world.folder.join("operator/policy.json");
    let (file, policy) = (file.display().to_string(), policy.display().to_string());
    archive(world, &["--verify", &file, "--policy", &policy]).await
}

async fn story(world: &mut World) -> Result<()> {
    let now = Month::of(kit::clock::TokioClock.now()).context("clock")?;
    let (old, before) = (now.earlier(2), now.to_string());
    world.gateway.start()?;
    world.scanner.allow(LINES);
    world.settled(LINES).await?;
    grow_old(world, old).await?;
    world.scanner.allow(2 * LINES);
    world.settled(2 * LINES).await?;
    let whole = evidence(world).await?;
    ensure!(whole.verdict == Verdict::Verified && shown(&whole) == 2 * LINES as usize);

    let dry = archive(world, &["--before", &before, "--dry-run"]).await?;
    ensure!(dry.starts_with(&format!("{old}: content of")), "{dry}");
    ensure!(shown(&evidence(world).await?) == 2 * LINES as usize);
    let said = archive(world, &["--before", &before]).await?;
    ensure!(
        said.contains(&format!("{LINES} events left the database")),
        "{said}"
    );
    let wholly = said.contains("as whole partitions");
    ensure!(wholly == world.operator.site.on.postgres, "{said}");
    let file = world
        .operator
        .data()
        .join(format!("archive/contents-{old}.1.jsonl.gz"));
    let words = verified(world, &file).await?;
    ensure!(words.contains(&format!("{LINES} events of")), "{words}");

    // Proofs stay, what was said is withheld, and pages say where it is.
    let after = evidence(world).await?;
    ensure!(after.verdict == Verdict::Incomplete && shown(&after) == LINES as usize);
    let leaves = |report: &Report| {
        report
            .events
            .iter()
            .map(|one| one.leaf)
            .collect::<Vec<Hash>>()
    };
    ensure!(leaves(&after) == leaves(&whole), "leaves have changed");
    for (lang, word) in [
        ("en", "It is in an archive of the operator"),
        ("zh-CN", "已归档"),
    ] {
        let page = page(world, 1, lang).await?;
        ensure!(page.contains(word), "{lang}: {page}");
    }
    let young = page(world, LINES + 1, "en").await?;
    ensure!(!young.contains("Archived"), "{young}");
    let found = world.operator.fsck().await?;
    ensure!(found.success, "{found:?}");
    logged(world, &words).await?;
    erased_and_restored(world, &file, &after, &before).await
}

/// The log holds the hash of the manifest that the program has named.
async fn logged(world: &World, words: &str) -> Result<()> {
    let (_, manifest) = words.trim().rsplit_once("manifest ").context("manifest")?;
    let manifest: Hash = manifest.parse()?;
    until("the manifest is in the log", DEADLINE, async || {
        let proof = format!("/v1/documents/{manifest}");
        Ok(world.operator.get(&proof, "").await.ok().map(drop))
    })
    .await
}

async fn erased_and_restored(
    world: &World,
    file: &std::path::Path,
    after: &Report,
    before: &str,
) -> Result<()> {
    let gone = after.events.iter().find(|event| event.members.is_empty());
    let leaf = gone.context("an archived event")?.leaf.to_string();
    let arguments = ["--leaf", &leaf, "--reason", "subject-request"];
    let said = world.operator.erase(&arguments).await?;
    ensure!(
        said.success && said.out.contains("written anew without them"),
        "{said:?}"
    );
    let words = verified(world, file).await?;
    let (left, erased) = (LINES - 1, "1 were erased");
    ensure!(
        words.contains(&format!("{left} events of")) && words.contains(erased),
        "{words}"
    );
    logged(world, &words).await?;

    let name = file.display().to_string();
    let said = archive(world, &["--restore", &name]).await?;
    ensure!(
        said.starts_with(&format!(
            "{left} events are in the database again, 0 were there, 0 were"
        )),
        "{said}"
    );
    let back = evidence(world).await?;
    ensure!(shown(&back) == 2 * LINES as usize - 1, "{}", shown(&back));
    let again = archive(world, &["--restore", &name]).await?;
    ensure!(
        again.starts_with("0 events are in the database again"),
        "{again}"
    );
    ensure!(again.contains(&format!("{left} were there")), "{again}");
    let shown_again = page(world, 1, "en").await;
    ensure!(
        shown_again.is_err() || !shown_again?.contains("in an archive of the operator"),
        "what is back is not said to be archived"
    );

    let said = archive(world, &["--before", before]).await?;
    ensure!(said.contains("is in files of before"), "{said}");
    let out = evidence(world).await?;
    ensure!(shown(&out) == LINES as usize, "{}", shown(&out));
    let found = world.operator.fsck().await?;
    ensure!(found.success, "{found:?}");
    Ok(())
}

#[tokio::test]
async fn old_months_go_and_come_back_on_sqlite() {
    World::tell(71, 2 * LINES, story).await;
}

#[tokio::test]
async fn old_months_go_and_come_back_on_postgresql() {
    let on = On {
        postgres: true,
        mosquitto: false,
        ..On::default()
    };
    World::tell_on(on, 72, 2 * LINES, story).await;
}
