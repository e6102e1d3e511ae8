//! Texts of pages in two languages: two files of `key = text` lines, `#` for remarks.
//!
//! A key that is missing is shown as it is, so that a test finds it before a reader does:
//! [`Texts::differences`] lists what stands in one language only.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::negotiate::Language;

type Table = BTreeMap<&'static str, &'static str>;

/// What business steps are called on every page of both services.
static STEPS: LazyLock<Texts> = LazyLock::new(|| {
    let zh_cn = include_str!("../i18n/steps.zh-CN.txt");
    Texts::new(include_str!("../i18n/steps.en.txt"), zh_cn)
});

/// The names of business steps (CBV 2.0 section 7.1, without the address) and, for events without
/// one, of their types in small letters.
#[must_use]
pub fn steps(language: Language) -> Text {
    STEPS.of(language)
}

/// The texts of a service.
#[derive(Debug)]
pub struct Texts {
    en: Table,
    zh_cn: Table,
}

impl Texts {
    /// Reads both files.
    #[must_use]
    pub fn new(en: &'static str, zh_cn: &'static str) -> Self {
        Self {
            en: table(en),
            zh_cn: table(zh_cn),
        }
    }

    /// The texts of one language.
    #[must_use]
    pub fn of(&'static self, language: Language) -> Text {
        let table = match language {
            Language::En => &self.en,
            Language::ZhCn => &self.zh_cn,
        };
        Text { language, table }
    }

    /// Keys that stand in one language only.
    #[must_use]
    pub fn differences(&self) -> Vec<&'static str> {
        let keys = |table: &Table| table.keys().copied().collect::<BTreeSet<_>>();
        let (en, zh_cn) = (keys(&self.en), keys(&self.zh_cn));
        en.symmetric_difference(&zh_cn).copied().collect()
    }
}

/// The texts of one language. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The language.
    pub language: Language,
    table: &'static Table,
}

impl Text {
    /// The text of a key, or the key itself.
    #[must_use]
    pub fn get<'k>(&self, key: &'k str) -> &'k str {
        self.find(key).unwrap_or(key)
    }

    /// The text of a key that may be missing.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&'static str> {
        self.table.get(key).copied()
    }

    /// The text of a key with `{name}` filled in. Values are taken as they are: braces in them are
    /// not filled again.
    #[must_use]
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut rest = self.get(key);
        let mut out = String::with_capacity(rest.len() + 32);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (name, tail) = after.split_once('}').unwrap_or((after, ""));
            let value = values.iter().find(|(known, _)| *known == name);
            out.push_str(value.map_or("", |(_, value)| value));
            rest = tail;
        }
        out.push_str(rest);
        out
    }

    /// [`Self::fill`] of `key.one` or `key.other`, with `{count}` filled in. Templates hand over
    /// references, code numbers.
    #[must_use]
    pub fn count(&self, key: &str, count: impl Borrow<usize>) -> String {
        self.count_with(key, *count.borrow(), &[])
    }

    /// [`Self::count`] with further values.
    #[must_use]
    pub fn count_with(&self, key: &str, count: usize, values: &[(&str, &str)]) -> String {
        let form = if count == 1 { "one" } else { "other" };
        let number = count.to_string();
        let mut all = vec![("count", number.as_str())];
        all.extend_from_slice(values);
        self.fill(&format!("{key}.{form}"), &all)
    }

    /// All keys in order, for tests.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.table.keys().copied()
    }
}

fn table(file: &'static str) -> Table {
    let lines = file.lines().map(str::trim);
    let kept = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    kept.filter_map(|line| line.split_once('='))
        .map(|(key, text)| (key.trim(), text.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
        let en = "# remark\na = one {x} and {y}\nn.one = {count} row\nn.other = {count} rows\n";
        Texts::new(en, "a = 一 {x}\nb = 二\n")
    });

    #[test]
    fn a_text_is_filled_once() {
        let text = TEXTS.of(Language::En);
        assert_eq!(text.fill("a", &[("x", "{y}"), ("y", "2")]), "one {y} and 2");
        assert_eq!(text.fill("a", &[]), "one  and ");
        assert_eq!(
            (text.count("n", 1), text.count("n", 2)),
            ("1 row".to_owned(), "2 rows".to_owned())
        );
        assert_eq!(text.get("nothing"), "nothing");
        assert_eq!(TEXTS.of(Language::ZhCn).get("b"), "二");
    }

    #[test]
    fn steps_have_a_name_in_both_languages() {
        assert_eq!(STEPS.differences(), [""; 0]);
        assert_eq!(steps(Language::En).get("inspecting"), "Inspected");
        assert_eq!(steps(Language::ZhCn).get("inspecting"), "检验");
    }

    #[test]
    fn what_stands_in_one_language_only_is_listed() {
        assert_eq!(TEXTS.differences(), ["b", "n.one", "n.other"]);
    }
}
