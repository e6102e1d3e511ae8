//! A form with a file (`multipart/form-data`, RFC 7578), read strictly and whole: few fields, short
//! ones, at most one file, and the token of the session before anything else is looked at.
//!
//! The route says how large the whole form may be by its own `DefaultBodyLimit`.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};

use super::form::forged;
use super::gate::{Person, unknown};
use crate::problem::Problem;

/// Most parts of a form.
const PARTS_MAX: usize = 16;
/// Longest head of a part in bytes.
const HEAD_MAX: usize = 1_024;
/// Longest value of a field that is no file, in bytes.
const FIELD_MAX: usize = 16 * 1_024;
/// Longest boundary (RFC 2046 section 5.1.1).
const BOUNDARY_MAX: usize = 70;

/// A file of a form.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// The name that the browser gave, not checked.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({:?}, {} bytes)", self.name, self.content.len())
    }
}

/// A form with a file whose token (`csrf`) is that of the person's session. Anything else is a 403
/// problem, and the handler never runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Values of fields by name; the token is among them.
    pub fields: BTreeMap<String, String>,
    /// The file, unless none was chosen.
    pub file: Option<File>,
}

impl<S: Send + Sync> FromRequest<S> for Uploaded {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let person = request.extensions().get::<Person>().cloned();
        let person = person.ok_or_else(unknown)?;
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let Some(boundary) = boundary(kind) else {
            return without_file(&person, request, state).await;
        };
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The file is too large; nothing was stored",
            ),
            _ => malformed("the form broke off"),
        })?;
        checked(&person, parse(&body, &boundary).map_err(malformed)?)
    }
}

/// The form, if it carries the token of the person's session.
fn checked(person: &Person, form: Uploaded) -> Result<Uploaded, Problem> {
    let token = form.fields.get("csrf").map_or("", String::as_str);
    if person.csrf.fits(token) {
        Ok(form)
    } else {
        Err(forged("The form's token is not that of your session."))
    }
}

/// A form of the plain kind, which has no file.
async fn without_file<S: Send + Sync>(
    person: &Person,
    request: Request,
    state: &S,
) -> Result<Uploaded, Problem> {
    let form = axum::Form::<BTreeMap<String, String>>::from_request(request, state).await;
    let axum::Form(fields) = form.map_err(super::form::malformed)?;
    checked(person, Uploaded { fields, file: None })
}

fn malformed(detail: &str) -> Problem {
    Problem::bad_request(format!("The form cannot be read: {detail}."))
}

/// The boundary that the header names.
fn boundary(kind: &str) -> Option<String> {
    let mut parameters = kind.split(';').map(str::trim);
    let form = parameters.next()?;
    if !form.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.find_map(|one| one.strip_prefix("boundary="))?;
    let boundary = boundary.trim_matches('"');
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let fits = (1..=BOUNDARY_MAX).contains(&boundary.len()) && boundary.bytes().all(letters);
    fits.then(|| boundary.to_owned())
}

/// The parts of a body.
fn parse(body: &[u8], boundary: &str) -> Result<Uploaded, &'static str> {
    let mut form = Uploaded {
        fields: BTreeMap::new(),
        file: None,
    };
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = body
        .strip_prefix(first.as_bytes())
        .ok_or("it does not begin with its boundary")?;
    for _ in 0..PARTS_MAX {
        if rest.starts_with(b"--") {
            return Ok(form);
        }
        let part = rest.strip_prefix(b"\r\n").ok_or("a boundary is broken")?;
        let end = find(part, between.as_bytes()).ok_or("a part has no end")?;
        take(&mut form, &part[..end])?;
        rest = &part[end + between.len()..];
    }
    Err("it has too many parts")
}

fn take(form: &mut Uploaded, part: &[u8]) -> Result<(), &'static str> {
    let end = find(part, b"\r\n\r\n").filter(|end| *end <= HEAD_MAX);
    let end = end.ok_or("a part has no head")?;
    let head = std::str::from_utf8(&part[..end]).map_err(|_| "a part's head is no text")?;
    let content = &part[end + 4..];
    let (name, file) = disposition(head).ok_or("a part has no name")?;
    match file {
        Some(_) if form.file.is_some() => Err("it has more than one file"),
        // A browser sends an empty part where nothing was chosen.
        Some(file) if file.is_empty() && content.is_empty() => Ok(()),
        Some(file) => {
            form.file = Some(File {
                name: file,
                content: content.to_vec(),
            });
            Ok(())
        }
        None if content.len() > FIELD_MAX => Err("a field is too long"),
        None => {
            let value = std::str::from_utf8(content).map_err(|_| "a field is no text")?;
            match form.fields.insert(name, value.to_owned()) {
                None => Ok(()),
                Some(_) => Err("a field stands twice"),
            }
        }
    }
}

/// The field's name, and the file's name if it is one.
fn disposition(head: &str) -> Option<(String, Option<String>)> {
    let mut lines = head.split("\r\n");
    let line = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let fits = name.eq_ignore_ascii_case("content-disposition");
        fits.then_some(value.trim())
    })?;
    let rest = line.strip_prefix("form-data")?;
    Some((
        parameter(rest, "; name=\"")?,
        parameter(rest, "; filename=\""),
    ))
}

/// A quoted value as browsers write it: `"` as `%22`, line ends as `%0D%0A` (WHATWG HTML, 4.10.21.8).
fn parameter(text: &str, mark: &str) -> Option<String> {
    let (_, value) = text.split_once(mark)?;
    let (value, _) = value.split_once('"')?;
    let value = value.replace("%22", "\"");
    Some(value.replace("%0D", "\r").replace("%0A", "\n"))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let at = from + rest.iter().position(|byte| *byte == first)?;
        if text.get(at..)?.starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parts: &[&str]) -> Vec<u8> {
        let mut text = String::new();
        for part in parts {
            text += &format!("--XyZ\r\nContent-Disposition: form-data; {part}\r\n");
        }
        (text + "--XyZ--\r\n").into_bytes()
    }

    const CSRF: &str = "name=\"csrf\"\r\n\r\nabc";

    #[test]
    fn a_browsers_form_comes_back_as_it_was_filled_in() {
        let file = "name=\"file\"; filename=\"合 %22同.pdf\"\r\nContent-Type: x/y\r\n\r\n%PDF-\r\n--Xy\r\n\0";
        let form = parse(&body(&[CSRF, file]), "XyZ").unwrap();
        assert_eq!(form.fields["csrf"], "abc");
        let file = form.file.unwrap();
        assert_eq!(file.name, "合 \"同.pdf");
        assert_eq!(file.content, b"%PDF-\r\n--Xy\r\n\0");
        let none = parse(&body(&["name=\"file\"; filename=\"\"\r\n\r\n"]), "XyZ");
        assert_eq!(none.unwrap().file, None);
    }

    #[test]
    fn what_no_browser_sends_is_refused_in_words() {
        let wrong = |body: &[u8]| parse(body, "XyZ").unwrap_err();
        assert_eq!(wrong(b""), "it does not begin with its boundary");
        assert_eq!(wrong(b"--XyZ\r\nabc"), "a part has no end");
        assert_eq!(wrong(&body(&[CSRF, CSRF])), "a field stands twice");
        let file = "name=\"f\"; filename=\"a\"\r\n\r\nx";
        assert_eq!(wrong(&body(&[file, file])), "it has more than one file");
        assert_eq!(wrong(&body(&["x=\"y\"\r\n\r\n"])), "a part has no name");
        let long = format!("name=\"n\"\r\n\r\n{}", "x".repeat(FIELD_MAX + 1));
        assert_eq!(wrong(&body(&[&long])), "a field is too long");
        let names: Vec<String> = (0..17).map(|n| format!("name=\"n{n}\"\r\n\r\n")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(wrong(&body(&names)), "it has too many parts");
    }

    #[test]
    fn the_boundary_is_read_from_the_header() {
        let read = |kind: &str| boundary(kind);
        let own = "multipart/form-data; boundary=----WebKitFormBoundaryAb1";
        assert_eq!(read(own).as_deref(), Some("----WebKitFormBoundaryAb1"));
        assert_eq!(
            read("multipart/form-data; boundary=\"a b\"").as_deref(),
            Some("a b")
        );
        for kind in [
            "text/plain; boundary=a",
            "multipart/form-data",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(read(kind), None, "{kind}");
        }
    }
}
