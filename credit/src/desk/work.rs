//! Who looks after a decision, notes, tasks and documents beside it.
//!
//! Whoever looks after a decision gives it an order, no right: any officer may still decide. What is
//! written stays; a form that is sent twice adds one row.

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::item::{
    Beside, DOCUMENT_MAX, DOCUMENTS_MAX, FILE_NAME_MAX, ITEMS_MAX, Item, LINE_MAX, Media, TEXT_MAX,
    What, assignment_key,
};
use super::{Actor, Desk, DeskError, Role};
use crate::audit::Action;
use crate::loan::{Record, Stage};
use crate::store::desk::TASKS_MAX;

/// Letters of a form's key.
const KEY_LETTERS: usize = 32;

/// Why a row beside a decision was not added. Nothing was changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorkError {
    /// A text is empty, too long, or has control characters.
    #[error("{field}: 1 to {most} characters are expected")]
    Text {
        /// Which field.
        field: &'static str,
        /// How long it may be.
        most: usize,
    },
    /// Nobody of this name works at the desk.
    #[error("officer: nobody called `{0}` works at this desk")]
    Person(Slug),
    /// Somebody else has assigned it since the form was shown.
    #[error("somebody has assigned it since the form was shown")]
    Reassigned,
    /// Who has accepted as the first officer cannot be given the second decision.
    #[error("officer: `{0}` has accepted as the first officer; another person has to decide")]
    Proposer(Slug),
    /// Only those who decide look after a decision.
    #[error("officer: `{0}` does not decide on offers")]
    NoOfficer(Slug),
    /// A reassignment needs a reason.
    #[error("reason: a reassignment needs one")]
    NoReason,
    /// The day is over, or years away.
    #[error("until: a time from now to a year from now is expected")]
    Until,
    /// There is no such open task.
    #[error("there is no such open task")]
    NoTask,
    /// The key of a form is not one that a page has made.
    #[error("key: {KEY_LETTERS} hex digits are expected")]
    Key,
    /// A file's name.
    #[error("file: a name of 1 to {FILE_NAME_MAX} characters without folders is expected")]
    FileName,
    /// A file's type.
    #[error("file: a PDF, PNG or JPEG file or plain text in UTF-8 is expected")]
    FileType,
    /// A file's size.
    #[error("file: at most {} MiB are possible", DOCUMENT_MAX / 1024 / 1024)]
    FileSize,
    /// The decision has as many rows or documents as it may have.
    #[error("there are {ITEMS_MAX} rows or {DOCUMENTS_MAX} documents beside it: no more fit")]
    Full,
}

/// Something to be done, as a form says it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What.
    pub what: String,
    /// By whom.
    pub who: Slug,
    /// Until when.
    pub until: Instant,
}

/// How far a task's time may be away.
const YEAR: std::time::Duration = std::time::Duration::from_secs(366 * 24 * 3600);

impl Desk {
    /// What people keep beside a decision.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn beside(&self, decision_id: &str) -> Result<Beside, DeskError> {
        let items = self.credit.store().items(decision_id).await?;
        Ok(Beside::of(items))
    }

    /// Names of the people with an open account whose role works here, by name; only those who
    /// decide if `deciding`.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn colleagues(&self, deciding: bool) -> Result<Vec<Slug>, DeskError> {
        let accounts = self.credit.store();
        let accounts = accounts.accounts(&self.terms.organisation).await;
        let works = |role: Role| role.works() && (role.decides() || !deciding);
        let accounts = accounts.map_err(DeskError::People)?.into_iter();
        let open = accounts.filter(|one| one.disabled.is_none());
        let fits = open.filter(|one| Role::of_word(one.role.as_str()).is_some_and(works));
        Ok(fits.map(|one| one.name).collect())
    }

    /// Gives a decision to an officer, or to nobody. `known` is how many assignments the person
    /// saw: somebody else's meanwhile is not overwritten.
    ///
    /// # Errors
    /// [`DeskError::Work`], [`DeskError::Unknown`], [`DeskError::NotAllowed`], [`DeskError::Store`].
    pub async fn assign(
        &self,
        by: &Actor,
        decision_id: &str,
        known: usize,
        officer: Option<Slug>,
        reason: &str,
    ) -> Result<(), DeskError> {
        let record = self.worked(by, decision_id).await?;
        let beside = self.beside(decision_id).await?;
        if beside.officer == officer {
            return Ok(());
        }
        if beside.assignments != known {
            return Err(WorkError::Reassigned.into());
        }
        let reason = match (reason.trim(), beside.officer.is_some()) {
            ("", true) => return Err(WorkError::NoReason.into()),
            ("", false) => String::new(),
            (reason, _) => line("reason", reason)?,
        };
        if let Some(officer) = &officer {
            self.check_officer(&record, officer).await?;
        }
        room(&beside, false)?;
        let from = beside.officer.as_ref().map_or("-", |one| one.as_str());
        let to = officer.as_ref().map_or("-", |one| one.as_str());
        let detail = match reason.as_str() {
            "" => format!("{from} > {to}"),
            reason => format!("{from} > {to}: {reason}"),
        };
        let what = What::Assignment { officer, reason };
        let key = assignment_key(known.saturating_add(1));
        let item = self.item(by, decision_id, key, what);
        if self.add(item, None, Action::Assign, &detail).await? {
            Ok(())
        } else {
            Err(WorkError::Reassigned.into())
        }
    }

    /// Whoever looks after it decides, and has not proposed what a second person has to decide.
    async fn check_officer(&self, record: &Record, officer: &Slug) -> Result<(), DeskError> {
        if !self.colleagues(true).await?.contains(officer) {
            let known = self.colleagues(false).await?.contains(officer);
            let error = if known {
                WorkError::NoOfficer
            } else {
                WorkError::Person
            };
            return Err(error(officer.clone()).into());
        }
        match self.stage(&record.decision).await {
            Ok(Stage::Endorsed(endorsed)) if endorsed.first == *officer => {
                Err(WorkError::Proposer(officer.clone()).into())
            }
            Ok(_) | Err(DeskError::NoStage(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a note beside a decision.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub async fn add_note(
        &self,
        by: &Actor,
        decision_id: &str,
        key: &str,
        text: &str,
    ) -> Result<(), DeskError> {
        self.worked(by, decision_id).await?;
        let text = words("note", text, TEXT_MAX)?;
        room(&self.beside(decision_id).await?, false)?;
        let item = self.item(by, decision_id, key_of(key)?, What::Note { text });
        self.add(item, None, Action::AddNote, "").await.map(drop)
    }

    /// Sets a task beside a decision.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub async fn add_task(
        &self,
        by: &Actor,
        decision_id: &str,
        key: &str,
        asked: Asked,
    ) -> Result<(), DeskError> {
        self.worked(by, decision_id).await?;
        let what = line("what", &asked.what)?;
        let now = self.clock.now();
        if asked.until <= now || asked.until > now + YEAR {
            return Err(WorkError::Until.into());
        }
        if !self.colleagues(false).await?.contains(&asked.who) {
            return Err(WorkError::Person(asked.who).into());
        }
        room(&self.beside(decision_id).await?, false)?;
        let detail = format!("{}: {what}", asked.who);
        let (who, until) = (asked.who, asked.until);
        let item = self.item(
            by,
            decision_id,
            key_of(key)?,
            What::Task { what, who, until },
        );
        self.add(item, None, Action::AddTask, &detail)
            .await
            .map(drop)
    }

    /// Says that a task is done; again changes nothing.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub async fn finish_task(
        &self,
        by: &Actor,
        decision_id: &str,
        key: &str,
    ) -> Result<(), DeskError> {
        self.worked(by, decision_id).await?;
        let beside = self.beside(decision_id).await?;
        let task = beside.tasks.iter().find(|task| task.key == key);
        let task = task.ok_or(WorkError::NoTask)?;
        if task.done.is_some() {
            return Ok(());
        }
        let detail = task.what.clone();
        let item = self.item(by, decision_id, task.key.clone(), What::Done);
        self.add(item, None, Action::FinishTask, &detail)
            .await
            .map(drop)
    }

    /// Puts a document beside a decision; the same file again changes nothing. Its SHA-256.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub async fn add_document(
        &self,
        by: &Actor,
        decision_id: &str,
        name: &str,
        content: &[u8],
    ) -> Result<Hash, DeskError> {
        self.worked(by, decision_id).await?;
        if content.len() > DOCUMENT_MAX {
            return Err(WorkError::FileSize.into());
        }
        let name = file_name(name).ok_or(WorkError::FileName)?;
        let media = Media::of(content).ok_or(WorkError::FileType)?;
        let sha256 = sha256(content);
        let beside = self.beside(decision_id).await?;
        if beside
            .documents
            .iter()
            .any(|one| one.sha256() == Some(sha256))
        {
            return Ok(sha256);
        }
        room(&beside, true)?;
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let detail = format!("{name} {sha256}");
        let what = What::Document { name, media, bytes };
        let item = self.item(by, decision_id, sha256.to_string(), what);
        self.add(item, Some(content), Action::AddDocument, &detail)
            .await?;
        Ok(sha256)
    }

    /// A document beside a decision, and its content.
    ///
    /// # Errors
    /// [`DeskError::Unknown`], [`DeskError::Store`].
    pub async fn document(
        &self,
        decision_id: &str,
        sha256: &Hash,
    ) -> Result<(Item, Vec<u8>), DeskError> {
        let beside = self.beside(decision_id).await?;
        let mut documents = beside.documents.into_iter();
        let item = documents.find(|one| one.sha256() == Some(*sha256));
        let item = item.ok_or(DeskError::Unknown)?;
        let content = self.credit.store().file(decision_id, sha256).await?;
        Ok((item, content.ok_or(DeskError::Unknown)?))
    }

    /// Open tasks of a person.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn tasks_of(&self, person: &Slug) -> Result<Vec<Item>, DeskError> {
        Ok(self.credit.store().open_tasks(person, TASKS_MAX).await?)
    }

    /// The decision that somebody wants to work on.
    async fn worked(&self, by: &Actor, decision_id: &str) -> Result<Record, DeskError> {
        if by.role.works() {
            self.record(decision_id).await
        } else {
            Err(DeskError::NotAllowed)
        }
    }

    fn item(&self, by: &Actor, decision_id: &str, key: String, what: What) -> Item {
        Item {
            decision_id: decision_id.to_owned(),
            key,
            what,
            by: by.name.clone(),
            at: self.clock.now(),
        }
    }

    async fn add(
        &self,
        item: Item,
        file: Option<&[u8]>,
        action: Action,
        detail: &str,
    ) -> Result<bool, DeskError> {
        let entry = super::Entry {
            at: item.at,
            ..self.entry(item.by.as_str(), action, &item.decision_id, detail)
        };
        Ok(self.credit.store().add_item(&item, file, &entry).await?)
    }
}

/// Refuses what would go beyond the limits of one decision.
fn room(beside: &Beside, document: bool) -> Result<(), WorkError> {
    let documents = beside.documents.len() >= DOCUMENTS_MAX;
    if beside.len() >= ITEMS_MAX || (document && documents) {
        Err(WorkError::Full)
    } else {
        Ok(())
    }
}

/// A key that a page has made.
fn key_of(text: &str) -> Result<String, WorkError> {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == KEY_LETTERS && text.bytes().all(digit) {
        Ok(text.to_owned())
    } else {
        Err(WorkError::Key)
    }
}

/// One line of text.
fn line(field: &'static str, text: &str) -> Result<String, WorkError> {
    let text = words(field, text, LINE_MAX)?;
    if text.contains('\n') {
        let most = LINE_MAX;
        return Err(WorkError::Text { field, most });
    }
    Ok(text)
}

/// Text of a form as it is kept: lines end with LF alone, no control characters.
fn words(field: &'static str, text: &str, most: usize) -> Result<String, WorkError> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let control = |letter: char| letter.is_control() && letter != '\n';
    let length = text.chars().count();
    if length == 0 || length > most || text.contains(control) {
        Err(WorkError::Text { field, most })
    } else {
        Ok(text.to_owned())
    }
}

/// The name of a file without its folders; old browsers send whole paths.
fn file_name(text: &str) -> Option<String> {
    let name = text.rsplit(['/', '\\']).next()?.trim();
    let bidi = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let refused = |letter: char| letter.is_control() || bidi(letter);
    let length = name.chars().count();
    let fits = (1..=FILE_NAME_MAX).contains(&length) && !name.contains(refused);
    (fits && name != "." && name != "..").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_lose_their_folders_and_nothing_hides_in_them() {
        assert_eq!(
            file_name("C:\\scans\\合同.pdf").as_deref(),
            Some("合同.pdf")
        );
        assert_eq!(file_name("../../etc/passwd").as_deref(), Some("passwd"));
        for name in ["", "a/", "..", "a\nb", "fdp.\u{202e}exe", &"x".repeat(121)] {
            assert_eq!(file_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_key_is_one_that_a_page_has_made() {
        assert!(key_of(&"0a".repeat(16)).is_ok());
        for key in ["", "0A", &"0g".repeat(16), &"0a".repeat(17)] {
            assert_eq!(key_of(key), Err(WorkError::Key), "{key}");
        }
    }
}
