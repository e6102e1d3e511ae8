//! Why officers refuse: a list that supervisors keep.

use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

/// Longest wording of a reason in characters.
pub const WORDS_MAX: usize = 120;

/// Most reasons that are kept, retired ones included: more is a list that nobody reads.
pub const REASONS_KEPT_MAX: usize = 200;

/// A reason to refuse an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalReason {
    /// Its name in decisions.
    pub code: Slug,
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
    /// False once it was retired: kept decisions name it, new ones cannot.
    pub active: bool,
}

/// A wording that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: 1 to {WORDS_MAX} characters without line breaks are needed")]
pub struct BadWords {
    /// Which field.
    pub field: &'static str,
}

impl RefusalReason {
    /// A new reason, in force.
    ///
    /// # Errors
    /// [`BadWords`] naming the field.
    pub fn new(code: Slug, en: &str, zh: &str) -> Result<Self, BadWords> {
        Ok(Self {
            code,
            en: words("en", en)?,
            zh: words("zh", zh)?,
            active: true,
        })
    }
}

fn words(field: &'static str, text: &str) -> Result<String, BadWords> {
    let text = text.trim();
    let fits =
        (1..=WORDS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned()).ok_or(BadWords { field })
}

/// What a new bank's list begins with.
#[must_use]
pub fn first_list() -> Vec<RefusalReason> {
    let list = [
        ("documents-missing", "Documents are missing", "材料不全"),
        (
            "evidence-doubtful",
            "The evidence raises doubts",
            "证据存疑",
        ),
        (
            "purpose-unclear",
            "The purpose of the loan is unclear",
            "借款用途不明",
        ),
        (
            "concentration",
            "Too much is lent to this supplier or its buyer",
            "对该供应商或其买方授信过于集中",
        ),
        (
            "outside-policy",
            "Outside the bank's credit policy",
            "不符合本行信贷政策",
        ),
    ];
    list.iter()
        .filter_map(|(code, en, zh)| RefusalReason::new(code.parse().ok()?, en, zh).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_a_length_and_no_line_breaks() {
        let code: Slug = "a".parse().unwrap();
        let new = |en: &str, zh: &str| RefusalReason::new(code.clone(), en, zh);
        assert_eq!(new(" a ", "b").unwrap().en, "a");
        assert_eq!(new("", "b").unwrap_err().field, "en");
        assert_eq!(new("a", &"长".repeat(121)).unwrap_err().field, "zh");
        assert!(new("a\nb", "b").is_err());
        assert!(new("a", &"长".repeat(120)).is_ok());
        assert_eq!(first_list().len(), 5);
    }
}
