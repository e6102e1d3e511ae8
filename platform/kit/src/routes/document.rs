//! An OpenAPI document beside a list of routes: what stands in one of them only.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Entry;

/// Paths of programs begin so; all others are pages, which the table of access alone lists.
const FOR_PROGRAMS: [&str; 6] = [
    "/v1/",
    "/capture",
    "/log/",
    "/health",
    "/oauth2/",
    "/.well-known/",
];
/// Members of a path item that are methods (OpenAPI 3.1 section 4.8.9).
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// Routes of programs that are not in the document, and operations of the document that are no
/// routes, in words; empty if they agree.
#[must_use]
pub fn undescribed(document: &Value, list: &[Entry]) -> Vec<String> {
    let there: BTreeSet<String> = list
        .iter()
        .filter(|entry| {
            FOR_PROGRAMS
                .iter()
                .any(|start| entry.path.starts_with(start))
        })
        // OpenAPI has no parameter that takes the rest of a path.
        .map(|entry| entry.name().replace("{*", "{"))
        .collect();
    let written = operations(document);
    let missing = there.difference(&written);
    let missing = missing.map(|route| format!("`{route}` is not in the document"));
    let gone = written.difference(&there);
    let gone = gone.map(|route| format!("`{route}` is not in the code"));
    missing.chain(gone).collect()
}

fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let of = |(path, item): (&String, &Value)| {
        let methods = METHODS.iter().filter(|method| item.get(**method).is_some());
        methods
            .map(|method| format!("{} {path}", method.to_ascii_uppercase()))
            .collect::<Vec<_>>()
    };
    paths.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_in_one_only_is_named() {
        let entry = |method, path: &str| Entry {
            method,
            path: path.to_owned(),
        };
        let list = [
            entry(Method::GET, "/v1/a/{id}"),
            entry(Method::POST, "/v1/a/{id}"),
            entry(Method::GET, "/log/{*name}"),
            entry(Method::GET, "/page"),
        ];
        let document = json!({"paths": {
            "/v1/a/{id}": {"get": {}, "parameters": []},
            "/log/{name}": {"get": {}},
            "/v1/gone": {"put": {}},
        }});
        assert_eq!(
            undescribed(&document, &list),
            [
                "`POST /v1/a/{id}` is not in the document",
                "`PUT /v1/gone` is not in the code",
            ]
        );
    }
}
