//! The pages of this module as markup: no script, no style of their own, and every value escaped.
//! A service puts them into its own frame ([`super::super::LogInPage::framed`]).

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use qrcode::QrCode;
use qrcode::render::svg;

use super::super::Csrf;
use super::super::totp::Secret;
use super::RecoveryCode;
use crate::negotiate::Language;
use crate::text::{Text, Texts};

static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    let zh_cn = include_str!("../../../i18n/people.zh-CN.txt");
    Texts::new(include_str!("../../../i18n/people.en.txt"), zh_cn)
});

/// Side of a QR code in pixels, at least.
const QR_SIDE: u32 = 220;

/// A page of the log-in without its frame.
#[derive(Clone, Debug)]
pub struct Framed {
    /// In which language.
    pub language: Language,
    /// Its title.
    pub title: &'static str,
    /// Finished markup: a heading and what is below it.
    pub main: String,
    /// Status of the answer.
    pub status: StatusCode,
    /// Where the browser goes on by itself, at once; a path of this service.
    pub onward: Option<String>,
}

impl Framed {
    /// A page that stands by itself.
    #[must_use]
    pub fn bare(&self) -> Response {
        let (tag, title, main) = (self.language.tag(), escaped(self.title), &self.main);
        let onward = self.onward.as_ref().map_or_else(String::new, |to| {
            format!(
                "<meta http-equiv=\"refresh\" content=\"0; url={}\">\n",
                escaped(to)
            )
        });
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n{onward}<title>{title}</title>\n\
             </head>\n<body>\n<main id=\"main\">\n{main}</main>\n</body>\n</html>\n"
        );
        (self.status, Html(page)).into_response()
    }
}

/// Why somebody is still at one of these pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Trouble {
    Wrong,
    WrongPassword,
    TooMany,
    Locked,
    Form,
    Old,
    Taken,
}

impl Trouble {
    const fn status(self) -> StatusCode {
        match self {
            Self::Wrong | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Locked | Self::Form => StatusCode::FORBIDDEN,
            Self::Old | Self::Taken => StatusCode::CONFLICT,
        }
    }

    const fn of_code(self) -> &'static str {
        match self {
            Self::TooMany => "code.too_many",
            Self::Locked => "code.locked",
            Self::Form | Self::Old => "code.form",
            Self::Taken => "factor.taken",
            Self::Wrong => "code.wrong",
            Self::WrongPassword => "factor.wrong_password",
        }
    }

    const fn of_factor(self) -> &'static str {
        match self {
            Self::Wrong => "factor.wrong",
            Self::Old => "factor.old",
            other => other.of_code(),
        }
    }
}

/// Texts of these pages.
pub(in super::super) fn text(language: Language) -> Text {
    TEXTS.of(language)
}

/// The page that asks for a code.
pub(super) fn code(language: Language, csrf: &Csrf, trouble: Option<Trouble>) -> Framed {
    let t = text(language);
    let main = format!(
        "{head}{alert}<form method=\"post\" action=\"/login/code\" class=\"panel form find\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\n\
         <p><label for=\"code\">{label}</label><input id=\"code\" name=\"code\" \
         autocomplete=\"one-time-code\" autocapitalize=\"none\" spellcheck=\"false\" \
         maxlength=\"24\" required autofocus></p>\n\
         <p><button type=\"submit\" class=\"main\">{enter}</button></p>\n</form>\n\
         <p><a href=\"/login\">{again}</a></p>\n",
        head = head(&t, "code.title", "code.what"),
        alert = alert(&t, trouble.map(Trouble::of_code)),
        label = t.get("code.label"),
        enter = t.get("code.enter"),
        again = t.get("code.again"),
    );
    framed(language, "code.title", main, trouble)
}

/// What the page of an enrolment shows.
pub(super) struct Enrolment<'e> {
    pub(super) language: Language,
    pub(super) csrf: Csrf,
    pub(super) secret: &'e Secret,
    /// The secret as the form carries it, in hexadecimal digits.
    pub(super) offered: String,
    pub(super) issuer: &'e str,
    pub(super) account: &'e str,
    /// Whether the password is asked for again.
    pub(super) asks_password: bool,
    pub(super) trouble: Option<Trouble>,
}

/// The page that shows a new secret and asks for two codes of it.
pub(super) fn enrolment(view: &Enrolment<'_>) -> Framed {
    let t = text(view.language);
    let password = if view.asks_password {
        field(
            &t,
            "password",
            "factor.password",
            "type=\"password\" autocomplete=\"current-password\" maxlength=\"256\"",
        )
    } else {
        String::new()
    };
    let digits = "inputmode=\"numeric\" autocomplete=\"off\" maxlength=\"8\"";
    let main = format!(
        "{head}{alert}<p>{scan}</p>\n{qr}<p>{key}: <code>{secret}</code></p>\n<p>{pair}</p>\n\
         <form method=\"post\" action=\"/login/factor\" class=\"panel form find\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\n\
         <input type=\"hidden\" name=\"offered\" value=\"{offered}\">\n\
         {first}{second}{password}<p><button type=\"submit\" class=\"main\">{enter}</button></p>\n</form>\n",
        head = head(&t, "factor.title", "factor.what"),
        alert = alert(&t, view.trouble.map(Trouble::of_factor)),
        scan = t.get("factor.scan"),
        qr = qr(&view.secret.address(view.issuer, view.account)),
        key = t.get("factor.key"),
        secret = view.secret.text(),
        pair = t.get("factor.pair"),
        csrf = view.csrf,
        offered = view.offered,
        first = field(&t, "first", "factor.first", digits),
        second = field(&t, "second", "factor.second", digits),
        enter = t.get("factor.enter"),
    );
    framed(view.language, "factor.title", main, view.trouble)
}

/// A page that says only why there is no enrolment.
pub(super) fn no_enrolment(language: Language, trouble: Trouble) -> Framed {
    let t = text(language);
    let main = format!(
        "<h1>{}</h1>\n{}<p><a href=\"/\">{}</a></p>\n",
        t.get("factor.title"),
        alert(&t, Some(trouble.of_factor())),
        t.get("provider.go"),
    );
    framed(language, "factor.title", main, Some(trouble))
}

/// The page that shows recovery codes, once.
pub(super) fn codes(language: Language, codes: &[RecoveryCode], next: &str) -> Framed {
    let t = text(language);
    let list: String = codes
        .iter()
        .map(|code| format!("<li><code>{code}</code></li>\n"))
        .collect();
    let main = format!(
        "{head}<ol class=\"panel\">\n{list}</ol>\n<p><a href=\"{next}\">{on}</a></p>\n",
        head = head(&t, "codes.title", "codes.what"),
        next = escaped(next),
        on = t.get("codes.on"),
    );
    framed(language, "codes.title", main, None)
}

fn framed(
    language: Language,
    title: &'static str,
    main: String,
    trouble: Option<Trouble>,
) -> Framed {
    Framed {
        language,
        title: text(language).find(title).unwrap_or(title),
        main,
        status: trouble.map_or(StatusCode::OK, Trouble::status),
        onward: None,
    }
}

fn head(t: &Text, title: &str, what: &str) -> String {
    format!("<h1>{}</h1>\n<p>{}</p>\n", t.get(title), t.get(what))
}

fn alert(t: &Text, key: Option<&'static str>) -> String {
    key.map_or_else(String::new, |key| {
        format!(
            "<p class=\"bad\" role=\"alert\"><svg class=\"i\" aria-hidden=\"true\"><use \
             href=\"#bad\"/></svg>{}</p>\n",
            t.get(key)
        )
    })
}

fn field(t: &Text, name: &str, label: &str, more: &str) -> String {
    format!(
        "<p><label for=\"{name}\">{}</label><input id=\"{name}\" name=\"{name}\" {more} required></p>\n",
        t.get(label)
    )
}

/// The QR code as SVG; nothing where the address is too long for one: the key stands below it.
fn qr(address: &str) -> String {
    let Ok(code) = QrCode::new(address) else {
        return String::new();
    };
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(QR_SIDE, QR_SIDE)
        .build();
    let start = picture.find("<svg").unwrap_or_default();
    format!("<p>{}</p>\n", picture.get(start..).unwrap_or_default())
}

/// Text within markup or an attribute in double quotes.
pub(in super::super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_stands_in_both_languages() {
        assert!(TEXTS.differences().is_empty(), "{:?}", TEXTS.differences());
    }

    #[test]
    fn every_page_is_whole_in_both_languages_and_has_no_script() {
        let csrf = Csrf::new().unwrap();
        let secret = Secret::new().unwrap();
        let set = RecoveryCode::new_set().unwrap();
        for language in Language::ALL {
            let view = Enrolment {
                language,
                csrf: csrf.clone(),
                secret: &secret,
                offered: "00".to_owned(),
                issuer: "T",
                account: "li-wei",
                asks_password: true,
                trouble: Some(Trouble::Old),
            };
            let pages = [
                code(language, &csrf, Some(Trouble::Wrong)),
                enrolment(&view),
                no_enrolment(language, Trouble::Taken),
                codes(language, &set, "/a?\"><script>"),
            ];
            for page in pages {
                let text = &page.main;
                assert!(
                    !text.contains("<script") && !text.contains("style="),
                    "{text}"
                );
                let keys = ["code.", "factor.", "codes.", "provider."];
                assert!(
                    !keys.iter().any(|key| text.contains(&format!(">{key}"))),
                    "{text}"
                );
                assert!(!page.title.contains('.'), "{}", page.title);
            }
        }
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            escaped("<a b='\"&\">"),
            "&lt;a b=&#39;&quot;&amp;&quot;&gt;"
        );
    }
}
