//! The texts of the platform's pages: `web/i18n/{en,zh-CN}.txt`, read by [`kit::text`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use kit::text::Text;
use kit::text::Texts;

use super::Lang;

static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(
        include_str!("../../web/i18n/en.txt"),
        include_str!("../../web/i18n/zh-CN.txt"),
    )
});

/// The texts of a language.
pub fn of(lang: Lang) -> Text {
    TEXTS.of(lang)
}

/// The best of several spellings of a name: this language, a variant of it, any.
pub fn choose(names: &BTreeMap<String, String>, lang: Lang) -> Option<&str> {
    let exact = names.get(lang.tag());
    let near = || {
        names
            .iter()
            .find(|(tag, _)| Lang::from_tag(tag) == Some(lang))
            .map(|(_, name)| name)
    };
    exact
        .or_else(near)
        .or_else(|| names.values().next())
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_once() {
        let text = of(Lang::En);
        assert_eq!(text.fill("class.format", &[]), "form of the bundle");
        let filled = text.fill(
            "product.made_from.by",
            &[("organisation", "{organisation}")],
        );
        assert_eq!(filled, "stated by {organisation}");
    }

    #[test]
    fn one_and_many_differ() {
        let text = of(Lang::En);
        assert_eq!(text.count("length.hour", 1), "1 hour");
        assert_eq!(text.count("length.hour", 2), "2 hours");
    }

    #[test]
    fn a_name_is_found_in_the_nearest_language() {
        let names = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(tag, name)| ((*tag).to_owned(), (*name).to_owned()))
                .collect()
        };
        let both: BTreeMap<_, _> = names(&[("en", "Peach"), ("zh-Hans", "桃")]);
        assert_eq!(choose(&both, Lang::ZhCn), Some("桃"));
        assert_eq!(choose(&both, Lang::En), Some("Peach"));
        assert_eq!(choose(&names(&[("fr", "Pêche")]), Lang::En), Some("Pêche"));
        assert_eq!(choose(&BTreeMap::new(), Lang::En), None);
    }

    #[test]
    fn every_key_stands_in_both_languages_once() {
        let keys = |lang| of(lang).keys().collect::<Vec<_>>();
        assert_eq!(keys(Lang::En), keys(Lang::ZhCn));
        for file in [
            include_str!("../../web/i18n/en.txt"),
            include_str!("../../web/i18n/zh-CN.txt"),
        ] {
            let lines = file
                .lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            assert_eq!(
                lines.count(),
                keys(Lang::En).len(),
                "a line without ` = ` or a key twice"
            );
        }
    }

    #[test]
    fn both_languages_fill_in_the_same_names() {
        let (en, zh) = (of(Lang::En), of(Lang::ZhCn));
        for key in en.keys() {
            let names = |text: Text| {
                let parts = text
                    .get(key)
                    .split('{')
                    .skip(1)
                    .filter_map(|part| part.split_once('}'));
                let mut names: Vec<_> = parts.map(|(name, _)| name).collect();
                names.sort_unstable();
                names.retain(|name| *name != "count");
                names
            };
            assert_eq!(names(en), names(zh), "{key}");
        }
    }

    /// Every literal key in the sources and templates is written down.
    #[test]
    fn every_key_that_is_used_exists() {
        let text = of(Lang::En);
        let mut used = 0;
        for file in files() {
            for call in [
                "get(\"",
                "fill(\"",
                "count(\"",
                "count_with(\"",
                "fill(\n",
                "count(\n",
            ] {
                for after in file.split(call).skip(1) {
                    let after = after.trim_start().trim_start_matches('"');
                    let Some((key, _)) = after.split_once('"') else {
                        continue;
                    };
                    let is_key = key.contains('.') && key.bytes().all(|b| b.is_ascii_graphic());
                    if !is_key || key.contains('{') {
                        continue;
                    }
                    let exists =
                        text.find(key).is_some() || text.find(&format!("{key}.one")).is_some();
                    assert!(exists, "{key}");
                    used += 1;
                }
            }
        }
        assert!(
            used > 80,
            "only {used} keys found: does the search still fit the code?"
        );
    }

    fn files() -> Vec<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for folder in ["src/web", "src/web/product", "web/templates"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    files.push(std::fs::read_to_string(path).unwrap());
                }
            }
        }
        files
    }
}
