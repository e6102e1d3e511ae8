//! Who may do what: one table, run against both brokers by one test.
//!
//! What counts is what happens and not what the broker says: Mosquitto lets anybody subscribe to
//! anything and then delivers nothing. So each row is tried, and then everybody who could have
//! heard of it is asked what they have heard.

use anyhow::{Result, ensure};

use super::site::{Kind, Site, greet, password};
use super::wire::{self, Hello, Message, Wire};

/// A row. `maker/a` does it, where nobody is named.
struct Rule {
    act: Act,
    allowed: Allowed,
}

/// What is tried.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Publish: topic, QoS, retained.
    Publish(&'static str, u8, bool),
    /// Publish an empty message.
    Empty(&'static str),
    /// Subscribe, and hear what others are told and say.
    Read(&'static str),
    /// Connect under a client id.
    Id(&'static str),
    /// Connect with a will on a topic, retained or not, and vanish.
    Will(&'static str, bool),
    /// Speak MQTT 3.1.1.
    Old,
    /// The ingest publishes.
    IngestPublishes(&'static str),
    /// The ingest listens to more than captures.
    IngestReads(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Yes,
    No,
    /// What Mosquitto cannot be told to refuse and does no harm (decision 0008).
    OnMosquitto,
}

use Act::{Empty, Id, IngestPublishes, IngestReads, Old, Publish, Read, Will};
use Allowed::{No, OnMosquitto, Yes};

const OWN: &str = "tracebond/v1/maker/a/capture";
const OWN_RECEIPT: &str = "tracebond/v1/maker/a/receipt";
const FOREIGN: &str = "tracebond/v1/maker/b/capture";
const FOREIGN_RECEIPT: &str = "tracebond/v1/maker/b/receipt";
const OTHERS: &str = "tracebond/v1/other/a/capture";
const CAPTURES: &str = "tracebond/v1/+/+/capture";

const fn rule(act: Act, allowed: Allowed) -> Rule {
    Rule { act, allowed }
}

/// The table.
const RULES: &[Rule] = &[
    rule(Publish(OWN, 1, false), Yes),
    // QoS 0 could be neither held back nor delivered again.
    rule(Publish(OWN, 0, false), OnMosquitto),
    rule(Publish(OWN, 2, false), No),
    rule(Publish(OWN, 1, true), No),
    rule(Publish(OWN, 0, true), No),
    rule(Empty(OWN), OnMosquitto),
    rule(Publish(FOREIGN, 1, false), No),
    rule(Publish(FOREIGN, 0, false), No),
    rule(Publish(FOREIGN, 2, false), No),
    rule(Publish(FOREIGN, 1, true), No),
    rule(Publish(OTHERS, 1, false), No),
    rule(Publish(OWN_RECEIPT, 1, false), No),
    rule(Publish(OWN_RECEIPT, 1, true), No),
    rule(Publish(FOREIGN_RECEIPT, 1, false), No),
    rule(Publish(FOREIGN_RECEIPT, 0, false), No),
    rule(Publish("tracebond/v1/maker/a/capture/x", 1, false), No),
    rule(Publish("tracebond/v1/maker/capture", 1, false), No),
    rule(Publish("/tracebond/v1/maker/a/capture", 1, false), No),
    rule(Publish("tracebond/v1//a/capture", 1, false), No),
    rule(Publish("$SYS/broker/uptime", 1, false), No),
    rule(
        Publish("$share/ingest/tracebond/v1/maker/a/capture", 1, false),
        No,
    ),
    rule(Publish("$no-room", 1, false), No),
    rule(Publish("", 1, false), No),
    rule(Publish("#", 1, false), No),
    rule(Publish(CAPTURES, 1, false), No),
    rule(Publish("tracebond/v1/maker/+/receipt", 1, false), No),
    rule(Empty(FOREIGN), No),
    rule(Read(OWN_RECEIPT), Yes),
    rule(Read(FOREIGN_RECEIPT), No),
    rule(Read("tracebond/v1/other/a/receipt"), No),
    rule(Read(OWN), No),
    rule(Read(FOREIGN), No),
    rule(Read(CAPTURES), No),
    rule(Read("#"), No),
    rule(Read("+/#"), No),
    rule(Read("+/+/+/+/+"), No),
    rule(Read("tracebond/#"), No),
    rule(Read("tracebond/v1/+/+/receipt"), No),
    rule(Read("tracebond/v1/maker/+/receipt"), No),
    rule(Read("tracebond/v1/maker/b/#"), No),
    rule(Read("$SYS/#"), No),
    rule(Read("$SYS/broker/clients/+"), No),
    rule(Read("$share/thieves/tracebond/v1/+/+/capture"), No),
    rule(Read("$share/thieves/#"), No),
    rule(Read("$share/thieves/tracebond/v1/maker/b/receipt"), No),
    rule(Read("$queue/tracebond/v1/+/+/capture"), No),
    rule(Read("$exclusive/tracebond/v1/maker/b/receipt"), No),
    rule(Read(""), No),
    rule(Id("maker/a"), Yes),
    // At Mosquitto a client has its user name as its id, whatever it says.
    rule(Id("maker/b"), OnMosquitto),
    rule(Id("other/a"), OnMosquitto),
    rule(Id("tracebond-ingest-0"), OnMosquitto),
    rule(Id("maker/ab"), OnMosquitto),
    rule(Will(FOREIGN, false), No),
    rule(Will(FOREIGN_RECEIPT, false), No),
    rule(Will(FOREIGN, true), No),
    rule(Will("$SYS/broker/uptime", false), No),
    // Its own words; the ingest finds no statement in them.
    rule(Will(OWN, false), OnMosquitto),
    rule(Old, OnMosquitto),
    rule(IngestPublishes(FOREIGN_RECEIPT), Yes),
    rule(IngestPublishes(FOREIGN), No),
    rule(IngestPublishes("$SYS/broker/uptime"), No),
    rule(IngestReads("tracebond/v1/+/+/receipt"), No),
    rule(IngestReads("#"), No),
];

/// Everybody who could hear of what `maker/a` does.
struct Ground<'s> {
    site: &'s Site,
    ingest: Wire,
    listener: Wire,
    row: usize,
}

/// What the others heard of a row.
#[derive(Debug)]
struct Heard {
    ingest: Vec<Message>,
    listener: Vec<Message>,
}

impl Heard {
    /// Of a row's own word.
    fn word(&self, word: &[u8]) -> bool {
        let mut all = self.ingest.iter().chain(&self.listener);
        all.any(|message| message.payload == word)
    }
}

impl<'s> Ground<'s> {
    async fn of(site: &'s Site) -> Result<Ground<'s>> {
        let (ingest, _) = site.ingest().await?;
        let (mut listener, _) = site.device("maker/b").await?;
        ensure!(listener.subscribe(FOREIGN_RECEIPT).await? <= 2);
        Ok(Ground {
            site,
            ingest,
            listener,
            row: 0,
        })
    }

    /// Honest traffic of the others: a capture to the ingest, a receipt to the listener. What was
    /// published before it has arrived, or never will.
    async fn traffic(&mut self) -> Result<Heard> {
        let mark = format!("mark {}", self.row).into_bytes();
        let reason = self.listener.publish(FOREIGN, &mark).await?;
        ensure!(reason == 0, "the honest device: {reason:#x}");
        let ingest = until(&mut self.ingest, &mark).await?;
        let reason = self.ingest.publish(FOREIGN_RECEIPT, &mark).await?;
        ensure!(reason == 0, "the honest ingest: {reason:#x}");
        let listener = until(&mut self.listener, &mark).await?;
        Ok(Heard { ingest, listener })
    }

    async fn try_rule(&mut self, rule: &Rule) -> Result<bool> {
        self.row += 1;
        match rule.act {
            Publish(topic, qos, retain) => self.publishes(topic, qos, retain).await,
            Empty(topic) => self.publishes_nothing(topic).await,
            Read(filter) => self.reads(filter).await,
            Id(client) => self.connects_as(client).await,
            Will(topic, retain) => self.dies(topic, retain).await,
            Old => self.speaks_old().await,
            IngestPublishes(topic) => self.ingest_publishes(topic).await,
            IngestReads(filter) => self.ingest_reads(filter).await,
        }
    }

    fn word(&self) -> Vec<u8> {
        format!("row {}", self.row).into_bytes()
    }

    async fn publishes(&mut self, topic: &str, qos: u8, retain: bool) -> Result<bool> {
        let (mut peer, _) = self.site.device("maker/a").await?;
        let word = self.word();
        let id = peer.id();
        let sent = wire::publish(topic, &word, qos, retain, id);
        peer.send(&sent).await?;
        let said = said(&mut peer, qos, id).await?;
        let heard = self.traffic().await?.word(&word);
        if retain {
            self.nothing_is_kept().await?;
        }
        // What is acknowledged is heard, and the other way round.
        ensure!(said.is_none_or(|yes| yes == heard), "{said:?} and {heard}");
        Ok(heard)
    }

    async fn publishes_nothing(&mut self, topic: &str) -> Result<bool> {
        let (mut peer, _) = self.site.device("maker/a").await?;
        let id = peer.id();
        peer.send(&wire::publish(topic, b"", 1, false, id)).await?;
        said(&mut peer, 1, id).await?;
        let heard = self.traffic().await?;
        let all = [heard.ingest, heard.listener].concat();
        Ok(all.iter().any(|message| message.payload.is_empty()))
    }

    /// Nobody who comes later is told it.
    async fn nothing_is_kept(&mut self) -> Result<()> {
        let late = Hello {
            client: "tracebond-ingest-9".into(),
            clean: true,
            expiry: 0,
            ..self.site.ingest_hello()
        };
        let mut late = self.site.ingest_as(&late).await?;
        ensure!(late.subscribe(CAPTURES).await? <= 2);
        let heard = late.heard().await?;
        ensure!(heard.is_empty(), "it was kept: {heard:?}");
        late.farewell().await?;
        ensure!(self.listener.subscribe(FOREIGN_RECEIPT).await? <= 2);
        let heard = self.listener.heard().await?;
        ensure!(heard.is_empty(), "it was kept: {heard:?}");
        let (mut own, _) = self.site.device("maker/a").await?;
        ensure!(own.subscribe(OWN_RECEIPT).await? <= 2);
        let heard = own.heard().await?;
        ensure!(heard.is_empty(), "it was kept: {heard:?}");
        self.forget().await
    }

    async fn reads(&mut self, filter: &str) -> Result<bool> {
        let (mut peer, _) = self.site.device("maker/a").await?;
        // Refused, or put out for it, or promised and then not told.
        let Ok(reason) = peer.subscribe(filter).await else {
            return Ok(false);
        };
        self.traffic().await?;
        let reason_of_own = self.ingest.publish(OWN_RECEIPT, &self.word()).await?;
        ensure!(matches!(reason_of_own, 0 | 0x10), "{reason_of_own:#x}");
        let Ok(mut heard) = peer.heard().await else {
            return Ok(false);
        };
        if filter == OWN_RECEIPT && reason <= 2 && heard.is_empty() {
            // Promised: a broker may answer a ping before it passes on what it has taken.
            heard.push(peer.message().await?);
        }
        let own = heard.iter().any(|message| message.topic == OWN_RECEIPT);
        let foreign = heard.iter().find(|message| message.topic != OWN_RECEIPT);
        ensure!(foreign.is_none(), "it heard {foreign:?}");
        // A filter that covers its own receipts as well may be granted that much.
        let allowed = own && filter == OWN_RECEIPT;
        ensure!(!allowed || reason <= 2, "told and refused: {reason:#x}");
        self.forget().await?;
        Ok(allowed)
    }

    /// The next row begins without what this one has subscribed to.
    async fn forget(&mut self) -> Result<()> {
        let hello = Hello {
            clean: true,
            expiry: 0,
            ..Hello::of("maker/a", &password("maker/a"))
        };
        self.site.as_who(&hello).await.map(drop)
    }

    async fn connects_as(&mut self, client: &str) -> Result<bool> {
        let hello = Hello {
            client: client.to_owned(),
            ..Hello::of("maker/a", &password("maker/a"))
        };
        let opened = greet(&hello, async || self.site.connect().await);
        let (mut peer, _, reason) = opened.await?;
        if reason == 0 {
            // Whoever has the name is still there, and what they are told, the peer is not.
            self.traffic().await?;
            let heard = peer.heard().await?;
            ensure!(heard.is_empty(), "it heard {heard:?}");
        }
        self.traffic().await?;
        Ok(reason == 0)
    }

    async fn dies(&mut self, topic: &str, retain: bool) -> Result<bool> {
        let hello = Hello {
            will: Some((topic.to_owned(), retain)),
            expiry: 0,
            ..Hello::of("maker/a", &password("maker/a"))
        };
        let opened = greet(&hello, async || self.site.connect().await).await;
        let welcome = matches!(opened, Ok((_, _, 0)));
        drop(opened);
        if welcome {
            // Its next life begins after the broker has noticed the end of this one.
            self.site.device("maker/a").await?;
        }
        let heard = self.traffic().await?.word(b"forged");
        if retain {
            self.nothing_is_kept().await?;
        }
        Ok(heard)
    }

    async fn speaks_old(&mut self) -> Result<bool> {
        let hello = Hello {
            level: 4,
            clean: true,
            ..Hello::of("maker/a", &password("maker/a"))
        };
        let opened = greet(&hello, async || self.site.connect().await).await;
        Ok(matches!(opened, Ok((_, _, 0))))
    }

    async fn ingest_publishes(&mut self, topic: &str) -> Result<bool> {
        let word = self.word();
        let (mut other, _) = self.site.device("maker/a").await?;
        ensure!(other.subscribe(OWN_RECEIPT).await? <= 2);
        self.ingest.publish(topic, &word).await?;
        let heard = self.traffic().await?.word(&word);
        let others = other.heard().await?;
        ensure!(others.is_empty(), "{others:?}");
        self.forget().await?;
        Ok(heard)
    }

    async fn ingest_reads(&mut self, filter: &str) -> Result<bool> {
        let reason = self.ingest.subscribe(filter).await?;
        self.traffic().await?;
        let heard = self.ingest.heard().await?;
        let receipt = heard
            .iter()
            .any(|message| message.topic.ends_with("/receipt"));
        ensure!(!receipt || reason <= 2);
        Ok(receipt)
    }
}

/// The broker's answer to a publication: true for taken; none where there can be none.
async fn said(peer: &mut Wire, qos: u8, id: u16) -> Result<Option<bool>> {
    if qos == 0 {
        // Whatever was said before a ping is dealt with before the answer to it, or the end.
        let _ = peer.heard().await;
        return Ok(None);
    }
    Ok(Some(peer.answer(id).await.is_ok_and(|reason| reason == 0)))
}

/// Messages up to a mark, each acknowledged.
async fn until(wire: &mut Wire, mark: &[u8]) -> Result<Vec<Message>> {
    let mut heard = Vec::new();
    loop {
        let message = wire.message().await?;
        wire.acknowledge(&message).await?;
        if message.payload == mark {
            return Ok(heard);
        }
        ensure!(!message.retained, "a kept message: {message:?}");
        heard.push(message);
    }
}

async fn hold(kind: Kind) -> Result<()> {
    if kind.skip() {
        return Ok(());
    }
    let site = Site::start(kind).await?;
    let mut ground = Ground::of(&site).await?;
    let mut wrong = Vec::new();
    for rule in RULES {
        let expected = match rule.allowed {
            Yes => true,
            No => false,
            OnMosquitto => kind == Kind::Mosquitto,
        };
        let found = ground.try_rule(rule).await;
        if !matches!(found, Ok(found) if found == expected) {
            wrong.push(format!("{:?}: {found:?}", rule.act));
            ground = Ground::of(&site).await?;
        }
    }
    ensure!(wrong.is_empty(), "at {kind:?}: {wrong:#?}");
    Ok(())
}

#[tokio::test]
async fn the_rules_hold_at_the_embedded_broker() {
    hold(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn the_rules_hold_at_mosquitto() {
    hold(Kind::Mosquitto).await.unwrap();
}

/// Whose passwords open which door.
async fn doors(kind: Kind) -> Result<()> {
    if kind.skip() {
        return Ok(());
    }
    let site = Site::start(kind).await?;
    let ingest = site.ingest_hello();
    let strangers = [
        Hello::of("maker/a", &password("maker/b")),
        Hello::of("maker/a", ""),
        Hello::of("maker/c", &password("maker/c")),
        Hello::of("+/+", &password("maker/a")),
        Hello::of("", ""),
        Hello::of("tracebond-ingest", &password("maker/a")),
    ];
    for hello in &strangers {
        let mut peer = site.connect().await?;
        let answer = peer.hello(hello).await;
        let refused = !answer.as_ref().is_ok_and(|(_, reason)| *reason == 0);
        ensure!(refused, "{hello:?}");
    }
    // Gateways' and ingest's doors are two at Mosquitto; the embedded broker has one set of names.
    let mut peer = site.connect().await?;
    let welcome = peer
        .hello(&ingest)
        .await
        .is_ok_and(|(_, reason)| reason == 0);
    ensure!(
        welcome == (kind == Kind::Embedded),
        "the ingest's password at the gateways' door"
    );
    Ok(())
}

#[tokio::test]
async fn only_its_own_password_opens_the_embedded_broker() {
    doors(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn only_its_own_password_opens_mosquitto() {
    doors(Kind::Mosquitto).await.unwrap();
}
