//! A question as it stands on the wire (RFC 9112).

use std::time::Duration;

use super::base::Base;

/// How long a question and its answer may take where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked.
pub(crate) struct Question<'q> {
    method: &'static str,
    path: &'q str,
    /// Media type and bytes.
    body: Option<(&'static str, &'q [u8])>,
    /// Name and password.
    login: Option<(&'q str, &'q str)>,
    pub(super) patience: Duration,
}

impl<'q> Question<'q> {
    /// For what lies at a path below the base; the path begins with a slash.
    pub const fn get(path: &'q str) -> Self {
        Self {
            method: "GET",
            path,
            body: None,
            login: None,
            patience: PATIENCE,
        }
    }

    /// Hands something in.
    pub const fn post(path: &'q str, kind: &'static str, body: &'q [u8]) -> Self {
        let mut question = Self::get(path);
        question.method = "POST";
        question.body = Some((kind, body));
        question
    }

    /// Puts something in its place.
    pub const fn put(path: &'q str, kind: &'static str, body: &'q [u8]) -> Self {
        let mut question = Self::post(path, kind, body);
        question.method = "PUT";
        question
    }

    /// With a name and a password (RFC 7617).
    pub const fn login(mut self, name: &'q str, password: &'q str) -> Self {
        self.login = Some((name, password));
        self
    }

    /// With another time to wait than twenty seconds.
    pub const fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The bytes that are sent; more questions may follow where it `goes_on`.
    pub(super) fn text(&self, base: &Base, goes_on: bool) -> Result<Vec<u8>, String> {
        let path = self.path;
        let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_path {
            return Err(format!("`{path:.100}` is no path"));
        }
        let mut head = format!(
            "{} {}{path} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\n",
            self.method,
            base.path,
            base.authority()
        );
        if !goes_on {
            head.push_str("connection: close\r\n");
        }
        if let Some((name, password)) = self.login {
            let login = schemas::b64::encode(format!("{name}:{password}").as_bytes());
            head.push_str(&format!("authorization: Basic {login}\r\n"));
        }
        if let Some((kind, body)) = self.body {
            let length = body.len();
            head.push_str(&format!(
                "content-type: {kind}\r\ncontent-length: {length}\r\n"
            ));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.map_or(&[], |(_, body)| body));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_cannot_be_broken_by_its_path() {
        let base: Base = "https://p.example:8443/a".parse().expect("base");
        let text = |question: Question<'_>| {
            let bytes = question.text(&base, false)?;
            String::from_utf8(bytes).map_err(|error| error.to_string())
        };
        assert_eq!(
            text(Question::post("/v1/x", "text/plain", b"hi").login("a", "b")).expect("text"),
            "POST /a/v1/x HTTP/1.1\r\nhost: p.example:8443\r\naccept: */*\r\n\
             connection: close\r\nauthorization: Basic YTpi\r\n\
             content-type: text/plain\r\ncontent-length: 2\r\n\r\nhi"
        );
        for path in ["", "x", "/a b", "/a\r\nx: y", "/\u{e4}"] {
            assert!(text(Question::get(path)).is_err(), "{path:?}");
        }
    }
}
